//! Checks the arguments of a call against the tool's own schema before anything leaves, so that the next try succeeds.
//!
//! A server's own complaint about wrong arguments comes late, and often says little. Here a fault names the place, what was
//! expected and what was found, and comes with an example that would do. Slips that can mean only one thing, such as a
//! number spelled as a string, are understood instead, and can be switched off.
//!
//! The schema is an upstream's and the arguments are a client's, so neither may cost more than a bounded time: schemas that
//! are too large, branch too much or cannot be compiled are not held against anybody ([`Checked::Unchecked`]), nothing is
//! fetched, and patterns run on an engine that is linear. What passes goes on as the bytes that came.

mod compiled;
mod example;
mod faults;
mod mend;
mod weight;

pub use compiled::Unsuitable;
pub use faults::{Fault, Faults};
pub use mend::{Mend, Slips};

use std::sync::{Arc, Mutex, PoisonError};

use toolgate_protocol::{Json, Kind};

use self::compiled::{Cache, Compiled};
use crate::signature::Signature;
use crate::tool::Tool;

/// What a checker remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// As many compiled schemas are kept.
    pub cached_schemas: usize,
    /// And of so many bytes of schema text together.
    pub cached_bytes: usize,
}

/// Checks arguments, and remembers compiled schemas by their bytes.
#[derive(Debug)]
pub struct Checker {
    cache: Mutex<Cache>,
}

/// What became of the arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// They are right as they came.
    Sound,
    /// They are right once a slip is understood; these are to be sent.
    Mended {
        /// What came, but for the slips.
        arguments: Json,
        /// What was understood, for the log.
        mends: Vec<Mend>,
    },
    /// They are wrong, and nothing should be sent.
    Faulty(Faults),
    /// Nothing can be said; they are to be sent as they came.
    Unchecked(Unsuitable),
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self { cached_schemas: 512, cached_bytes: 4 << 20 }
    }
}

// === impl Checker ===

impl Checker {
    /// A checker that has compiled nothing yet.
    pub fn new(config: Config) -> Self {
        Self { cache: Mutex::new(Cache::new(config.cached_schemas, config.cached_bytes)) }
    }

    /// Holds the arguments of a call to `tool` against its schema; these slips are understood.
    pub fn check(&self, tool: &Tool<'_>, arguments: &Json, slips: Slips) -> Checked {
        let Some(schema) = (tool.kind == Kind::Tool).then(|| tool.input_schema()).flatten() else {
            return Checked::Unchecked(Unsuitable::NoSchema);
        };
        match self.compiled(&schema) {
            Ok(compiled) => check_against(&compiled, arguments, slips),
            Err(unsuitable) => Checked::Unchecked(unsuitable),
        }
    }

    fn compiled(&self, schema: &Json) -> Result<Arc<Compiled>, Unsuitable> {
        if let Some(compiled) = self.cache().get(schema.text()) {
            return compiled;
        }
        // Compiled without the lock: two calls may both do it, and none waits.
        let compiled = Compiled::new(schema).map(Arc::new);
        self.cache().insert(schema.text(), compiled.clone());
        compiled
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        // A cache that a panicking thread left is whole: entries are inserted at once.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_against(compiled: &Compiled, arguments: &Json, slips: Slips) -> Checked {
    let (given, mut mends) = mend::whole(arguments, slips);
    let verdict = match compiled.judge(&given) {
        Ok(verdict) => verdict,
        Err(unsuitable) => return Checked::Unchecked(unsuitable),
    };
    if verdict.is_sound() {
        return if mends.is_empty() { Checked::Sound } else { Checked::Mended { arguments: given, mends } };
    }
    let mended = mend::members(compiled, given, verdict, slips);
    mends.extend(mended.mends);
    if mended.verdict.is_sound() {
        return Checked::Mended { arguments: mended.arguments, mends };
    }
    Checked::Faulty(Faults {
        list: mended.verdict.faults(compiled),
        more: mended.verdict.more(),
        signature: Signature::of_reading(compiled.reading()).text,
        example: example::of(compiled, &mended.arguments),
    })
}

#[cfg(test)]
mod tests;
