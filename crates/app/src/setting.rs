//! Items of the config, as they are set over the control API: read, put, taken away, switched.
//!
//! Whoever changes something says what it was when they looked at it, by an entity tag; if it is another by now, nothing happens.
//! A change is first laid over the text in force and checked as a whole, then kept, then applied: what is applied was kept, and
//! what is kept can be applied.

use serde_json::Value;
use sha2::{Digest, Sha256};
use toolgate_config::{Amendment, Difference, Faults, Item, Place, masked, unmasked};

use crate::build::BuildError;
use crate::ledger::NotKept;
use crate::reload::{NotApplied, Reloader};

/// What the config says of an item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) item: Item,
    /// As written.
    value: Value,
    /// Where the file says something of it: `file:line:column`.
    pub(crate) place: Option<String>,
    /// Whether it was set over the control API, in part (an upstream of the file that was switched) or as a whole.
    pub(crate) set: Set,
}

/// How much of an item was set over the control API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// Nothing: the file says it all.
    Nothing,
    /// Whether it is enabled.
    Switch,
    /// All of it.
    Whole,
}

/// What somebody who changes an item takes it to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// Whatever it is.
    Any,
    /// One of these tags.
    Tags(Vec<String>),
    /// It is there.
    Something,
    /// It is not there.
    Nothing,
}

/// Why nothing was set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSet {
    /// It is not what it was taken to be.
    #[error("it was changed in the meantime; look at it again")]
    Changed,
    #[error("the config says nothing of it")]
    Unknown,
    /// Only the file says it.
    #[error("it stands in the config file, at {0}; take it out there")]
    InFile(String),
    /// A masked value was given for one that is not known.
    #[error("the value of `{0}` is masked, and there is none to keep; give the value itself")]
    Masked(String),
    #[error("{0}")]
    Illegal(&'static str),
    /// It cannot be held together with the rest.
    #[error("{0}")]
    Faults(Faults),
    #[error(transparent)]
    Unusable(#[from] BuildError),
    #[error("the config could not be read: {0}")]
    Unreadable(String),
    #[error(transparent)]
    Kept(#[from] NotKept),
}

// === impl Entry ===

impl Entry {
    /// What stands for it as it is now.
    pub(crate) fn tag(&self) -> String {
        let text = format!("{:?} {:?} {}", self.item, self.set, self.value);
        Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What it says, as it may be shown.
    pub(crate) fn shown(&self) -> Value {
        masked(&self.value)
    }
}

// === impl Expectation ===

impl Expectation {
    fn holds(&self, entry: Option<&Entry>) -> bool {
        match self {
            Self::Any => true,
            Self::Something => entry.is_some(),
            Self::Nothing => entry.is_none(),
            Self::Tags(tags) => entry.is_some_and(|entry| tags.contains(&entry.tag())),
        }
    }
}

// === impl Reloader ===

impl Reloader {
    /// What the config says of an item.
    pub(crate) fn entry(&self, item: &Item) -> Option<Entry> {
        let said = self.said();
        let written = said.written.iter().find(|written| written.item == *item);
        let place = written.map(|written| {
            let Place { line, column } = written.place;
            format!("{}:{line}:{column}", said.text.origin.display())
        });
        let entry = |value, set| Some(Entry { item: item.clone(), value, place: place.clone(), set });
        if let Some(json) = self.ledger().json_of(item) {
            return entry(serde_json::from_str(&json).unwrap_or_default(), Set::Whole);
        }
        let mut value = written?.value.clone();
        if let Item::Upstream(name) = item
            && let Some(json) = self.ledger().json_of(&Item::Enabled(name.clone()))
            && let Some(members) = value.as_object_mut()
        {
            members.insert("enabled".into(), serde_json::from_str(&json).unwrap_or_default());
            return entry(value, Set::Switch);
        }
        entry(value, Set::Nothing)
    }

    /// All items that the config says something of: the file's in its order, then what was set beside it.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut items: Vec<Item> = self.said().written.iter().map(|written| written.item.clone()).collect();
        for Amendment { item, .. } in self.ledger().amendments() {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        items.iter().filter_map(|item| self.entry(item)).collect()
    }

    /// Sets an item, in the place of all that was said of it.
    pub(crate) async fn set(
        &self,
        item: Item,
        value: &Value,
        expected: &Expectation,
    ) -> Result<Vec<Difference>, NotSet> {
        let _alone = self.alone().await;
        let generation = self.ledger().generation();
        item.check().map_err(NotSet::Illegal)?;
        let before = self.expected(&item, expected)?;
        let value = unmasked(value, before.as_ref().map(|entry| &entry.value)).map_err(NotSet::Masked)?;
        // A whole definition says itself whether it is enabled.
        let mut changes = self.without_switch(&item);
        changes.push((item, Some(value.to_string())));
        self.change(changes, generation).await
    }

    /// Takes back what was set of an item. What the file says of it holds again.
    pub(crate) async fn unset(&self, item: Item, expected: &Expectation) -> Result<Vec<Difference>, NotSet> {
        let _alone = self.alone().await;
        let generation = self.ledger().generation();
        let before = self.expected(&item, expected)?.ok_or(NotSet::Unknown)?;
        if before.set != Set::Whole {
            return Err(NotSet::InFile(before.place.unwrap_or_default()));
        }
        let mut changes = match before.place {
            Some(_) => Vec::new(),
            None => self.without_switch(&item),
        };
        // What is laid over tools in a namespace goes with it.
        if let (Item::Namespace(name), None) = (&item, &before.place) {
            let laid_over = |item: &Item| matches!(item, Item::Override { namespace, .. } if namespace == name);
            let amendments = self.ledger().amendments().into_iter().map(|one| one.item);
            changes.extend(amendments.filter(laid_over).map(|item| (item, None)));
        }
        changes.push((item, None));
        self.change(changes, generation).await
    }

    /// Enables or disables an upstream, wherever it is said.
    pub(crate) async fn switch(&self, name: &str, enabled: bool) -> Result<Vec<Difference>, NotSet> {
        let _alone = self.alone().await;
        let generation = self.ledger().generation();
        let item = Item::Upstream(name.to_owned());
        let Entry { mut value, set, .. } = self.entry(&item).ok_or(NotSet::Unknown)?;
        let change = if set == Set::Whole {
            if let Some(members) = value.as_object_mut() {
                members.insert("enabled".into(), enabled.into());
            }
            (item, Some(value.to_string()))
        } else {
            // What says the same as the file need not be said.
            let in_file =
                self.said().written.iter().find(|written| written.item == item).map(|one| is_enabled(&one.value));
            (Item::Enabled(name.to_owned()), (in_file != Some(enabled)).then(|| enabled.to_string()))
        };
        self.change(vec![change], generation).await
    }

    /// The item, if it is what it was taken to be.
    fn expected(&self, item: &Item, expected: &Expectation) -> Result<Option<Entry>, NotSet> {
        let entry = self.entry(item);
        if expected.holds(entry.as_ref()) { Ok(entry) } else { Err(NotSet::Changed) }
    }

    fn without_switch(&self, item: &Item) -> Vec<(Item, Option<String>)> {
        let Item::Upstream(name) = item else { return Vec::new() };
        let switch = Item::Enabled(name.clone());
        self.ledger().json_of(&switch).map(|_| (switch, None)).into_iter().collect()
    }

    /// Checks, keeps and applies what was decided by what was set as of `generation`. For whoever has the lock.
    async fn change(
        &self,
        mut changes: Vec<(Item, Option<String>)>,
        generation: i64,
    ) -> Result<Vec<Difference>, NotSet> {
        if !self.ledger().can_write() {
            return Err(NotKept::NoStore.into());
        }
        // What is not there need not be taken away, and what is there need not be set again.
        changes.retain(|(item, json)| self.ledger().json_of(item) != *json);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut amendments = self.ledger().amendments();
        for (item, json) in &changes {
            amendments.retain(|one| one.item != *item);
            amendments.extend(json.clone().map(|json| Amendment { item: item.clone(), json }));
        }
        let (settings, said) = self.composed(amendments, false).await.map_err(not_applied)?;
        let was_out = |item: &Item| {
            !changes.iter().any(|(changed, _)| changed == item)
                && self.said().left_out.iter().any(|(out, _)| out == item)
        };
        if let Some((_, faults)) = said.left_out.into_iter().find(|(item, _)| !was_out(item)) {
            return Err(NotSet::Faults(faults));
        }
        self.live().check(&settings)?;
        match self.ledger().write(changes, generation).await {
            Ok(()) => self.apply_amendments().await.map_err(not_applied),
            Err(error) => {
                // Somebody else was first, or it is unknown whether this came through: what is kept is what holds.
                let _ = self.apply_amendments().await;
                Err(match error {
                    NotKept::Changed => NotSet::Changed,
                    error => error.into(),
                })
            }
        }
    }
}

fn is_enabled(upstream: &Value) -> bool {
    upstream.get("enabled").and_then(Value::as_bool).unwrap_or(true)
}

fn not_applied(error: NotApplied) -> NotSet {
    match error {
        NotApplied::Faults(faults) => NotSet::Faults(faults),
        NotApplied::Unusable(error) => NotSet::Unusable(error),
        other => NotSet::Unreadable(other.to_string()),
    }
}
