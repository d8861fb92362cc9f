//! Streams that a client can come back to: their events have ids, and `GET` with `Last-Event-ID` goes on after the last one
//! that arrived.
//!
//! While nobody reads a stream, what is said on it is collected, so that neither the call waits for its client nor the client
//! misses the answer. What is kept is bounded, per stream, per session and in all; beyond it the oldest events are forgotten.
//!
//! Clients since 2025-11-25 are told a place to come back to before anything else is said, and whenever they come back. So a
//! connection that is cut loses nothing, however often that happens; and where `timeouts.stream` says so the gateway ends it
//! itself, in words, and the client polls (SEP-1699). What an upstream does with its own connection is not passed on: that is
//! its affair with the gateway, which comes back to it in the client's place.
//!
//! Source: 2025-03-26 to 2025-11-25 `basic/transports`, "Resumability and Redelivery".

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant as Moment, sleep_until};
use toolgate_protocol::sse;

use super::session::Out;
use crate::body;

/// A stream that nobody reads is kept for so long.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// How long a client waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);
/// So long a call waits for a client that left rather than forget what it did not hear.
const PATIENCE: Duration = Duration::from_secs(10);
/// A client that can be told a place to come back to is told it after so long, rather than have nothing to come back to.
const OPENED_AFTER: Duration = Duration::from_secs(1);
/// Events that are kept of one stream, and their bytes; the newest is kept whatever its size.
const MOST_EVENTS: usize = 64;
const MOST_BYTES: usize = 256 << 10;
/// Streams that are kept of one session.
const MOST_STREAMS: usize = 32;
/// Bytes that are kept of all sessions together.
const MOST_IN_ALL: usize = 64 << 20;

/// What streams may take, over all sessions.
#[derive(Clone)]
pub(crate) struct Room {
    /// The bytes that may still be kept.
    left: Arc<AtomicUsize>,
    /// How long one connection may read a stream, if there is a limit.
    life: Option<Duration>,
}

/// What the client of a stream knows of coming back.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// An event has an id. Before the first one there is no place to come back to, and a stream that ends is over (before
    /// 2025-11-25).
    Plain,
    /// An event without data says where the stream is; one that ends may go on (2025-11-25).
    Primed,
}

/// The streams of one session.
pub(crate) struct Kept {
    streams: Mutex<VecDeque<Arc<Flow>>>,
    /// The stream for what belongs to no request.
    unasked: Mutex<Option<Arc<Flow>>>,
    next: AtomicU64,
    manner: Manner,
    room: Room,
}

/// What a client that comes back finds.
pub(crate) enum Found<S> {
    /// The rest of the stream.
    Rest(S),
    /// That it has heard everything.
    End,
    /// Nothing: the stream is not kept any more.
    Nothing,
}

/// One stream, whether or not somebody reads it.
struct Flow {
    number: u64,
    /// Wakes a reader when another one takes over.
    taken_over: Notify,
    /// Held for moments only: a reader whose client is slow must not be in the way of the next one.
    said: Mutex<Said>,
}

/// What was said on a stream, as far as it is kept, and where more comes from.
struct Said {
    /// Who reads it now: each reader has a number, and leaves when it is no longer this one.
    reader: u64,
    /// Since when no client does.
    unread_since: Option<Instant>,
    inlet: Option<mpsc::Receiver<Out>>,
    /// Whether a client can come back to it.
    is_kept: bool,
    next: u64,
    events: VecDeque<Event>,
    bytes: usize,
    room: Room,
}

struct Event {
    seq: u64,
    text: Bytes,
    /// Whether it was given to a client, which need not mean that it arrived.
    given: bool,
}

/// Somebody who reads a stream.
struct Reader {
    flow: Arc<Flow>,
    number: u64,
    /// What is no event, and comes first.
    greeting: Option<Bytes>,
    /// What is said again then.
    again: VecDeque<Bytes>,
    /// When it is asked to come back later.
    until: Option<Moment>,
    has_left: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it is held")
}

// === impl Room ===

impl Room {
    /// All of it. With `life`, clients that can come back are asked to after so long.
    pub(crate) fn new(life: Option<Duration>) -> Self {
        Self { left: Arc::new(AtomicUsize::new(MOST_IN_ALL)), life }
    }

    /// No room: on a pipe there is nothing to come back to.
    pub(crate) fn none() -> Self {
        Self { left: Arc::default(), life: None }
    }

    fn take(&self, bytes: usize) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }

    fn is_scarce(&self) -> bool {
        self.left.load(Ordering::Relaxed) < MOST_BYTES
    }
}

// === impl Kept ===

impl Kept {
    pub(crate) fn new(manner: Manner, room: Room) -> Self {
        Self { streams: Mutex::default(), unasked: Mutex::default(), next: AtomicU64::new(1), manner, room }
    }

    /// How long an answer is waited for before a stream is opened for it.
    pub(crate) fn patience(&self) -> Duration {
        match self.manner {
            Manner::Plain => body::QUIET,
            Manner::Primed => self.room.life.map_or(OPENED_AFTER, |life| life.min(OPENED_AFTER)),
        }
    }

    /// Opens the stream of a request that has begun to be answered with `first`.
    pub(crate) fn open(
        &self,
        first: Option<Bytes>,
        inlet: mpsc::Receiver<Out>,
    ) -> impl stream::Stream<Item = Bytes> + Send + use<> {
        self.open_with(inlet, first.into_iter().collect())
    }

    /// Opens the stream for what belongs to no request. What its predecessor was told in vain comes first.
    pub(crate) fn open_unasked(
        &self,
        inlet: mpsc::Receiver<Out>,
        missed: Vec<Bytes>,
    ) -> impl stream::Stream<Item = Bytes> + Send + use<> {
        let reader = self.open_with(inlet, missed);
        *lock(&self.unasked) = lock(&self.streams).back().cloned();
        reader
    }

    fn open_with(
        &self,
        inlet: mpsc::Receiver<Out>,
        first: Vec<Bytes>,
    ) -> impl stream::Stream<Item = Bytes> + Send + use<> {
        let mut said = Said::new(inlet, self.room.clone());
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let again = first.into_iter().map(|text| said.say(number, text, true)).collect();
        let flow = Flow::new(number, said);
        self.keep(flow.clone());
        self.read(flow, 0, 0, again)
    }

    /// A new reader of a stream, whose client has heard all up to the event `heard`.
    fn read(
        &self,
        flow: Arc<Flow>,
        number: u64,
        heard: u64,
        again: VecDeque<Bytes>,
    ) -> impl stream::Stream<Item = Bytes> + Send + use<> {
        // Something first, so that the client sees the stream open before there is anything to say.
        let (greeting, life) = match self.manner {
            Manner::Plain => (again.is_empty().then(body::keep_alive), None),
            Manner::Primed => (Some(place(flow.number, heard)), self.room.life),
        };
        let until = life.map(|life| Moment::now() + life);
        read(Reader { flow, number, greeting, again, until, has_left: false }, life)
    }

    /// Ends the stream for what belongs to no request, and gives what it was told while nobody read it.
    pub(crate) fn close_unasked(&self) -> Vec<Bytes> {
        let Some(flow) = lock(&self.unasked).take() else { return Vec::new() };
        let mut said = flow.take_over();
        let mut missed: Vec<Bytes> =
            said.events.iter().filter(|event| !event.given).map(|event| event.text.clone()).collect();
        if let Some(mut inlet) = said.inlet.take() {
            inlet.close();
            while let Ok(Out::Response(text) | Out::Message(text)) = inlet.try_recv() {
                missed.push(text);
            }
        }
        missed
    }

    /// Goes on with the stream of an event, after it.
    pub(crate) fn resume(&self, last: &str) -> Found<impl stream::Stream<Item = Bytes> + Send + use<>> {
        let Some((stream, seq)) = read_id(last) else { return Found::Nothing };
        let flow = lock(&self.streams).iter().find(|flow| flow.number == stream).cloned();
        let Some(flow) = flow else { return Found::Nothing };
        let (number, again) = {
            let mut said = flow.take_over();
            said.unread_since = None;
            let missed = said.events.iter_mut().filter(|event| event.seq > seq).map(|event| {
                event.given = true;
                sse::encode_as(None, Some(&id(stream, event.seq)), &event.text)
            });
            let again: VecDeque<Bytes> = missed.collect();
            if again.is_empty() && said.is_over() {
                return Found::End;
            }
            (said.reader, again)
        };
        Found::Rest(self.read(flow, number, seq, again))
    }

    /// Forgets streams to which nobody came back.
    pub(crate) fn sweep(&self) {
        let is_old = |flow: &Arc<Flow>| lock(&flow.said).unread_since.is_some_and(|since| since.elapsed() > KEPT_FOR);
        lock(&self.streams).retain(|flow| !is_old(flow));
    }

    fn keep(&self, flow: Arc<Flow>) {
        let mut streams = lock(&self.streams);
        if streams.len() >= MOST_STREAMS {
            let least = (0..streams.len()).min_by_key(|&at| lock(&streams[at].said).worth());
            if let Some(forgotten) = least.and_then(|at| streams.remove(at)) {
                lock(&forgotten.said).is_kept = false;
            }
        }
        streams.push_back(flow);
    }
}

/// An event that only says where the stream is, and when to come back to it.
fn place(stream: u64, seq: u64) -> Bytes {
    format!("id: {}\nretry: {}\ndata: \n\n", id(stream, seq), RETRY.as_millis()).into()
}

fn id(stream: u64, seq: u64) -> String {
    format!("{stream}-{seq}")
}

fn read_id(id: &str) -> Option<(u64, u64)> {
    let (stream, seq) = id.split_once('-')?;
    Some((stream.parse().ok()?, seq.parse().ok()?))
}

/// A stream as the body of an answer.
fn read(reader: Reader, life: Option<Duration>) -> impl stream::Stream<Item = Bytes> + Send + use<> {
    stream::unfold(reader, move |mut reader| async move {
        let first = reader.greeting.take().or_else(|| reader.again.pop_front());
        if first.is_some() || reader.has_left {
            return Some((first?, reader));
        }
        loop {
            let Some((until, life)) = reader.until.zip(life) else {
                let event = reader.flow.next(reader.number, true).await?;
                return Some((event, reader));
            };
            tokio::select! {
                event = reader.flow.next(reader.number, true) => return Some((event?, reader)),
                () = sleep_until(until) => {
                    if let Some(place) = reader.flow.place(reader.number) {
                        reader.has_left = true;
                        return Some((place, reader));
                    }
                    reader.until = Some(until + life);
                }
            }
        }
    })
}

// === impl Flow ===

impl Flow {
    fn new(number: u64, said: Said) -> Arc<Self> {
        Arc::new(Self { number, taken_over: Notify::new(), said: Mutex::new(said) })
    }

    /// Makes whoever reads it leave; the next reader's number is in what it gives.
    fn take_over(&self) -> MutexGuard<'_, Said> {
        let mut said = lock(&self.said);
        said.reader += 1;
        self.taken_over.notify_waiters();
        said
    }

    /// The next event; `None` at the stream's end, or when somebody else reads it now.
    async fn next(&self, reader: u64, given: bool) -> Option<Bytes> {
        let mut taken_over = std::pin::pin!(self.taken_over.notified());
        taken_over.as_mut().enable();
        tokio::select! {
            biased;
            heard = tokio::time::timeout(body::QUIET, poll_fn(|context| self.poll_next(reader, given, context))) => {
                heard.unwrap_or_else(|_| Some(body::keep_alive()))
            }
            () = taken_over => None,
        }
    }

    /// Where to come back to after all that was said, if this reader can.
    fn place(&self, reader: u64) -> Option<Bytes> {
        let said = lock(&self.said);
        let can_come_back = said.reader == reader && said.is_kept && !said.room.is_scarce();
        can_come_back.then(|| place(self.number, said.next - 1))
    }

    fn poll_next(&self, reader: u64, given: bool, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut said = lock(&self.said);
        if said.reader != reader {
            return Poll::Ready(None);
        }
        let Some(inlet) = &mut said.inlet else { return Poll::Ready(None) };
        match inlet.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Out::Response(text) | Out::Message(text))) => {
                Poll::Ready(Some(said.say(self.number, text, given)))
            }
            Poll::Ready(None) => {
                said.inlet = None;
                Poll::Ready(None)
            }
        }
    }

    /// Listens in the place of a client that left, until it comes back or is given up.
    async fn collect(self: Arc<Self>, reader: u64) {
        let left_at = Moment::now();
        let collected = async {
            loop {
                self.until_there_is_room(reader, left_at + PATIENCE).await;
                if self.next(reader, false).await.is_none() {
                    return;
                }
            }
        };
        if tokio::time::timeout(KEPT_FOR, collected).await.is_err() {
            // What the call still says is said in vain, as to any client that does not come back.
            lock(&self.said).inlet = None;
        }
    }

    /// Waits while the next event would cost one that the client has not heard, but no longer than `until`.
    async fn until_there_is_room(&self, reader: u64, until: Moment) {
        let mut taken_over = std::pin::pin!(self.taken_over.notified());
        taken_over.as_mut().enable();
        let is_full = {
            let said = lock(&self.said);
            said.reader == reader && said.is_full() && said.events.front().is_some_and(|event| !event.given)
        };
        if is_full {
            tokio::select! {
                () = taken_over => {}
                () = sleep_until(until) => {}
            }
        }
    }
}

// === impl Said ===

impl Said {
    fn new(inlet: mpsc::Receiver<Out>, room: Room) -> Self {
        let events = VecDeque::new();
        Self { reader: 0, unread_since: None, inlet: Some(inlet), is_kept: true, next: 1, events, bytes: 0, room }
    }

    /// Whether no more will be said than is kept.
    fn is_over(&self) -> bool {
        self.inlet.as_ref().is_none_or(|inlet| inlet.is_closed() && inlet.is_empty())
    }

    /// How much would be lost with it: least with one that was heard to its end, most with one whose client may be on its way
    /// back. One that is being read ends by itself; it only cannot be come back to.
    fn worth(&self) -> u8 {
        match self.unread_since {
            Some(_) if self.is_over() && self.events.iter().all(|event| event.given) => 0,
            Some(since) if since.elapsed() > PATIENCE => 1,
            None => 2,
            Some(_) => 3,
        }
    }

    fn is_full(&self) -> bool {
        self.events.len() >= MOST_EVENTS || self.bytes >= MOST_BYTES / 2
    }

    /// Keeps one more event, and gives it as it is written.
    fn say(&mut self, stream: u64, text: Bytes, given: bool) -> Bytes {
        let seq = self.next;
        self.next += 1;
        let event = sse::encode_as(None, Some(&id(stream, seq)), &text);
        while self.events.len() >= MOST_EVENTS || (self.bytes + text.len() > MOST_BYTES && !self.events.is_empty()) {
            self.forget_first();
        }
        if self.room.take(text.len()) {
            self.bytes += text.len();
            self.events.push_back(Event { seq, text, given });
        }
        event
    }

    fn forget_first(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.text.len();
            self.room.give_back(event.text.len());
        }
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

// === impl Reader ===

impl Drop for Reader {
    /// The client has left, or has been given everything.
    fn drop(&mut self) {
        let collector = {
            let mut said = lock(&self.flow.said);
            if said.reader != self.number {
                return;
            }
            said.reader += 1;
            said.unread_since = Some(Instant::now());
            // What was to be said again has not been.
            said.events.iter_mut().rev().take(self.again.len()).for_each(|event| event.given = false);
            said.reader
        };
        // Without a runtime the process is about to end.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.flow.clone().collect(collector));
        }
    }
}
