//! What is set over the control API: as it is known here, and the store that keeps it.
//!
//! What was read last is all that is needed to serve, so a store that is down stops nothing: it is looked at again until it is
//! there, and until then nothing can be set. Replicas that share a store see what the others set by looking now and then.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use toolgate_config::{Amendment, Item, Settings, StoreSettings};
use toolgate_store::{Address, Change, Error, Expected, Records, Store};

use crate::build::BuildError;
use crate::remote::whole_name;

/// What is set over the control API, and where it is kept.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Where it is kept; none where nothing can be set.
    address: Option<Address>,
    /// Opened when there is something to be read or written. Held by whoever does either.
    store: tokio::sync::Mutex<Option<Store>>,
    known: Mutex<Known>,
}

/// What was read last.
#[derive(Debug, Default)]
struct Known {
    generation: i64,
    amendments: Vec<Kept>,
}

/// An amendment, and which version of it.
#[derive(Debug, Clone)]
struct Kept {
    amendment: Amendment,
    version: i64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error("nothing can be set: there is no store; set `store` or `state_dir` in the config")]
    NoStore,
    #[error("somebody else set something in the meantime")]
    Changed,
    #[error(transparent)]
    Store(Error),
}

// === impl Ledger ===

impl Ledger {
    /// The ledger of the gateway that `settings` describe, read once if it is there. `usual` is the folder for what outlives a
    /// restart unless the settings name one, `config` the config's file or URL: in one folder, each has a store of
    /// its own.
    ///
    /// A store that cannot be read is told of in the log, and looked at again by [`Ledger::look`].
    ///
    /// # Errors
    /// The settings name a store that cannot be one.
    pub async fn open(settings: &Settings, usual: Option<&Path>, config: Option<&Path>) -> Result<Self, BuildError> {
        let address = address(settings, usual, config).map_err(BuildError::Store)?;
        let ledger = Self { address, ..Self::default() };
        if let Err(error) = ledger.look().await {
            tracing::warn!(%error, "what was set over the control API is not known yet; the config file alone is in force");
        }
        Ok(ledger)
    }

    /// What is set, in the order of its items.
    pub fn amendments(&self) -> Vec<Amendment> {
        self.known().amendments.iter().map(|kept| kept.amendment.clone()).collect()
    }

    /// What is set of one item, as JSON.
    pub(crate) fn json_of(&self, item: &Item) -> Option<String> {
        let known = self.known();
        let kept = known.amendments.iter().find(|kept| kept.amendment.item == *item)?;
        Some(kept.amendment.json.clone())
    }

    /// As of when what is known was read.
    pub(crate) fn generation(&self) -> i64 {
        self.known().generation
    }

    /// Whether something can be set.
    pub(crate) fn can_write(&self) -> bool {
        self.address.is_some()
    }

    /// Looks at the store. Gives whether something else is set than was known.
    pub(crate) async fn look(&self) -> Result<bool, Error> {
        let mut store = self.store.lock().await;
        if store.is_none() && !self.is_there() {
            return Ok(false);
        }
        let Some(open) = self.opened(&mut store).await? else { return Ok(false) };
        let known = self.known().generation;
        if open.generation().await? == known {
            return Ok(false);
        }
        self.take(open.read().await?);
        Ok(true)
    }

    /// Sets items, or takes them back, all or none. These items must be kept as they were known as of `generation`, by which
    /// the changes were decided; else nothing is written, and what is known is read again.
    pub(crate) async fn write(&self, changes: Vec<(Item, Option<String>)>, generation: i64) -> Result<(), NotKept> {
        let mut store = self.store.lock().await;
        if self.generation() != generation {
            return Err(NotKept::Changed);
        }
        let opened = self.opened(&mut store).await.map_err(NotKept::Store)?;
        let Some(open) = opened else { return Err(NotKept::NoStore) };
        let changes: Vec<Change> = changes
            .into_iter()
            .map(|(item, json)| Change { key: item.key(), expected: self.version(&item), value: json })
            .collect();
        let written = open.write(&changes).await;
        // Also after a failure: whether a write came through may be unknown, and a conflict means that there is something new.
        match open.read().await {
            Ok(records) => self.take(records),
            Err(error) if written.is_ok() => tracing::warn!(%error, "what was set could not be read back"),
            Err(_) => {}
        }
        match written {
            Ok(_) => Ok(()),
            Err(Error::Conflict { .. }) => Err(NotKept::Changed),
            Err(error) => Err(NotKept::Store(error)),
        }
    }

    async fn opened<'a>(&self, store: &'a mut Option<Store>) -> Result<Option<&'a Store>, Error> {
        let Some(address) = &self.address else { return Ok(None) };
        if store.is_none() {
            *store = Some(Store::open(address).await?);
        }
        Ok(store.as_ref())
    }

    /// Whether there is anything to be read: a file that nobody needs is not made.
    fn is_there(&self) -> bool {
        match &self.address {
            None => false,
            Some(Address::Sqlite(file)) => file.exists(),
            Some(Address::Postgres(_)) => true,
        }
    }

    fn version(&self, item: &Item) -> Expected {
        let known = self.known();
        let kept = known.amendments.iter().find(|kept| kept.amendment.item == *item);
        kept.map_or(Expected::Nothing, |kept| Expected::Version(kept.version))
    }

    fn take(&self, records: Records) {
        let amendments = records.records.into_iter().filter_map(|record| match Item::of_key(&record.key) {
            Some(item) => {
                Some(Kept { amendment: Amendment { item, json: record.value }, version: record.version })
            }
            None => {
                tracing::warn!(key = %record.key, "the store has an entry that this version does not know; it is left alone");
                None
            }
        });
        let mut amendments: Vec<Kept> = amendments.collect();
        amendments.sort_by(|one, other| one.amendment.item.cmp(&other.amendment.item));
        *self.known() = Known { generation: records.generation, amendments };
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where what is set is kept.
fn address(settings: &Settings, usual: Option<&Path>, config: Option<&Path>) -> Result<Option<Address>, String> {
    match &settings.store {
        StoreSettings::Off => Ok(None),
        StoreSettings::Sqlite(file) => Ok(Some(Address::Sqlite(file.clone()))),
        StoreSettings::Postgres(url) => Address::parse(url.reveal()).map(Some),
        StoreSettings::Usual => {
            let state = settings.state_dir.as_deref().or(usual);
            Ok(state.map(|state| Address::Sqlite(usual_file(state, config))))
        }
    }
}

/// Several gateways have one state folder, each with a config of its own.
fn usual_file(state: &Path, config: Option<&Path>) -> PathBuf {
    let name = config.map(whole_name).unwrap_or_default();
    let hash = Sha256::digest(name.to_string_lossy().as_bytes());
    let digits: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    state.join("set").join(format!("{digits}.db"))
}
