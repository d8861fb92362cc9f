//! What a client carries from one round of a call to the next, sealed: the answers so far.
//!
//! In the modern era nothing is kept here between rounds; `requestState` goes out and comes back. It is the client's to hold
//! but not to change (2026-07-28 multi round-trip requests: integrity, and bound to the request and to a time). The key is
//! this process's own, so a state does not outlive it.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use toolgate_protocol::{Json, RpcError, code};

use crate::call::Answers;

/// How long a person may think, in seconds.
const LIFETIME: u64 = 60 * 60;
/// The length of the authentication code at the beginning of a state.
const MAC_LEN: usize = 32;

/// Seals and opens.
pub(crate) struct Seal {
    mac: Hmac<Sha256>,
}

#[derive(Serialize, Deserialize)]
struct State {
    /// Seconds since 1970.
    until: u64,
    answers: serde_json::Map<String, serde_json::Value>,
}

// === impl Seal ===

impl Seal {
    /// A seal with a fresh random key.
    pub(crate) fn new() -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(Self { mac: Hmac::new_from_slice(&key).map_err(io::Error::other)? })
    }

    /// The state to send out with a question of the request that `subject` names.
    pub(crate) fn close(&self, subject: &str, answers: &Answers) -> String {
        self.close_until(subject, answers, now() + LIFETIME)
    }

    fn close_until(&self, subject: &str, answers: &Answers, until: u64) -> String {
        let answers = answers.iter().filter_map(|(key, answer)| Some((key.clone(), answer.read().ok()?))).collect();
        let body = serde_json::to_vec(&State { until, answers }).expect("maps of strings are JSON");
        let mut sealed = self.over(subject, &body).finalize().into_bytes().to_vec();
        sealed.extend_from_slice(&body);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The answers in a state that came back with the request that `subject` names.
    pub(crate) fn open(&self, subject: &str, state: &str) -> Result<Answers, RpcError> {
        let refused = |why: &str| RpcError::new(code::INVALID_PARAMS, format!("invalid `requestState`: {why}"));
        let sealed = URL_SAFE_NO_PAD.decode(state).map_err(|_| refused("it is not one of ours"))?;
        let (mac, body) = sealed.split_at_checked(MAC_LEN).ok_or_else(|| refused("it is not one of ours"))?;
        self.over(subject, body)
            .verify_slice(mac)
            .map_err(|_| refused("it was changed, or belongs to another request"))?;
        let state: State = serde_json::from_slice(body).map_err(|_| refused("it is not one of ours"))?;
        if state.until < now() {
            return Err(refused("it has expired; make the request again without it"));
        }
        state
            .answers
            .into_iter()
            .map(|(key, answer)| Ok((key, Json::of(&answer).map_err(|error| refused(&error.to_string()))?)))
            .collect()
    }

    fn over(&self, subject: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(&(subject.len() as u64).to_be_bytes());
        mac.update(subject.as_bytes());
        mac.update(body);
        mac
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_only_unchanged_for_its_request_in_its_time() {
        let seal = Seal::new().unwrap();
        let answers = Answers::from([("name".into(), Json::literal(r#"{"action":"accept"}"#))]);
        let state = seal.close("tools/call a", &answers);
        assert_eq!(seal.open("tools/call a", &state), Ok(answers.clone()));

        let expired = seal.close_until("tools/call a", &answers, now() - 1);
        let mut changed = URL_SAFE_NO_PAD.decode(&state).unwrap();
        *changed.last_mut().unwrap() ^= 1;
        for (subject, state) in [
            ("tools/call b", state.as_str()),
            ("tools/call a", &URL_SAFE_NO_PAD.encode(changed)),
            ("tools/call a", &expired),
            ("tools/call a", ""),
            ("tools/call a", "!"),
            ("tools/call a", &Seal::new().unwrap().close("tools/call a", &answers)),
        ] {
            assert_eq!(seal.open(subject, state).unwrap_err().code, code::INVALID_PARAMS, "{subject} {state}");
        }
    }
}
