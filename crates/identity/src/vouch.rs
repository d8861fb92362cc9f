//! One replica's word for the caller of a request that it forwards to another.
//!
//! The replica that the client talks to has identified the caller; the one that holds the parked call believes it if both
//! have the same keys. The word holds for this one request, byte for byte, and for a minute.

use std::sync::Arc;
use std::time::Duration;

use toolgate_seal::{Context, NoSealer, Sealer, Unopened};

/// Clocks of replicas may differ by about as much.
const LIFETIME: Duration = Duration::from_secs(60);

/// A replica's word, not yet believed.
#[derive(Clone, Debug)]
pub struct Vouch {
    sealed: String,
    context: Context,
}

/// Gives our word that `subject` sent what is forwarded as `body`.
pub fn vouch(sealer: &Sealer, subject: &str, body: &[u8]) -> Result<String, NoSealer> {
    sealer.seal(&context(body), LIFETIME, subject.as_bytes())
}

fn context(body: &[u8]) -> Context {
    Context::new("vouch").with(body)
}

// === impl Vouch ===

impl Vouch {
    /// What came with the request that is `body`.
    pub fn new(sealed: &str, body: &[u8]) -> Self {
        Self { sealed: sealed.to_owned(), context: context(body) }
    }

    pub(crate) fn open(&self, sealer: &Sealer) -> Result<Arc<str>, Unopened> {
        let subject = sealer.open(&self.context, &self.sealed)?;
        String::from_utf8(subject).map(Arc::from).map_err(|_| Unopened::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_for_one_request_and_among_those_who_share_a_key() {
        let sealer = Sealer::new(["a key that is long enough to be one"]).unwrap();
        let word = vouch(&sealer, "ann", b"request").unwrap();
        assert_eq!(&*Vouch::new(&word, b"request").open(&sealer).unwrap(), "ann");
        assert!(Vouch::new(&word, b"another").open(&sealer).is_err());
        assert!(Vouch::new("ann", b"request").open(&sealer).is_err());
        assert!(Vouch::new(&word, b"request").open(&Sealer::new([]).unwrap()).is_err());
    }
}
