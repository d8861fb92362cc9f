//! The store as a map with versions: whatever is written, it gives and says what the map does.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use toolgate_store::{Change, Error, Expected, Store};

/// What a change expects, in relation to what is there.
#[derive(Clone, Copy, Debug)]
enum Hope {
    Anything,
    Nothing,
    /// The right version; of what is not there, that it is not.
    Right,
    Stale,
}

type Wish = (String, Option<String>, Hope);

/// What the store should be.
#[derive(Clone, Default)]
struct Model {
    generation: i64,
    made: i64,
    /// Value, version, and the how manieth record it was that was made.
    records: BTreeMap<String, (String, i64, i64)>,
}

// === impl Model ===

impl Model {
    fn change(&self, (key, value, hope): Wish) -> Change {
        let current = self.records.get(&key).map(|(_, version, _)| *version);
        let expected = match (hope, current) {
            (Hope::Anything, _) => Expected::Anything,
            (Hope::Nothing, _) | (Hope::Right, None) => Expected::Nothing,
            (Hope::Right, Some(version)) => Expected::Version(version),
            (Hope::Stale, version) => Expected::Version(version.unwrap_or(1) - 1),
        };
        Change { key, value, expected }
    }

    fn write(&mut self, changes: &[Change]) -> Result<i64, Error> {
        let mut next = self.clone();
        next.generation += i64::from(!changes.is_empty());
        for Change { key, value, expected } in changes {
            let current = next.records.get(key).cloned();
            let is_met = match expected {
                Expected::Anything => true,
                Expected::Nothing => current.is_none(),
                Expected::Version(version) => current.as_ref().is_some_and(|(_, current, _)| current == version),
            };
            if !is_met {
                return Err(Error::Conflict { key: key.clone(), current: current.map(|(_, version, _)| version) });
            }
            next.made += 1;
            match value {
                Some(value) => {
                    let made = current.map_or(next.made, |(.., made)| made);
                    next.records.insert(key.clone(), (value.clone(), next.generation, made))
                }
                None => next.records.remove(key),
            };
        }
        *self = next;
        Ok(self.generation)
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    // Few keys, so that they meet; any text as a value.
    let key = prop_oneof![Just("a"), Just("b"), Just("b\0"), Just("ü")].prop_map(str::to_owned);
    let hope = prop_oneof![3 => Just(Hope::Anything), 2 => Just(Hope::Right), 1 => Just(Hope::Nothing), 1 => Just(Hope::Stale)];
    (key, proptest::option::weighted(0.7, any::<String>()), hope)
}

/// Holds a store that is empty against the model, from many beginnings.
pub(crate) async fn holds(store: Store) {
    let runtime = tokio::runtime::Handle::current();
    let check = move || {
        let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
        let writes = proptest::collection::vec(proptest::collection::vec(wish(), 0..4), 1..8);
        runner.run(&writes, |writes| runtime.block_on(follow(&store, writes))).unwrap();
    };
    tokio::task::spawn_blocking(check).await.unwrap();
}

async fn follow(store: &Store, writes: Vec<Vec<Wish>>) -> Result<(), TestCaseError> {
    // From what the last case has left to nothing.
    let left = store.read().await.unwrap().records;
    let removals = left.into_iter().map(|record| Change { key: record.key, value: None, expected: Expected::Anything });
    let generation = store.write(&removals.collect::<Vec<_>>()).await.unwrap();
    let mut model = Model { generation, ..Model::default() };
    for wishes in writes {
        let changes: Vec<Change> = wishes.into_iter().map(|wish| model.change(wish)).collect();
        prop_assert_eq!(store.write(&changes).await, model.write(&changes));
        let read = store.read().await.unwrap();
        prop_assert_eq!(read.generation, model.generation);
        prop_assert_eq!(store.generation().await, Ok(model.generation));
        let found: Vec<_> = read.records.iter().map(|r| (r.key.clone(), r.value.clone(), r.version)).collect();
        let meant = model.records.iter().map(|(key, (value, version, _))| (key.clone(), value.clone(), *version));
        prop_assert_eq!(found, meant.collect::<Vec<_>>());
        let mut by_position: Vec<_> = read.records.iter().map(|r| (r.position, r.key.clone())).collect();
        let mut by_making: Vec<_> = model.records.iter().map(|(key, (.., made))| (*made, key.clone())).collect();
        by_position.sort();
        by_making.sort();
        let keys = |order: Vec<(i64, String)>| order.into_iter().map(|(_, key)| key).collect::<Vec<_>>();
        prop_assert_eq!(keys(by_position), keys(by_making));
    }
    Ok(())
}
