//! Waiting until a person has visited the pages that a legacy server wants to be visited before it runs a call.
//!
//! A server may say when that was done (`notifications/elicitation/complete`, 2025-11-25), and need not. So the call is made
//! anew when it says so, and now and then anyway. One request waits only so long as clients wait for an answer; beyond it the
//! client is told to come back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use toolgate_protocol::{Json, Method, Notification, Object, Outcome, RpcError, code};

use super::url::Pages;
use super::{Legacy, LegacyCall, Started};
use crate::course::{Course, Step};
use crate::upstream::Call;

/// Pages that one connection remembers to have been named.
const MOST_EXPECTED: usize = 1024;
/// The longest id of one that is remembered, in bytes.
const LONGEST_ID: usize = 1024;
/// The longest that one request waits. Clients give up after 60 seconds, many of them (TypeScript SDK), and the call is still
/// to be made then.
const LONGEST_LEG: Duration = Duration::from_secs(30);
/// So many requests wait as long as a person may take: clients come back ten times at most (TypeScript and Python SDK).
const LEGS: u32 = 10;

/// The pages that clients of one connection were sent to, and which of them the server says were visited.
#[derive(Debug, Default)]
pub(super) struct Visits {
    pages: Mutex<VecDeque<(Json, bool)>>,
    /// Counts the visited ones.
    visited: watch::Sender<u64>,
}

/// A call whose person visits pages.
pub(super) struct Visiting {
    link: Arc<Legacy>,
    call: Call,
    within: Duration,
    pages: Pages,
    visited: watch::Receiver<u64>,
    leg_ends: Instant,
    /// The call, while it is made anew.
    running: Option<Box<LegacyCall>>,
}

// === impl Visits ===

impl Visits {
    /// The page of this id is about to be visited.
    pub(super) fn expect(&self, id: &Json) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if id.text().len() > LONGEST_ID || pages.iter().any(|(known, _)| known == id) {
            return;
        }
        if pages.len() >= MOST_EXPECTED {
            pages.pop_front();
        }
        pages.push_back((id.clone(), false));
    }

    /// The server says that it was.
    pub(super) fn complete(&self, id: &Json) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, visited)) = pages.iter_mut().find(|(known, _)| known == id) {
            *visited = true;
            self.visited.send_modify(|count| *count += 1);
        }
    }

    /// Whether it did.
    pub(super) fn has(&self, id: &Json) -> bool {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.iter().any(|(known, visited)| *visited && known == id)
    }
}

// === impl Visiting ===

impl Visiting {
    pub(super) fn new(link: &Arc<Legacy>, call: Call, pages: Pages, within: Duration) -> Self {
        let leg = (link.limits.parked_for / LEGS).min(LONGEST_LEG);
        Self {
            visited: link.visits.visited.subscribe(),
            leg_ends: Instant::now() + leg,
            link: link.clone(),
            call,
            within,
            pages,
            running: None,
        }
    }

    /// Waits for something to do; `None` when the call is to be made anew.
    async fn wait(&mut self) -> Option<Step> {
        loop {
            self.visited.mark_unchanged();
            if let Some(id) = self.pages.visited(&self.link.visits) {
                let params = Object::new().with("elicitationId", id);
                return Some(Step::Notification(Notification::new(Method::ElicitationComplete, params)));
            }
            tokio::select! {
                biased;
                () = sleep(self.pages.pause()) => return None,
                // On the next connection the waiting goes on.
                () = self.link.lost().cancelled() => return Some(self.come_back()),
                () = sleep_until(self.leg_ends) => return Some(self.come_back()),
                // The sender lives as long as the link.
                _ = self.visited.changed() => {}
            }
        }
    }

    fn come_back(&self) -> Step {
        Step::Done(Ok(self.pages.come_back()))
    }

    /// Makes the call anew. Gives how it ended, if it did at once.
    async fn begin(&mut self) -> Option<Step> {
        self.pages.try_again();
        match self.link.start(self.call.clone(), self.pages.clone(), self.within).await {
            Ok(Started::Running(call)) => {
                self.running = Some(call);
                None
            }
            Ok(Started::Over(outcome, pages)) => self.judge(outcome, pages),
            Err(failure) if failure.did_not_run() => Some(self.come_back()),
            Err(failure) => Some(Step::Lost(failure)),
        }
    }

    /// The end, unless the server wants what it wanted before.
    fn judge(&mut self, outcome: Outcome, pages: Pages) -> Option<Step> {
        if !pages.is_waiting() {
            return Some(Step::Done(outcome));
        }
        self.pages = pages;
        self.pages.given_up(&self.call.method).map(Step::Done)
    }
}

impl Course for Visiting {
    async fn step(&mut self) -> Step {
        loop {
            let next = match &mut self.running {
                Some(running) => match running.step().await {
                    Step::Done(outcome) => {
                        let pages = running.pages().clone();
                        self.running = None;
                        self.judge(outcome, pages)
                    }
                    other => Some(other),
                },
                None => match self.wait().await {
                    Some(step) => Some(step),
                    None => self.begin().await,
                },
            };
            if let Some(step) = next {
                return step;
            }
        }
    }

    fn park(self) -> Outcome {
        match self.running {
            Some(running) => running.park(),
            // Only a call that runs asks.
            None => Err(RpcError::new(code::INTERNAL_ERROR, "a call that does not run has asked")),
        }
    }
}
