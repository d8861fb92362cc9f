//! Keeps one upstream connected: the task that meets it, notices that it is gone, waits, and meets it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use toolgate_protocol::Era;

use crate::backoff::{DOWN_AFTER, HEALTHY_AFTER};
use crate::change::Change;
use crate::connect::Link;
use crate::era::Peer;
use crate::error::Failure;
use crate::greeted::Greeted;
use crate::listen::Listener;
use crate::shared::{Live, Shared, hold_back};
use crate::upstream::State;

/// How long a listen may take to stand before the upstream counts as ready without it.
const STANDING: Duration = Duration::from_secs(1);

/// Between two looks whether an upstream is used.
const SHORTEST_LOOK: Duration = Duration::from_millis(10);
const LONGEST_LOOK: Duration = Duration::from_secs(15);

/// When the first connection is made.
#[derive(Debug)]
pub(crate) enum Begin {
    Now,
    WithTheFirstCall,
    /// It was, but for the end of the handshake.
    With(Greeted),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Lost,
    Unused,
    Anew,
}

/// Runs until the upstream is stopped.
pub(crate) async fn run(shared: Arc<Shared>, remembered: Option<Era>, begin: Begin) {
    let stopped = shared.around.stopped.clone();
    let mut expected = remembered;
    let mut generation = 0;
    // Attempts in a row that failed, or connections that ended before they were of any use.
    let mut failures = 0;
    // Why it was last said to be out of reach.
    let mut said: Option<String> = None;
    let (mut asleep, mut greeted) = match begin {
        Begin::Now => (false, None),
        Begin::WithTheFirstCall => (true, None),
        Begin::With(greeted) => (false, Some(greeted)),
    };
    while !stopped.is_cancelled() {
        if std::mem::take(&mut asleep) && sleep(&shared).await.is_none() {
            break;
        }
        shared.state.send_replace(State::Starting);
        let started = Instant::now();
        let error = match stopped.run_until_cancelled(connect(&shared, greeted.take(), expected, failures)).await {
            None => break,
            Some(Ok((peer, link))) => {
                generation += 1;
                said = None;
                expected = Some(peer.era);
                let (live, end) = stand(&shared, Peer { generation, ..peer }, link).await;
                if stopped.is_cancelled() {
                    break;
                }
                if end == End::Unused {
                    tracing::info!("nobody called it for a while; it is ended until somebody does");
                    (failures, asleep) = (0, true);
                    continue;
                }
                if end == End::Anew {
                    tracing::info!("it is started anew, as asked");
                    failures = 0;
                    continue;
                }
                let good = live.proved.load(Ordering::Relaxed) || started.elapsed() >= HEALTHY_AFTER;
                failures = if good { 0 } else { failures + 1 };
                let why = live.link.why().unwrap_or_else(|| "it does not answer as it did".into());
                tracing::warn!(error = %why, "the connection was lost; connecting anew");
                why
            }
            Some(Err(failure)) => {
                failures += 1;
                let why = why_not_met(failure);
                // The same reason again is no news; `status` shows that it still holds.
                if said.as_ref() == Some(&why) {
                    tracing::debug!(error = %why, attempts = failures, "the upstream could not be connected");
                } else {
                    tracing::warn!(error = %why, "the upstream could not be connected; it is tried again");
                    said = Some(why.clone());
                }
                why
            }
        };
        let restart = shared.connector.config.restart;
        // An upstream that was in use may be wanted again right now, but not in a tight loop.
        hold_back(&shared, started, restart.on_demand(failures.max(1)));
        if failures == 0 && started.elapsed() >= restart.initial {
            continue;
        }
        if pause(&shared, error, failures).await.is_none() {
            break;
        }
    }
    shared.state.send_replace(State::Stopped);
}

/// Meets the upstream, or ends the handshake with one that was met.
async fn connect(
    shared: &Shared,
    greeted: Option<Greeted>,
    expected: Option<Era>,
    failures: u32,
) -> Result<(Peer, Link), Failure> {
    let within = shared.timeouts.connect;
    if let Some(greeted) = greeted {
        match timeout(within, shared.connector.settle(greeted)).await {
            Ok(Ok(met)) => return Ok(met),
            // It was good when it was met; that it is gone is no failure of this attempt.
            gone => tracing::debug!(?gone, "what was kept warm is there no more; it is met anew"),
        }
    }
    let (peer, link) =
        timeout(within, shared.connector.connect(expected, failures)).await.unwrap_or(Err(Failure::Timeout(within)))?;
    tracing::info!(era = %peer.era, revision = %peer.revision, "connected");
    Ok((peer, link))
}

/// The failure in words that fit a handshake instead of a call.
fn why_not_met(failure: Failure) -> String {
    match failure {
        Failure::Unavailable(why) => format!("it cannot be reached: {why}"),
        Failure::Closed(why) | Failure::NotTaken(why) | Failure::Refused(why) => why,
        Failure::Timeout(within) => format!("it did not finish the handshake within {} s", within.as_secs_f32()),
        other => format!("it {other}"),
    }
}

/// Waits until a call wants it. `None` when stopped.
async fn sleep(shared: &Shared) -> Option<()> {
    let wanted = shared.wanted.notified();
    tokio::pin!(wanted);
    // From here on no ring is missed, though nobody can see yet that one may be needed.
    wanted.as_mut().enable();
    shared.state.send_replace(State::Asleep);
    shared.around.stopped.run_until_cancelled(wanted).await
}

/// Waits until it is time, or until a call wants another attempt. `None` when stopped.
async fn pause(shared: &Shared, error: String, failures: u32) -> Option<()> {
    let wanted = shared.wanted.notified();
    tokio::pin!(wanted);
    // From here on no ring is missed, though nobody can see yet that one may be needed.
    wanted.as_mut().enable();
    let not_before = *shared.not_before.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let pause = shared.connector.config.restart.pause(failures);
    // One that was in use pauses only as long as it must.
    let retry_at = if failures == 0 { not_before } else { Instant::now() + pause };
    shared.state.send_replace(State::Failed { error, retry_at, attempts: failures });
    let on_demand = async {
        wanted.await;
        sleep_until(not_before).await;
    };
    tokio::select! {
        () = shared.around.stopped.cancelled() => None,
        () = sleep_until(retry_at) => Some(()),
        () = on_demand => Some(()),
    }
}

/// Lets a connection be used until it is lost, nobody uses it any more, or the upstream is stopped.
async fn stand(shared: &Arc<Shared>, peer: Peer, link: Link) -> (Arc<Live>, End) {
    let live = Arc::new(Live { peer: Arc::new(peer), link, proved: AtomicBool::new(false) });
    let keeping = CancellationToken::new();
    keep(shared, &live, &keeping).await;
    let anew = shared.anew.notified();
    tokio::pin!(anew);
    // From here on no ring is missed.
    anew.as_mut().enable();
    shared.live.send_replace(Some(live.clone()));
    shared.state.send_replace(State::Ready(live.peer.clone()));
    shared.teller.tell(Change::Connected);
    let mut end = End::Lost;
    tokio::select! {
        () = live.link.lost().cancelled() => {}
        () = shared.around.stopped.cancelled() => live.link.close().await,
        () = until_unused(shared) => {
            end = End::Unused;
            // A call that comes now waits for the next connection.
            shared.live.send_replace(None);
            live.link.close().await;
        }
        () = anew => {
            end = End::Anew;
            shared.live.send_replace(None);
            live.link.close().await;
        }
        () = until_hung(shared, &live) => {
            tracing::warn!("the upstream is alive but answers nothing; its connection is given up");
            live.link.close().await;
        }
    }
    shared.live.send_replace(None);
    keeping.cancel();
    shared.wishes.unsettle();
    (live, end)
}

/// Ends when nobody has called it for as long as the config says, and nobody waits for anything from it.
async fn until_unused(shared: &Shared) {
    let Some(idle) = shared.connector.config.idle else { return std::future::pending().await };
    let look = (idle / 4).clamp(SHORTEST_LOOK, LONGEST_LOOK);
    let mut since = Instant::now();
    loop {
        sleep_until(Instant::now() + look).await;
        let used = shared.last_used();
        if !shared.is_quiet() || !shared.wishes.wanted().is_empty() || shared.connector.surroundings.park.len() > 0 {
            since = Instant::now();
        } else if since.max(used).elapsed() >= idle {
            return;
        }
    }
}

/// Ends when the upstream answers nothing any more, however long one waits, and nothing is in flight that it could be busy
/// with. Until then calls fail at once, and once it answers again all is as before.
async fn until_hung(shared: &Shared, live: &Arc<Live>) {
    loop {
        shared.around.suspect.notified().await;
        let since = Instant::now();
        let mut failures = 0;
        while !live.link.answers(shared.timeouts.probe).await {
            failures += 1;
            if since.elapsed() >= shared.timeouts.connect && shared.is_quiet() {
                return;
            }
            if failures == 1 {
                tracing::warn!("the upstream is alive but answers nothing; calls to it fail until it does");
            }
            let retry_at = Instant::now() + shared.timeouts.probe;
            hold_back(shared, retry_at, shared.timeouts.connect);
            shared.live.send_replace(None);
            let error = "it is alive but answers nothing".to_owned();
            shared.state.send_replace(State::Failed { error, retry_at, attempts: DOWN_AFTER });
        }
        if failures > 0 {
            tracing::info!("the upstream answers again");
            shared.live.send_replace(Some(live.clone()));
            shared.state.send_replace(State::Ready(live.peer.clone()));
        }
    }
}

/// Keeps hearing of changes for as long as the connection stands. Returns once the upstream is being listened to, so that
/// whoever learns that it is ready misses nothing from then on.
async fn keep(shared: &Arc<Shared>, live: &Live, keeping: &CancellationToken) {
    let until = keeping.clone();
    match &live.link {
        Link::Modern(link) => {
            let listener = Listener {
                link: link.clone(),
                peer: live.peer.clone(),
                wishes: shared.wishes.clone(),
                teller: shared.teller.clone(),
                restart: shared.connector.config.restart,
            };
            let (ready, standing) = oneshot::channel();
            shared.around.tasks.spawn(async move { until.run_until_cancelled(listener.run(ready)).await });
            // Dropped when the listen stands or is not to be had.
            let _ = timeout(STANDING, standing).await;
        }
        Link::Legacy(link) => {
            let keeper = link.clone().keep_subscribed(shared.wishes.clone(), live.peer.generation > 1);
            shared.around.tasks.spawn(async move { until.run_until_cancelled(keeper).await });
        }
        // It tells nothing; the catalog asks now and then.
        Link::Api(_) => {}
    }
}
