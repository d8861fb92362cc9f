//! The loop of a builtin server: lines in, requests answered side by side, lines out.
//!
//! Everything runs as one future: requests are begun in the order they came, none waits for another, and dropping the
//! future leaves nothing behind. Which era a request is of, it says itself: a modern one claims its revision in `_meta`,
//! and a client that began with `initialize` never does.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{AbortHandle, Abortable, BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::watch;
use toolgate_protocol::line::{Line, LineDecoder};
use toolgate_protocol::meta::RequestMeta;
use toolgate_protocol::{Id, Json, Message, Method, Notification, Object, Outcome, Request, Response, RpcError, code};

use crate::legacy::Session;
use crate::outbox::{self, Outbox};
use crate::seal::Seal;
use crate::server::Server;
use crate::{listen, modern};

/// The longest line taken, in bytes.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// How many requests may be in flight.
const MAX_IN_FLIGHT: usize = 256;
/// How much may be going on, answers about refused lines included, before no further line is read.
const MAX_RUNNING: usize = 2 * MAX_IN_FLIGHT;
/// How long requests in flight may still take once the client has closed its end.
const GRACE: Duration = Duration::from_millis(500);
/// How much is read at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// Serves `server` to one client until `reader` ends.
///
/// Errors: what reading or writing fails with; a client that closed the reading end of `writer` is
/// [`io::ErrorKind::BrokenPipe`].
pub async fn serve(server: Server, reader: impl AsyncRead, writer: impl AsyncWrite) -> io::Result<()> {
    let (outbox, queue) = Outbox::new();
    let mut writing = pin!(outbox::write(queue, writer));
    let mut reader = pin!(reader);
    let mut lines = LineDecoder::new(MAX_LINE);
    let mut connection = Connection::new(server, outbox)?;
    loop {
        tokio::select! {
            written = &mut writing => return written,
            Some(ended) = connection.running.next() => connection.ended(&ended),
            line = next_line(&mut reader, &mut lines), if connection.running.len() < MAX_RUNNING => match line? {
                Some(line) => connection.take(line),
                None => break,
            },
        }
    }
    let rest = async { tokio::join!(connection.finish(), &mut writing).1 };
    tokio::time::timeout(GRACE, rest).await.unwrap_or(Ok(()))
}

/// The next line; a last one without a line break counts. Safe to drop while it waits.
async fn next_line(reader: &mut (impl AsyncRead + Unpin), lines: &mut LineDecoder) -> io::Result<Option<Line>> {
    loop {
        if let Some(line) = lines.next_line() {
            return Ok(Some(line));
        }
        lines.buffer().reserve(CHUNK);
        if reader.read_buf(lines.buffer()).await? == 0 {
            lines.buffer().extend_from_slice(b"\n");
            return Ok(lines.next_line());
        }
    }
}

/// One client, and what is going on with it.
struct Connection {
    server: Arc<Server>,
    seal: Arc<Seal>,
    outbox: Outbox,
    /// Once a legacy client has shaken hands.
    session: Option<Arc<Session>>,
    in_flight: HashMap<Id, AbortHandle>,
    /// Each gives the requests that end with it.
    running: FuturesUnordered<BoxFuture<'static, Vec<Id>>>,
    /// Becomes true when the client closes its end.
    closing: watch::Sender<bool>,
}

// === impl Connection ===

impl Connection {
    fn new(server: Server, outbox: Outbox) -> io::Result<Self> {
        Ok(Self {
            server: Arc::new(server),
            seal: Arc::new(Seal::new()?),
            outbox,
            session: None,
            in_flight: HashMap::new(),
            running: FuturesUnordered::new(),
            closing: watch::Sender::new(false),
        })
    }

    /// Takes one line, whatever it holds. Never waits.
    fn take(&mut self, line: Line) {
        let text = match line {
            Line::TooLong => {
                let error =
                    RpcError::new(code::INVALID_REQUEST, format!("a message may have at most {MAX_LINE} bytes"));
                return self.say(Response::nameless(error).encode());
            }
            Line::Text(text) => text,
        };
        if text.first() == Some(&b'[') {
            return self.take_batch(text);
        }
        match Message::parse(text.clone()) {
            Ok(Message::Request(request)) => match self.begin(request) {
                Ok((id, answer)) => self.run(answer.map(move |answer| (answer, vec![id]))),
                Err(refusal) => self.say(refusal),
            },
            Ok(message) => self.take_quiet(message),
            Err(error) => {
                if let Some(refusal) = refusal_of(&text, error) {
                    self.say(refusal);
                }
            }
        }
    }

    /// A batch is answered by a batch, once all of it is answered.
    fn take_batch(&mut self, text: Bytes) {
        let members = match Json::parse(text).and_then(|batch| batch.array()) {
            Err(error) => {
                return self.say(Response::nameless(RpcError::new(code::PARSE_ERROR, error.to_string())).encode());
            }
            Ok(members) => members,
        };
        if members.is_empty() || !self.session.as_ref().is_some_and(|session| session.takes_batches()) {
            let error = RpcError::new(
                code::INVALID_REQUEST,
                "batches belong to revision 2025-03-26 alone, and are never empty",
            );
            return self.say(Response::nameless(error).encode());
        }
        let (mut ids, mut answers) = (Vec::new(), Vec::<BoxFuture<'static, Option<Bytes>>>::new());
        for member in members {
            match Message::from_json(&member) {
                Ok(Message::Request(request)) => match self.begin(request) {
                    Ok((id, answer)) => {
                        ids.push(id);
                        answers.push(answer);
                    }
                    Err(refusal) => answers.push(std::future::ready(Some(refusal)).boxed()),
                },
                Ok(message) => self.take_quiet(message),
                Err(error) => answers.push(std::future::ready(refusal_of(member.text(), error)).boxed()),
            }
        }
        self.run(join_all(answers).map(move |answers| (together(answers), ids)));
    }

    /// Notifications, and answers to our questions.
    fn take_quiet(&mut self, message: Message) {
        match message {
            Message::Notification(Notification { method: Method::Cancelled, params, .. }) => {
                let id = params.get("requestId").and_then(Id::read);
                if let Some(handle) = id.and_then(|id| self.in_flight.remove(&id)) {
                    handle.abort();
                }
            }
            Message::Response(response) => {
                if let Some(session) = &self.session {
                    session.answered(response);
                }
            }
            _ => {}
        }
    }

    /// Begins a request. The future gives its answer as a line, or nothing when it was cancelled; the error is a refusal.
    fn begin(&mut self, request: Request) -> Result<(Id, BoxFuture<'static, Option<Bytes>>), Bytes> {
        let id = request.id.clone();
        let refuse = |code, why: String| Err(Response::new(id.clone(), Err(RpcError::new(code, why))).encode());
        if self.in_flight.contains_key(&id) {
            // Nameless, or the client would take it for the answer to the request that already has this id.
            let error = RpcError::new(code::INVALID_REQUEST, format!("a request with the id {id} is still in flight"));
            return Err(Response::nameless(error).encode());
        }
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            return refuse(
                code::INTERNAL_ERROR,
                format!("{MAX_IN_FLIGHT} requests are in flight; try again when one is answered"),
            );
        }
        let (handle, registration) = AbortHandle::new_pair();
        let work = AssertUnwindSafe(self.work(request)).catch_unwind();
        let answered = id.clone();
        let answer = Abortable::new(work, registration).map(move |outcome| {
            let panicked = |_| Err(RpcError::new(code::INTERNAL_ERROR, "Internal error: the handler panicked"));
            let outcome = outcome.ok()?.unwrap_or_else(panicked);
            Some(Response::new(answered, outcome).encode())
        });
        self.in_flight.insert(id.clone(), handle);
        Ok((id, answer.boxed()))
    }

    /// Finds out who answers a request: the modern edge, the legacy one, or nobody.
    fn work(&mut self, request: Request) -> BoxFuture<'static, Outcome> {
        let Request { id, method, params, .. } = request;
        let (server, outbox) = (self.server.clone(), self.outbox.clone());
        if RequestMeta::claim(&params).is_some() {
            return respond_modern(server, self.seal.clone(), id, method, params, outbox, self.closing.subscribe())
                .boxed();
        }
        if method == Method::Initialize {
            return std::future::ready(self.initialize(&params)).boxed();
        }
        match &self.session {
            Some(session) => {
                let session = session.clone();
                async move { session.respond(&server, &method, &params, &outbox).await }.boxed()
            }
            None if method == Method::Ping => std::future::ready(Ok(Json::literal("{}"))).boxed(),
            None => std::future::ready(Err(uninitialized(&params))).boxed(),
        }
    }

    fn initialize(&mut self, params: &Object) -> Outcome {
        if self.session.is_some() {
            return Err(RpcError::new(code::INVALID_REQUEST, "the session is already initialized"));
        }
        let (session, result) = Session::open(&self.server, params)?;
        let session = Arc::new(session);
        let (server, outbox, telling) = (self.server.clone(), self.outbox.clone(), session.clone());
        let mut closing = self.closing.subscribe();
        self.running.push(Box::pin(async move {
            tokio::select! {
                () = telling.tell(&server, &outbox) => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
            Vec::new()
        }));
        self.session = Some(session);
        Ok(result)
    }

    fn run(&mut self, answer: impl Future<Output = (Option<Bytes>, Vec<Id>)> + Send + 'static) {
        let outbox = self.outbox.clone();
        self.running.push(Box::pin(async move {
            let (line, ids) = answer.await;
            if let Some(line) = line {
                outbox.send(line).await;
            }
            ids
        }));
    }

    fn say(&mut self, line: Bytes) {
        self.run(std::future::ready((Some(line), Vec::new())));
    }

    fn ended(&mut self, ids: &[Id]) {
        for id in ids {
            self.in_flight.remove(id);
        }
    }

    /// Lets what is in flight end, now that nothing more comes in.
    async fn finish(mut self) {
        self.closing.send_replace(true);
        if let Some(session) = &self.session {
            session.close();
        }
        while self.running.next().await.is_some() {}
    }
}

async fn respond_modern(
    server: Arc<Server>,
    seal: Arc<Seal>,
    id: Id,
    method: Method,
    params: Object,
    outbox: Outbox,
    closing: watch::Receiver<bool>,
) -> Outcome {
    let result = match method {
        Method::Listen => modern::signed(&server, listen::listen(&server, &id, &params, &outbox, closing).await?),
        method => modern::respond(&server, &seal, &method, &params, outbox).await?,
    };
    Ok(result.to_json())
}

/// A request of neither era: its sender has to choose one.
fn uninitialized(params: &Object) -> RpcError {
    let why = RequestMeta::read(params).err().map_or_else(String::new, |error| error.message);
    RpcError::new(code::INVALID_PARAMS, format!("{why}; a client of an earlier revision sends `initialize` first"))
}

/// What to say about a line that is no message. Nothing about a broken answer: an error would look like one to the client.
fn refusal_of(text: &Bytes, error: RpcError) -> Option<Bytes> {
    let envelope = match Json::parse(text.clone()) {
        Ok(json) => json.object().unwrap_or_default(),
        Err(syntax) => return Some(Response::nameless(RpcError::new(code::PARSE_ERROR, syntax.to_string())).encode()),
    };
    if envelope.get("method").is_none() && (envelope.get("result").is_some() || envelope.get("error").is_some()) {
        return None;
    }
    let response = match envelope.get("id").and_then(Id::read) {
        Some(id) => Response::new(id, Err(error)),
        None => Response::nameless(error),
    };
    Some(response.encode())
}

fn together(answers: Vec<Option<Bytes>>) -> Option<Bytes> {
    let answers: Vec<Bytes> = answers.into_iter().flatten().collect();
    (!answers.is_empty()).then(|| [b"[", &answers.join(&b',')[..], b"]"].concat().into())
}

#[cfg(test)]
mod tests;
