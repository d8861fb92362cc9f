//! What an upstream says beside its answers: the lines of its stderr and its log messages, the last of them kept for operators.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use toolgate_protocol::{Object, UpstreamName};

use crate::error::neutral;
use crate::ring::Ring;

/// Lines kept of one upstream.
const MOST_LINES: usize = 500;
/// The longest line kept, in characters.
const LONGEST: usize = 2_000;
/// Upstreams whose lines are kept though they may be no more.
const MOST_UPSTREAMS: usize = 2_000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LogLine {
    /// The level of a log message; none on stderr.
    pub level: Option<String>,
    /// What is said, without what a terminal would act upon.
    pub text: String,
}

/// The lines of all upstreams, whichever of their connections said them.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<HashMap<UpstreamName, Arc<Ring<LogLine>>>>);

impl LogLine {
    /// A line of stderr.
    pub(crate) fn of_stderr(text: &str) -> Self {
        Self { level: None, text: neutral(text, LONGEST) }
    }

    /// A log message, by its notification's parameters.
    pub fn of_message(params: &Object) -> Self {
        let data = params.get("data").map(|data| data.as_string().unwrap_or_else(|| data.as_str().to_owned()));
        let logger = params.string("logger").map(|logger| format!("{logger}: ")).unwrap_or_default();
        let text = neutral(&format!("{logger}{}", data.unwrap_or_default()), LONGEST);
        Self { level: Some(neutral(&params.string("level").unwrap_or_default(), 20)), text }
    }
}

impl Lines {
    pub(crate) fn of(&self, upstream: &UpstreamName) -> Arc<Ring<LogLine>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_UPSTREAMS {
            all.retain(|_, ring| Arc::strong_count(ring) > 1);
        }
        all.entry(upstream.clone()).or_insert_with(|| Arc::new(Ring::new(MOST_LINES))).clone()
    }
}
