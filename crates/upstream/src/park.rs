//! Calls put aside until the client has answered the upstream's questions.
//!
//! The client gets an unguessable handle and gives it back with its answers. A handle opens one call, once, and only for a
//! request that equals the one it came from. This is the whole interface, so that handles may later be sealed and name the
//! replica that holds the call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_protocol::{Json, Method, Object};

/// What a request asks for: its method, the name of the entry and the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject([u8; 32]);

/// The calls put aside at one upstream.
#[derive(Debug)]
pub(crate) struct Park<T> {
    lot: Mutex<HashMap<String, Place<T>>>,
    most: usize,
    longest: Duration,
    tasks: TaskTracker,
    stopped: CancellationToken,
}

#[derive(Debug)]
struct Place<T> {
    parked: T,
    subject: Subject,
    /// Ends the wait for its expiry.
    taken: CancellationToken,
}

/// What may be put aside.
pub(crate) trait Parked: Send + 'static {
    /// Nobody came back for it in time.
    fn expire(self);
}

// === impl Subject ===

impl Subject {
    /// Members of `params` that differ between a request and its retry do not count; nor does the order of members.
    pub(crate) fn of(method: &Method, params: &Object) -> Self {
        let mut hash = Sha256::new();
        hash.update(method.as_str());
        for member in ["name", "uri", "arguments"] {
            hash.update([0]);
            if let Some(value) = params.get(member) {
                hash.update(canonical(value));
            }
        }
        Self(hash.finalize().into())
    }
}

/// The value with its members sorted, so that a client that holds them in a map is recognised.
fn canonical(value: &Json) -> Vec<u8> {
    fn write(value: &Json, out: &mut Vec<u8>) {
        if let Ok(object) = value.object() {
            let mut members: Vec<_> = object.members().collect();
            members.sort_by(|a, b| a.name().cmp(b.name()));
            out.push(b'{');
            for member in members {
                out.extend_from_slice(Json::string(member.name()).text());
                out.push(b':');
                write(&member.value, out);
                out.push(b',');
            }
            out.push(b'}');
        } else if let Ok(elements) = value.array() {
            out.push(b'[');
            for element in elements {
                write(&element, out);
                out.push(b',');
            }
            out.push(b']');
        } else if let Some(text) = value.as_string() {
            out.extend_from_slice(Json::string(&text).text());
        } else {
            out.extend_from_slice(value.text());
        }
    }
    let mut out = Vec::with_capacity(value.text().len());
    write(value, &mut out);
    out
}

// === impl Park ===

impl<T: Parked> Park<T> {
    /// Room for `most` calls, each for `longest`.
    pub(crate) fn new(most: usize, longest: Duration, tasks: TaskTracker, stopped: CancellationToken) -> Arc<Self> {
        Arc::new(Self { lot: Mutex::default(), most, longest, tasks, stopped })
    }

    /// Puts a call aside and returns its handle; gives the call back when there is no room.
    pub(crate) fn put(self: &Arc<Self>, parked: T, subject: Subject) -> Result<String, T> {
        let mut random = [0_u8; 16];
        if getrandom::fill(&mut random).is_err() {
            return Err(parked);
        }
        let handle = format!("{:032x}", u128::from_be_bytes(random));
        let taken = CancellationToken::new();
        {
            let mut lot = self.lot();
            if lot.len() >= self.most || self.stopped.is_cancelled() {
                return Err(parked);
            }
            lot.insert(handle.clone(), Place { parked, subject, taken: taken.clone() });
        }
        let (park, expiring) = (self.clone(), handle.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = taken.cancelled() => return,
                () = park.stopped.cancelled() => {}
                () = tokio::time::sleep(park.longest) => {}
            }
            let place = park.lot().remove(&expiring);
            if let Some(place) = place {
                place.parked.expire();
            }
        });
        Ok(handle)
    }

    /// Takes back the call that `handle` stands for, if it stands for one with this subject.
    pub(crate) fn take(&self, handle: &str, subject: Subject) -> Option<T> {
        let mut lot = self.lot();
        if lot.get(handle)?.subject != subject {
            return None;
        }
        let place = lot.remove(handle)?;
        place.taken.cancel();
        Some(place.parked)
    }

    fn lot(&self) -> MutexGuard<'_, HashMap<String, Place<T>>> {
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    struct Car(Option<oneshot::Sender<()>>);

    impl Parked for Car {
        fn expire(mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }

    fn park(most: usize, longest: Duration) -> Arc<Park<Car>> {
        Park::new(most, longest, TaskTracker::new(), CancellationToken::new())
    }

    fn subject(params: &'static str) -> Subject {
        Subject::of(&Method::ToolsCall, &Json::literal(params).object().unwrap())
    }

    #[tokio::test]
    async fn a_handle_opens_one_call_once_and_for_the_same_request() {
        let park = park(1, Duration::from_secs(600));
        let handle = park.put(Car(None), subject(r#"{"name":"a","arguments":{"x":1,"y":[2]}}"#)).ok().unwrap();
        assert_eq!(handle.len(), 32);
        assert!(park.put(Car(None), subject(r#"{"name":"b"}"#)).is_err(), "there is no room");
        assert!(park.take(&handle, subject(r#"{"name":"a","arguments":{"x":2,"y":[2]}}"#)).is_none());
        assert!(park.take("0", subject(r#"{"name":"a"}"#)).is_none());
        let retry = r#"{"name":"a","arguments":{"y": [2], "x":1},"inputResponses":{},"_meta":{}}"#;
        assert!(park.take(&handle, subject(retry)).is_some());
        assert!(park.take(&handle, subject(retry)).is_none());
        assert!(park.put(Car(None), subject(r#"{"name":"b"}"#)).is_ok(), "there is room again");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_back_loses_the_place() {
        let park = park(1, Duration::from_secs(600));
        let (expired, told) = oneshot::channel();
        let handle = park.put(Car(Some(expired)), subject("{}")).ok().unwrap();
        told.await.unwrap();
        assert!(park.take(&handle, subject("{}")).is_none());
    }
}
