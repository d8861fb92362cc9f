//! The last of what was noted, and whoever follows it: bounded, and nothing is missed between the two.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::broadcast;

/// Keeps the last of what was noted.
#[derive(Debug)]
pub struct Ring<T> {
    kept: Mutex<Kept<T>>,
    told: broadcast::Sender<Arc<Noted<T>>>,
    most: usize,
}

#[derive(Debug)]
struct Kept<T> {
    noted: VecDeque<Arc<Noted<T>>>,
    next: u64,
}

/// Something that was noted.
#[derive(Debug)]
pub struct Noted<T> {
    /// Counted from 1.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// What.
    pub what: T,
}

/// What a follower begins with, and what comes from then on.
#[derive(Debug)]
pub struct Followed<T> {
    /// What is kept of what it has not seen, in order.
    pub before: Vec<Arc<Noted<T>>>,
    /// Whether something that it has not seen is kept no more.
    pub missed: bool,
    /// What comes; a lag means that the follower is too slow.
    pub next: broadcast::Receiver<Arc<Noted<T>>>,
}

impl<T> Ring<T> {
    /// Keeps `most` at most.
    pub fn new(most: usize) -> Self {
        let kept = Kept { noted: VecDeque::new(), next: 1 };
        Self { kept: Mutex::new(kept), told: broadcast::Sender::new(most), most }
    }

    /// Notes something.
    pub fn note(&self, what: T) {
        let mut kept = self.kept();
        let noted = Arc::new(Noted { number: kept.next, at: SystemTime::now(), what });
        kept.next += 1;
        if kept.noted.len() >= self.most {
            kept.noted.pop_front();
        }
        kept.noted.push_back(noted.clone());
        // Nobody following is fine. Told while it is locked, so that all are told in the same order.
        let _ = self.told.send(noted);
    }

    /// What was noted after `number`, and what comes from now on.
    pub fn follow(&self, number: u64) -> Followed<T> {
        let kept = self.kept();
        let before: Vec<_> = kept.noted.iter().filter(|noted| noted.number > number).cloned().collect();
        let missed = match before.first() {
            Some(first) => first.number > number.saturating_add(1),
            None => number >= kept.next,
        };
        Followed { before, missed, next: self.told.subscribe() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_hears_everything_once_or_that_something_is_lost() {
        let ring = Ring::new(3);
        let mut from_the_start = ring.follow(0);
        assert!(from_the_start.before.is_empty() && !from_the_start.missed);
        (1..=3).for_each(|number| ring.note(number));
        assert_eq!(from_the_start.next.try_recv().map(|noted| noted.what), Ok(1));
        let later = ring.follow(1);
        assert_eq!(later.before.iter().map(|noted| noted.what).collect::<Vec<_>>(), [2, 3]);
        assert!(!later.missed);
        ring.note(4);
        ring.note(5);
        let late = ring.follow(1);
        assert_eq!(late.before.iter().map(|noted| noted.number).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(late.missed && !ring.follow(5).missed && ring.follow(9).missed);
    }
}
