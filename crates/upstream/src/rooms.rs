//! How many calls may be put aside at once: by one caller, and by all, over all upstreams.
//!
//! Each holds memory and, at its upstream, something unfinished. Nobody may keep so many that others get no room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many calls may wait for their clients' answers.
#[derive(Clone, Copy, Debug)]
pub struct Parking {
    /// Of all callers.
    pub total: usize,
    /// Of one.
    pub per_caller: usize,
}

/// The rooms.
#[derive(Debug)]
pub(crate) struct Rooms {
    most: Parking,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    /// Callers without any are not in it.
    by_caller: HashMap<Arc<str>, usize>,
}

/// One of them, until dropped.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Arc<Rooms>,
    caller: Arc<str>,
}

/// There is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("too many calls wait for their clients' answers (`limits.parked`)")]
    Total,
    #[error("too many of your calls wait for answers (`limits.parked_per_caller`)")]
    Caller,
}

// === impl Rooms ===

impl Rooms {
    pub(crate) fn new(most: Parking) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// A room for one more call of `caller`.
    pub(crate) fn take(self: &Arc<Self>, caller: &Arc<str>) -> Result<Room, Full> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.most.total {
            return Err(Full::Total);
        }
        if taken.by_caller.get(caller).copied().unwrap_or(0) >= self.most.per_caller {
            return Err(Full::Caller);
        }
        taken.total += 1;
        *taken.by_caller.entry(caller.clone()).or_default() += 1;
        Ok(Room { rooms: self.clone(), caller: caller.clone() })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = self.rooms.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if let Some(count) = taken.by_caller.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

// === impl Parking ===

impl Default for Parking {
    fn default() -> Self {
        Self { total: 1000, per_caller: 250 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_rooms_of_all() {
        let rooms = Rooms::new(Parking { total: 3, per_caller: 2 });
        let (ann, bob): (Arc<str>, Arc<str>) = ("ann".into(), "bob".into());
        let first = rooms.take(&ann).unwrap();
        let _second = rooms.take(&ann).unwrap();
        assert_eq!(rooms.take(&ann).unwrap_err(), Full::Caller);
        let _third = rooms.take(&bob).unwrap();
        assert_eq!(rooms.take(&bob).unwrap_err(), Full::Total);
        drop(first);
        let again = rooms.take(&bob);
        assert!(again.is_ok());
        drop(again);
        assert!(rooms.take(&ann).is_ok());
        assert_eq!(rooms.taken.lock().unwrap().by_caller.len(), 2, "who has none is forgotten");
    }
}
