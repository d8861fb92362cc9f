//! A text that may hold a secret: used whole, shown masked.
//!
//! Settings are printed in logs, in `/status` and by `{:?}` in a panic; what is in a header or in the environment of
//! a child must not come along.

use std::fmt;

/// A value that is only read on purpose, with [`Secret::reveal`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret {
    value: String,
    shown: String,
}

// === impl Secret ===

impl Secret {
    /// A value of which nothing is shown.
    pub fn new(value: impl Into<String>) -> Self {
        Secret { value: value.into(), shown: "****".to_owned() }
    }

    /// A value that is shown as it was written in the file: `--token=${TOKEN}`, not what the variable holds.
    pub fn shown_as(value: impl Into<String>, shown: impl Into<String>) -> Self {
        Secret { value: value.into(), shown: shown.into() }
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown)
    }
}
