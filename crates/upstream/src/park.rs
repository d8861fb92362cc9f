//! Calls put aside until the client has answered the upstream's questions.
//!
//! The client gets an unguessable handle and gives it back with its answers. A handle opens one call, once, and only for a
//! request that equals the one it came from. On its way to the client it is sealed, with the replica that holds the call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_protocol::{Json, Method, Object};

use crate::rooms::{Room, Rooms};

/// What a request asks for: its method, the name of the entry and the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// The calls put aside at one upstream.
#[derive(Debug)]
pub(crate) struct Park<T> {
    lot: Mutex<HashMap<String, Place<T>>>,
    rooms: Arc<Rooms>,
    longest: Duration,
    tasks: TaskTracker,
    stopped: CancellationToken,
}

#[derive(Debug)]
struct Place<T> {
    parked: T,
    _room: Room,
    digest: Digest,
    /// Ends the wait for its expiry.
    taken: CancellationToken,
}

/// What may be put aside.
pub(crate) trait Parked: Send + 'static {
    /// Nobody came back for it in time.
    fn expire(self);
}

// === impl Digest ===

impl Digest {
    /// Members of `params` that differ between a request and its retry do not count; nor does the order of members.
    pub fn of(method: &Method, params: &Object) -> Self {
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

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
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
    /// A place for calls as far as there are rooms, each for `longest`.
    pub(crate) fn new(
        rooms: Arc<Rooms>,
        longest: Duration,
        tasks: TaskTracker,
        stopped: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self { lot: Mutex::default(), rooms, longest, tasks, stopped })
    }

    /// Puts a call of `caller` aside and returns its handle; gives the call back with the reason when there is no room.
    pub(crate) fn put(self: &Arc<Self>, parked: T, digest: Digest, caller: &Arc<str>) -> Result<String, (T, String)> {
        let mut random = [0_u8; 16];
        if getrandom::fill(&mut random).is_err() {
            return Err((parked, "the operating system gives no random numbers".into()));
        }
        let handle = format!("{:032x}", u128::from_be_bytes(random));
        let taken = CancellationToken::new();
        let room = match self.rooms.take(caller) {
            Ok(room) => room,
            Err(full) => return Err((parked, full.to_string())),
        };
        {
            let mut lot = self.lot();
            if self.stopped.is_cancelled() {
                return Err((parked, "the upstream was stopped".into()));
            }
            lot.insert(handle.clone(), Place { parked, _room: room, digest, taken: taken.clone() });
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
    pub(crate) fn take(&self, handle: &str, digest: Digest) -> Option<T> {
        let mut lot = self.lot();
        if lot.get(handle)?.digest != digest {
            return None;
        }
        let place = lot.remove(handle)?;
        place.taken.cancel();
        Some(place.parked)
    }

    /// Ends the call that `handle` stands for: nobody will come back for it.
    pub(crate) fn abandon(&self, handle: &str) {
        let place = self.lot().remove(handle);
        if let Some(place) = place {
            place.taken.cancel();
            place.parked.expire();
        }
    }

    /// Whether `handle` stands for a call now.
    pub(crate) fn holds(&self, handle: &str) -> bool {
        self.lot().contains_key(handle)
    }

    /// How many calls wait.
    pub(crate) fn len(&self) -> usize {
        self.lot().len()
    }

    fn lot(&self) -> MutexGuard<'_, HashMap<String, Place<T>>> {
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::rooms::Parking;

    struct Car(Option<oneshot::Sender<()>>);

    impl Parked for Car {
        fn expire(mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }

    fn park(most: usize, longest: Duration) -> Arc<Park<Car>> {
        let rooms = Rooms::new(Parking { total: most, per_caller: most });
        Park::new(rooms, longest, TaskTracker::new(), CancellationToken::new())
    }

    fn put(park: &Arc<Park<Car>>, car: Car, params: &'static str) -> Option<String> {
        park.put(car, subject(params), &"ann".into()).ok()
    }

    fn subject(params: &'static str) -> Digest {
        Digest::of(&Method::ToolsCall, &Json::literal(params).object().unwrap())
    }

    #[tokio::test]
    async fn a_handle_opens_one_call_once_and_for_the_same_request() {
        let park = park(1, Duration::from_secs(600));
        let handle = put(&park, Car(None), r#"{"name":"a","arguments":{"x":1,"y":[2]}}"#).unwrap();
        assert_eq!(handle.len(), 32);
        assert!(put(&park, Car(None), r#"{"name":"b"}"#).is_none(), "there is no room");
        assert!(park.take(&handle, subject(r#"{"name":"a","arguments":{"x":2,"y":[2]}}"#)).is_none());
        assert!(park.take("0", subject(r#"{"name":"a"}"#)).is_none());
        let retry = r#"{"name":"a","arguments":{"y": [2], "x":1},"inputResponses":{},"_meta":{}}"#;
        assert!(park.take(&handle, subject(retry)).is_some());
        assert!(park.take(&handle, subject(retry)).is_none());
        assert!(put(&park, Car(None), r#"{"name":"b"}"#).is_some(), "there is room again");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_back_loses_the_place() {
        let park = park(1, Duration::from_secs(600));
        let (expired, told) = oneshot::channel();
        let handle = put(&park, Car(Some(expired)), "{}").unwrap();
        told.await.unwrap();
        assert!(park.take(&handle, subject("{}")).is_none());
    }
}
