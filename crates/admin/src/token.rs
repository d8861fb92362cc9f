//! The token that whoever uses the control API must show.

use subtle::ConstantTimeEq;

/// A secret; never shown.
#[derive(Clone)]
pub struct Token(String);

// === impl Token ===

impl Token {
    /// This one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether `shown` is it. How long that takes says nothing of how much of it is right.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(****)")
    }
}
