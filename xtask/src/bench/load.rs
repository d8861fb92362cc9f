//! The load generator: connections that each send a request, wait for its answer, check it and send the next.
//!
//! It runs on one thread and sends prepared bytes, in which only the id changes, so that the other side is what is measured.

use super::http1::{Head, Wire, find};
use super::messages::{Case, Era, Exchange, ID_SLOT, LEGACY, request, tools};
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long any one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection gives up after so many faults.
const FAULTS: u64 = 20;

/// What is asked of whom.
#[derive(Clone)]
pub(super) struct Load {
    /// Where the target listens.
    pub(super) address: SocketAddr,
    /// What the clients speak.
    pub(super) era: Era,
    /// What they ask.
    pub(super) case: Case,
    /// What stands before each tool's name.
    pub(super) prefix: &'static str,
    /// The path of the endpoint.
    pub(super) path: &'static str,
}

/// One client: a connection, in the legacy era with a session of its own.
pub(super) struct Client {
    load: Load,
    wire: Wire,
    session: Option<String>,
    exchange: Exchange,
    /// The request's bytes; the id stands at `slot`.
    sent: Vec<u8>,
    slot: usize,
    next_id: u32,
}

/// What came of driving clients for a while.
#[derive(Default)]
pub(super) struct Tally {
    /// How long each good answer took, in nanoseconds.
    pub(super) nanoseconds: Vec<u32>,
    /// How many requests got no answer, or a wrong one.
    pub(super) errors: u64,
    /// The first of these faults.
    pub(super) fault: Option<String>,
}

// === impl Load ===

impl Load {
    /// Opens `count` clients; the first answer of each is read whole and compared with what the upstream sent.
    pub(super) async fn open(&self, count: u8) -> anyhow::Result<Vec<Client>> {
        let mut clients = Vec::new();
        for index in 0..count {
            // Nine digits each, and ten million requests before two clients could meet.
            let first_id = 100_000_000 + u32::from(index) * 10_000_000;
            let opened = tokio::time::timeout(PATIENCE, Client::open(self.clone(), first_id)).await;
            clients.push(opened.context("no answer to the first requests")??);
        }
        Ok(clients)
    }
}

/// Lets all clients ask for as long as `time`, and gives them back with what came of it.
pub(super) async fn drive(clients: Vec<Client>, time: Duration) -> (Vec<Client>, Tally) {
    let until = Instant::now() + time;
    let mut running: JoinSet<(Client, Tally)> = clients.into_iter().map(|client| client.run(until)).collect();
    let mut clients = Vec::new();
    let mut whole = Tally::default();
    let deadline = tokio::time::Instant::from_std(until + PATIENCE);
    while !running.is_empty() {
        match tokio::time::timeout_at(deadline, running.join_next()).await {
            Ok(Some(Ok((client, tally)))) => {
                clients.push(client);
                whole.add(tally);
            }
            Ok(Some(Err(panic))) => whole.blame(&anyhow::anyhow!(panic)),
            Ok(None) => break,
            Err(_) => {
                let hanging = running.len();
                whole.blame(&anyhow::anyhow!("no answer within {PATIENCE:?} on {hanging} connections"));
                running.shutdown().await;
            }
        }
    }
    (clients, whole)
}

/// Ends the sessions, so that no cell leaves something behind for the next.
pub(super) async fn close(clients: Vec<Client>) {
    for mut client in clients {
        let Some(session) = client.session.take() else {
            continue;
        };
        let Load { address, path, .. } = client.load;
        let bytes = format!(
            "DELETE {path} HTTP/1.1\r\nHost: {address}\r\nMcp-Session-Id: {session}\r\nMCP-Protocol-Version: {LEGACY}\r\nContent-Length: 0\r\n\r\n"
        );
        // A server may refuse to end sessions (405); there is nothing to do about it here.
        let _ = tokio::time::timeout(PATIENCE, client.wire.ask(bytes.as_bytes())).await;
    }
}

// === impl Client ===

impl Client {
    async fn open(load: Load, first_id: u32) -> anyhow::Result<Self> {
        let wire = Wire::connect(load.address).await?;
        let exchange = load.case.exchange(load.era, load.prefix);
        let mut client = Self { load, wire, session: None, exchange, sent: Vec::new(), slot: 0, next_id: first_id };
        if client.load.era == Era::Legacy {
            client.initialize().await?;
        }
        client.prepare(&client.exchange.body.clone());
        client.first().await?;
        Ok(client)
    }

    async fn initialize(&mut self) -> anyhow::Result<()> {
        let params = format!(
            r#""protocolVersion":"{LEGACY}","capabilities":{{}},"clientInfo":{{"name":"toolgate-bench","version":"1"}}"#
        );
        self.prepare(&request("initialize", &params));
        self.fill();
        let (head, body) = self.wire.ask(&self.sent).await.context("initialize")?;
        ensure!(head.status == 200, "initialize was answered {}: {}", head.status, String::from_utf8_lossy(body));
        self.session = Some(head.session.context("initialize was answered without Mcp-Session-Id")?);
        self.prepare(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        let (head, _) = self.wire.ask(&self.sent).await.context("notifications/initialized")?;
        ensure!(head.status == 202, "notifications/initialized was answered {}", head.status);
        Ok(())
    }

    /// Writes the request with `body` to `sent`, and finds where its id goes.
    fn prepare(&mut self, body: &str) {
        let Load { address, era, path, .. } = self.load;
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: {}\r\n",
            era.version()
        );
        if era == Era::Modern {
            head += &format!("Mcp-Method: {}\r\n", self.exchange.method);
            if !self.exchange.name.is_empty() {
                head += &format!("Mcp-Name: {}\r\n", self.exchange.name);
            }
        }
        if let Some(session) = &self.session {
            head += &format!("Mcp-Session-Id: {session}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        self.slot = head.len() + body.find(ID_SLOT).unwrap_or(0);
        self.sent = (head + body).into_bytes();
    }

    /// Writes the next id into the request.
    fn fill(&mut self) {
        let mut rest = self.next_id;
        self.next_id += 1;
        for digit in self.sent[self.slot..self.slot + ID_SLOT.len()].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).expect("a digit is below ten");
            rest /= 10;
        }
    }

    async fn first(&mut self) -> anyhow::Result<()> {
        self.fill();
        let (head, body) = self.wire.ask(&self.sent).await.context("the first request")?;
        let id = &self.sent[self.slot..self.slot + ID_SLOT.len()];
        check(&self.exchange, &head, body, id)?;
        let answer: Value = serde_json::from_slice(body).context("the answer is not JSON")?;
        compare(&self.load, &answer["result"])
    }

    async fn run(mut self, until: Instant) -> (Self, Tally) {
        let mut tally = Tally::default();
        let mut before = Instant::now();
        while before < until && tally.errors < FAULTS {
            self.fill();
            let asked = self.ask().await;
            let after = Instant::now();
            match asked {
                Ok(()) => tally.nanoseconds.push(u32::try_from((after - before).as_nanos()).unwrap_or(u32::MAX)),
                Err(fault) => {
                    tally.blame(&fault);
                    match Self::open(self.load.clone(), self.next_id).await {
                        Ok(fresh) => self = fresh,
                        Err(fault) => {
                            tally.blame(&fault.context("cannot begin again"));
                            break;
                        }
                    }
                }
            }
            before = after;
        }
        (self, tally)
    }

    async fn ask(&mut self) -> anyhow::Result<()> {
        let (head, body) = self.wire.ask(&self.sent).await?;
        check(&self.exchange, &head, body, &self.sent[self.slot..self.slot + ID_SLOT.len()])
    }
}

// === impl Tally ===

impl Tally {
    /// Takes in what another came to.
    pub(super) fn add(&mut self, other: Self) {
        self.nanoseconds.extend(other.nanoseconds);
        self.errors += other.errors;
        if self.fault.is_none() {
            self.fault = other.fault;
        }
    }

    fn blame(&mut self, fault: &anyhow::Error) {
        self.errors += 1;
        self.fault.get_or_insert_with(|| format!("{fault:#}"));
    }
}

/// What every answer is held against: cheap, and enough to see a mix-up or a cut.
fn check(exchange: &Exchange, head: &Head, body: &[u8], id: &[u8]) -> anyhow::Result<()> {
    if head.status != 200 {
        bail!("{} was answered {}: {}", exchange.method, head.status, start(body));
    }
    if !head.content_type.starts_with("application/json") {
        bail!("{} was answered with content type {:?}", exchange.method, head.content_type);
    }
    if body.len() < exchange.at_least {
        bail!("{} was answered with {} bytes only: {}", exchange.method, body.len(), start(body));
    }
    // The id is the first thing in most answers, and the last in some.
    let edge = body.len().min(96);
    if find(&body[..edge], id).or_else(|| find(&body[body.len() - edge..], id)).is_none() {
        bail!("{} was answered under another id: {}", exchange.method, start(body));
    }
    let marker = exchange.marker.as_bytes();
    if !body.windows(marker.len()).rev().any(|part| part == marker) {
        bail!("{} was answered without its marker: {}", exchange.method, start(body));
    }
    Ok(())
}

/// The whole answer against what the upstream sent.
fn compare(load: &Load, result: &Value) -> anyhow::Result<()> {
    if load.case != Case::List {
        ensure!(result["content"][0]["text"] == load.case.words(), "the result's text is not what the upstream sent");
        return Ok(());
    }
    let got = result["tools"].as_array().context("no tools in the answer")?;
    let sent = tools();
    ensure!(got.len() == sent.len(), "{} tools were listed, the upstream sent {}", got.len(), sent.len());
    for (got, sent) in got.iter().zip(sent) {
        let mut sent: Value = serde_json::from_str(&sent)?;
        let name = format!("{}{}", load.prefix, sent["name"].as_str().unwrap_or_default());
        sent["name"] = Value::String(name);
        ensure!(*got == sent, "a tool was changed: the upstream sent {sent}, listed was {got}");
    }
    Ok(())
}

fn start(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::upstream;

    /// Drives the scripted upstream itself, with each of `count` clients, and says what came of it.
    async fn drive_directly(era: Era, case: Case, prefix: &'static str) -> anyhow::Result<Tally> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(upstream::serve(listener));
        let clients = Load { address, era, case, prefix, path: "/mcp" }.open(2).await;
        let (clients, tally) = drive(clients?, Duration::from_millis(50)).await;
        close(clients).await;
        server.abort();
        Ok(tally)
    }

    #[tokio::test]
    async fn upstream_and_generator_understand_each_other_in_both_eras() {
        for era in [Era::Modern, Era::Legacy] {
            for case in [Case::Small, Case::Large, Case::List] {
                let tally = drive_directly(era, case, "").await.expect("opens");
                assert_eq!((tally.errors, tally.fault), (0, None), "{era} {case}");
                assert!(tally.nanoseconds.len() >= 2, "{era} {case}: {}", tally.nanoseconds.len());
            }
        }
    }

    #[tokio::test]
    async fn a_wrong_answer_is_found() {
        let fault = drive_directly(Era::Modern, Case::Small, "nobody__").await.err().expect("no such tool");
        assert!(fault.to_string().contains("no such tool"), "{fault}");
        let fault = drive_directly(Era::Modern, Case::List, "nobody__").await.err().expect("names differ");
        assert!(fault.to_string().contains("a tool was changed"), "{fault}");
    }

    #[tokio::test]
    async fn a_target_that_goes_away_is_counted_and_ends_the_run() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        // A runtime of its own: when that ends, its connections end with it.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                tokio::select! { _ = upstream::serve(listener) => {}, _ = stopped => {} }
            });
        });
        let load = Load { address, era: Era::Modern, case: Case::Small, prefix: "", path: "/mcp" };
        let clients = load.open(2).await.expect("opens");
        stop.send(()).expect("the thread waits for it");
        thread.join().expect("ends");
        let (_, tally) = drive(clients, Duration::from_secs(5)).await;
        assert_eq!(tally.errors, 4, "each client's request, and its new beginning");
        assert!(tally.nanoseconds.is_empty());
        assert!(tally.fault.is_some());
    }
}
