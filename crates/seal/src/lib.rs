//! What clients keep for the gateway, sealed: they can neither read nor change it, nor use it for anything else.
//!
//! In the modern era the gateway answers and forgets; what it must know again later travels with the client (`requestState`,
//! the ids of tasks, cursors). Such a text is the client's to hold and an attacker's to try. So it is encrypted and
//! authenticated (XChaCha20-Poly1305), says until when it holds, and opens only in the [`Context`] that it was sealed in:
//! for the same purpose, caller, upstream and request.
//!
//! The first key seals and every key opens, so keys are changed by putting a new one in front. A gateway without configured
//! keys has a random one, and what it sealed means nothing after a restart or to another replica.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

/// The least characters of a configured key.
pub const MIN_KEY: usize = 32;
/// The form of the text; another one would begin otherwise.
const VERSION: u8 = 1;
/// Names the key, so that no key is tried in vain and a missing one can be told from a forgery.
const KEY_ID: usize = 4;
const NONCE: usize = 24;
const HEAD: usize = 1 + KEY_ID + NONCE;
/// The longest text that is looked at, in bytes.
const MAX: usize = 1 << 20;

/// Seals and opens.
pub struct Sealer {
    keys: Vec<Key>,
    lasting: bool,
}

struct Key {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
}

/// What a sealed text belongs to. It is not in the text, but without the same one the text does not open.
#[derive(Clone)]
pub struct Context(Sha256);

/// Why a text does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// It is none of ours, was changed, or was sealed in another context.
    #[error("it is not one that was given out here, was changed, or belongs to another request or caller")]
    Foreign,
    /// It was sealed with a key that is not here.
    #[error(
        "it was sealed with a key that this gateway does not have: before a restart, or by a replica that does not share `keys`"
    )]
    UnknownKey,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
}

/// Why there is no sealer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSealer {
    /// Anybody could guess it.
    #[error("a key needs at least {MIN_KEY} characters")]
    ShortKey,
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    NoRandom,
}

// === impl Sealer ===

impl Sealer {
    /// Seals with the first of these keys and opens with all; with a random key if there are none.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, NoSealer> {
        let mut all = Vec::new();
        for key in keys {
            if key.chars().count() < MIN_KEY {
                return Err(NoSealer::ShortKey);
            }
            all.push(Key::of(key.as_bytes()));
        }
        let lasting = !all.is_empty();
        if !lasting {
            let mut random = [0; 32];
            getrandom::fill(&mut random).map_err(|_| NoSealer::NoRandom)?;
            all.push(Key::of(&random));
        }
        Ok(Self { keys: all, lasting })
    }

    /// Whether what it seals opens after a restart and at replicas.
    pub fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// Seals `inner`, to be opened in the same context within `lifetime`.
    pub fn seal(&self, context: &Context, lifetime: Duration, inner: &[u8]) -> Result<String, NoSealer> {
        self.seal_until(context, now() + lifetime.as_secs().max(1), inner)
    }

    fn seal_until(&self, context: &Context, until: u64, inner: &[u8]) -> Result<String, NoSealer> {
        let key = &self.keys[0];
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| NoSealer::NoRandom)?;
        let text = [&until.to_be_bytes(), inner].concat();
        let aad = context.digest();
        let sealed = key
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: &text, aad: &aad })
            .expect("a text in memory is not too long to encrypt");
        Ok(URL_SAFE_NO_PAD.encode([&[VERSION][..], &key.id, &nonce, &sealed].concat()))
    }

    /// What `text` holds, if it was sealed here, in this context, and not too long ago.
    pub fn open(&self, context: &Context, text: &str) -> Result<Vec<u8>, Unopened> {
        if text.len() > MAX {
            return Err(Unopened::Foreign);
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| Unopened::Foreign)?;
        let (head, sealed) = sealed.split_at_checked(HEAD).ok_or(Unopened::Foreign)?;
        let (version, head) = head.split_at(1);
        let (id, nonce) = head.split_at(KEY_ID);
        if version != [VERSION] {
            return Err(Unopened::Foreign);
        }
        let key = self.keys.iter().find(|key| key.id == id).ok_or(Unopened::UnknownKey)?;
        let nonce: [u8; NONCE] = nonce.try_into().expect("the head was split at its length");
        let aad = context.digest();
        let opened = key
            .cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &aad })
            .map_err(|_| Unopened::Foreign)?;
        let (until, inner) = opened.split_at_checked(8).ok_or(Unopened::Foreign)?;
        if u64::from_be_bytes(until.try_into().expect("split at eight bytes")) < now() {
            return Err(Unopened::Expired);
        }
        Ok(inner.to_vec())
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("keys", &self.keys.len()).field("lasting", &self.lasting).finish()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

// === impl Key ===

impl Key {
    /// The text itself is never used: a cipher wants 32 bytes, whatever people write.
    fn of(text: &[u8]) -> Self {
        let derived = |what: &str| Sha256::new().chain_update(what).chain_update([0]).chain_update(text).finalize();
        let id = derived("toolgate key id");
        let key: [u8; 32] = derived("toolgate sealing key").into();
        Self { id: [id[0], id[1], id[2], id[3]], cipher: XChaCha20Poly1305::new(&key.into()) }
    }
}

// === impl Context ===

impl Context {
    /// What is sealed for one purpose does not open for another.
    pub fn new(purpose: &str) -> Self {
        Self(Sha256::new()).with(purpose)
    }

    /// One more thing that it belongs to. The order counts, and where one part ends and the next begins.
    #[must_use]
    pub fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    fn digest(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old key, of at least 32 characters";
    const NEW: &str = "a new key, of at least 32 characters.";
    const HOUR: Duration = Duration::from_secs(3600);

    fn sealer(keys: &[&str]) -> Sealer {
        Sealer::new(keys.iter().copied()).unwrap()
    }

    #[test]
    fn it_opens_unchanged_in_its_own_context_only() {
        let sealer = sealer(&[OLD]);
        let context = Context::new("state").with("up").with("ann");
        let text = sealer.seal(&context, HOUR, b"inner").unwrap();
        assert_eq!(sealer.open(&context, &text).unwrap(), b"inner");
        for other in [
            Context::new("state").with("up").with("bob"),
            Context::new("state").with("upann"),
            Context::new("task").with("up").with("ann"),
            Context::new("state").with("ann").with("up"),
        ] {
            assert_eq!(sealer.open(&other, &text), Err(Unopened::Foreign));
        }
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(sealer.open(&context, &URL_SAFE_NO_PAD.encode(changed)).is_err(), "byte {at}");
            assert!(sealer.open(&context, &URL_SAFE_NO_PAD.encode(&bytes[..at])).is_err(), "cut at {at}");
        }
        for made_up in ["", "!", "kept", &"A".repeat(100), &"A".repeat(MAX + 1)] {
            assert!(sealer.open(&context, made_up).is_err());
        }
    }

    #[test]
    fn nothing_of_it_can_be_read_and_no_two_are_alike() {
        let sealer = sealer(&[]);
        let context = Context::new("state");
        let [one, two] = [(); 2].map(|()| sealer.seal(&context, HOUR, b"a secret of the upstream").unwrap());
        assert_ne!(one, two);
        let bytes = URL_SAFE_NO_PAD.decode(one).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"));
    }

    #[test]
    fn keys_are_changed_by_putting_a_new_one_in_front() {
        let context = Context::new("state");
        let (before, during, after) = (sealer(&[OLD]), sealer(&[NEW, OLD]), sealer(&[NEW]));
        let (old, new) = (before.seal(&context, HOUR, b"x").unwrap(), during.seal(&context, HOUR, b"x").unwrap());
        assert!(during.open(&context, &old).is_ok());
        assert!(after.open(&context, &new).is_ok(), "the first key seals");
        assert_eq!(after.open(&context, &old), Err(Unopened::UnknownKey));
        assert_eq!(sealer(&[]).open(&context, &old), Err(Unopened::UnknownKey));
        assert_eq!(Sealer::new(["too short"]).err(), Some(NoSealer::ShortKey));
        assert!(during.is_lasting() && !sealer(&[]).is_lasting());
    }

    #[test]
    fn it_holds_for_its_time() {
        let sealer = sealer(&[OLD]);
        let context = Context::new("state");
        let text = sealer.seal_until(&context, now() - 1, b"x").unwrap();
        assert_eq!(sealer.open(&context, &text), Err(Unopened::Expired));
    }
}
