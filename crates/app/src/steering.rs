//! What the control API asks of whoever knows the config, in the words of either.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use toolgate_admin::{Control, Difference, Entry, Expectation, Fault, Item, Items, Refusal, Setting};
use toolgate_config as config;
use toolgate_config::{Change, Faults};
use toolgate_store::Error as StoreError;

use crate::in_force::{From, Value};
use crate::ledger::NotKept;
use crate::reload::{NotApplied, Reloader};
use crate::setting::{self, NotSet, Set};

/// Does what takes the config.
pub(crate) struct Steering(Arc<Reloader>);

impl Steering {
    pub(crate) fn new(reloader: Arc<Reloader>) -> Self {
        Self(reloader)
    }
}

impl Control for Steering {
    fn settings(&self) -> Vec<Setting> {
        self.0.in_force().into_iter().map(setting).collect()
    }

    fn reload(&self) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>> {
        Box::pin(async { self.0.reload().await.map(differences).map_err(not_applied) })
    }

    fn differences(&self, text: String, name: Option<String>) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>> {
        Box::pin(async { self.0.differences(text, name).await.map(differences).map_err(not_applied) })
    }

    fn entry(&self, item: &Item) -> Option<Entry> {
        self.0.entry(&ours(item.clone())).map(entry)
    }

    fn entries(&self, of: &Items) -> Vec<Entry> {
        let is_one = |item: &config::Item| match (of, item) {
            (Items::Upstreams, config::Item::Upstream(_)) | (Items::Namespaces, config::Item::Namespace(_)) => true,
            (Items::Overrides(of), config::Item::Override { namespace, .. }) => namespace == of,
            _ => false,
        };
        self.0.entries().into_iter().filter(|entry| is_one(&entry.item)).map(entry).collect()
    }

    fn set(
        &self,
        item: Item,
        value: serde_json::Value,
        expected: Expectation,
    ) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>> {
        Box::pin(async move {
            let set = self.0.set(ours(item), &value, &expectation(expected)).await;
            set.map(differences).map_err(not_set)
        })
    }

    fn unset(&self, item: Item, expected: Expectation) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>> {
        Box::pin(async move {
            let unset = self.0.unset(ours(item), &expectation(expected)).await;
            unset.map(differences).map_err(not_set)
        })
    }

    fn switch(&self, upstream: String, enabled: bool) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>> {
        Box::pin(async move { self.0.switch(&upstream, enabled).await.map(differences).map_err(not_set) })
    }
}

// === their words to ours ===

fn ours(item: Item) -> config::Item {
    match item {
        Item::Upstream(name) => config::Item::Upstream(name),
        Item::Namespace(name) => config::Item::Namespace(name),
        Item::Override { namespace, tool } => config::Item::Override { namespace, tool },
    }
}

fn expectation(expected: Expectation) -> setting::Expectation {
    match expected {
        Expectation::Any => setting::Expectation::Any,
        Expectation::Tags(tags) => setting::Expectation::Tags(tags),
        Expectation::Something => setting::Expectation::Something,
        Expectation::Nothing => setting::Expectation::Nothing,
    }
}

// === our words to theirs ===

fn entry(one: setting::Entry) -> Entry {
    let (tag, value) = (one.tag(), one.shown());
    Entry {
        name: match one.item {
            config::Item::Upstream(name) | config::Item::Enabled(name) | config::Item::Namespace(name) => name,
            config::Item::Override { tool, .. } => tool,
        },
        from: if one.set == Set::Whole { "api" } else { "file" },
        place: one.place,
        switched: one.set == Set::Switch,
        tag,
        value,
    }
}

fn setting(one: Value) -> Setting {
    let (from, place) = match one.from {
        From::File(place) => ("file", Some(place)),
        From::Default => ("default", None),
        From::CommandLine => ("command line", None),
        From::Api => ("api", None),
    };
    Setting { key: one.key, value: one.value, from, place }
}

fn not_applied(error: NotApplied) -> Refusal {
    match error {
        NotApplied::NoFile => Refusal::NoFile,
        NotApplied::Unreadable(why) => Refusal::Unreadable(why),
        NotApplied::Unreachable(why) => Refusal::Unreachable(why),
        NotApplied::Unusable(error) => Refusal::Unusable(error.to_string()),
        NotApplied::Faults(faults) => faulty(&faults),
    }
}

fn not_set(error: NotSet) -> Refusal {
    let words = error.to_string();
    match error {
        NotSet::Changed | NotSet::Kept(NotKept::Changed) => Refusal::Changed,
        NotSet::Unknown => Refusal::Unknown,
        NotSet::InFile(place) => Refusal::InFile(place),
        NotSet::Masked(_) | NotSet::Illegal(_) | NotSet::Unusable(_) => Refusal::Unusable(words),
        NotSet::Faults(faults) => faulty(&faults),
        NotSet::Unreadable(why) => Refusal::Unreadable(why),
        NotSet::Kept(NotKept::NoStore) => Refusal::NoStore(words),
        NotSet::Kept(NotKept::Store(StoreError::TooLarge(_))) => Refusal::TooLarge(words),
        NotSet::Kept(NotKept::Store(StoreError::Full(_))) => Refusal::StoreFull(words),
        NotSet::Kept(NotKept::Store(_)) => Refusal::StoreUnavailable(words),
    }
}

fn differences(all: Vec<config::Difference>) -> Vec<Difference> {
    all.into_iter().map(difference).collect()
}

fn difference(one: config::Difference) -> Difference {
    let change = match one.change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
    };
    Difference {
        text: one.to_string(),
        change,
        what: one.what,
        respects: one.respects,
        needs_restart: one.needs_restart,
    }
}

fn faulty(faults: &Faults) -> Refusal {
    Refusal::Faults(faults.iter().map(fault).collect())
}

fn fault(one: &config::Fault) -> Fault {
    let file = one.file.display();
    let place = one.place.map_or_else(|| file.to_string(), |place| format!("{file}:{}:{}", place.line, place.column));
    let message = match &one.help {
        Some(help) => format!("{}; {help}", one.message),
        None => one.message.clone(),
    };
    Fault { place, key: (!one.path.is_empty()).then(|| one.path.clone()), message }
}
