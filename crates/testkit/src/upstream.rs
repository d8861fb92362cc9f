//! A script that plays: as the child processes of a gateway, as a server of streamable HTTP, or of HTTP with SSE.

mod http;
mod lines;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::Era;
use crate::script::{Asked, Play, Script};
use crate::wait::{soon, until};

/// An upstream that plays a script, until dropped.
pub struct Upstream {
    play: Arc<Play>,
    address: SocketAddr,
    way: Way,
    server: Mutex<Option<AbortOnDropHandle<()>>>,
    /// The connections that are not closed yet.
    open: TaskTracker,
    /// Keeps the port while nobody listens on it: else another story's connection may come to have it.
    _reserved: Option<TcpSocket>,
    sessions: Arc<Sessions>,
    pids: Arc<watch::Sender<Vec<u32>>>,
}

/// How the gateway reaches an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Stdio,
    Http,
    Sse,
}

/// Every era over every way that it has.
pub const EVERY_WAY: [(Era, Way); 5] = [
    (Era::Legacy, Way::Stdio),
    (Era::Modern, Way::Stdio),
    (Era::Legacy, Way::Http),
    (Era::Modern, Way::Http),
    (Era::Legacy, Way::Sse),
];

/// The legacy sessions that the HTTP server knows.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Vec<String>>);

// === impl Upstream ===

impl Upstream {
    pub(crate) async fn start(play: Arc<Play>, way: Way) -> Self {
        let upstream = Self {
            play,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            way,
            server: Mutex::default(),
            open: TaskTracker::new(),
            _reserved: None,
            sessions: Arc::default(),
            pids: Arc::new(watch::Sender::new(Vec::new())),
        };
        let address = upstream.serve();
        Self { address, _reserved: Some(bound(address)), ..upstream }
    }

    fn serve(&self) -> SocketAddr {
        let listener = bound(self.address).listen(1024).expect("the port is ours");
        let address = listener.local_addr().expect("it is bound");
        let server = match self.way {
            Way::Stdio => tokio::spawn(lines::serve_children(listener, self.play.clone(), self.pids.clone())),
            Way::Http => {
                tokio::spawn(http::serve(listener, self.open.clone(), self.play.clone(), self.sessions.clone()))
            }
            Way::Sse => tokio::spawn(lines::serve_sse(listener, self.open.clone(), self.play.clone())),
        };
        *self.server.lock().unwrap() = Some(AbortOnDropHandle::new(server));
        address
    }

    /// How a config names it, as the value of its key.
    pub fn config(&self) -> Value {
        let port = self.address.port();
        match self.way {
            Way::Stdio => {
                let mut args = vec![port.to_string()];
                args.extend(self.play.script().child_flags.iter().map(|flag| (*flag).to_owned()));
                json!({"command": env!("SCRIPTED_CHILD"), "args": args})
            }
            Way::Http => json!({"url": format!("http://127.0.0.1:{port}/mcp")}),
            Way::Sse => json!({"url": format!("http://127.0.0.1:{port}/sse"), "transport": "sse"}),
        }
    }

    /// All that it was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.play.asked()
    }

    /// How often it was asked `what`: a method, or a method and a name.
    pub fn count(&self, what: &str) -> usize {
        self.asked().iter().filter(|asked| asked.is(what)).count()
    }

    /// Waits until it is asked `what`.
    pub async fn heard(&self, what: &str) -> Asked {
        self.heard_where(what, |asked| asked.is(what)).await
    }

    /// Waits until it was asked `what` so many times, and gives the last of them.
    pub async fn heard_times(&self, what: &str, times: usize) -> Asked {
        self.play.heard_nth(what, times, |asked| asked.is(what)).await
    }

    /// Waits until it is asked something that `wanted` says yes to.
    pub async fn heard_where(&self, what: &str, wanted: impl Fn(&Asked) -> bool) -> Asked {
        self.play.heard(what, wanted).await
    }

    /// Waits until the answer to this id is waited for no more: the stream was closed, or the request cancelled in words.
    pub async fn gave_up(&self, id: &Value) {
        self.heard_where("that nobody waits for the answer any more", |asked| {
            (asked.method == "(gone)" && asked.id == *id)
                || (asked.method == "notifications/cancelled" && asked.params["requestId"] == *id)
        })
        .await;
    }

    /// Puts other definitions in the place of a list. Whoever shall know of it must be told.
    pub fn offer(&self, list: &'static str, definitions: &[String]) {
        self.play.offer(list, definitions.to_vec());
    }

    /// Tells what belongs to no call.
    pub async fn tell(&self, method: &str, params: Value) {
        self.play.tell(method, params).await;
    }

    /// The same on one connection only, in the order in which they began to hear such things. Only while none was closed.
    pub async fn tell_on(&self, nth: usize, method: &str, params: Value) {
        self.play.say_to(nth, &json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Asks the client on such a connection, in the course of no call, and gives its whole answer.
    pub async fn ask_on(&self, nth: usize, method: &str, params: Value) -> Value {
        self.play.ask_on(nth, method, params).await
    }

    /// The child processes that ever connected.
    pub fn pids(&self) -> Vec<u32> {
        self.pids.borrow().clone()
    }

    /// Waits for the `nth` child process, counted from 1.
    pub async fn pid(&self, nth: usize) -> u32 {
        let mut pids = self.pids.subscribe();
        let pids = soon("a child process", pids.wait_for(|pids| pids.len() >= nth)).await;
        pids.expect("the sender is ours")[nth - 1]
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.play.connections()
    }

    /// Forgets every legacy session, as a server that was restarted.
    pub fn forget_sessions(&self) {
        self.sessions.0.lock().unwrap().clear();
    }

    /// Ends every connection and takes no new one.
    pub async fn go_down(&self) {
        let server = self.server.lock().unwrap().take();
        if let Some(server) = server {
            server.abort();
            // An aborted task says so; what matters is that its sockets are closed.
            let _ = server.await;
            self.open.close();
            self.open.wait().await;
            self.open.reopen();
        }
    }

    /// A process that another story starts in this very moment has copies of all sockets until it runs its program: closed here,
    /// they are still open there, and take what is sent to nobody.
    async fn until_nobody_has_its_sockets(&self) {
        let is_over = || async { tokio::net::TcpStream::connect(self.address).await.is_err().then_some(()) };
        until("the port is nobody's", is_over).await;
    }

    /// Ends, and another server takes its place at the same address.
    pub async fn replaced_by(&self, script: Script) -> Self {
        self.go_down().await;
        self.until_nobody_has_its_sockets().await;
        let upstream = Self {
            play: Play::of(script),
            address: self.address,
            way: self.way,
            server: Mutex::default(),
            open: TaskTracker::new(),
            _reserved: Some(bound(self.address)),
            sessions: Arc::default(),
            pids: Arc::new(watch::Sender::new(Vec::new())),
        };
        upstream.serve();
        upstream
    }

    /// Takes connections again, where it did before.
    pub async fn come_up(&self) {
        self.serve();
    }
}

/// A socket at this address, which it shares with others of ours.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("there are sockets");
    socket.set_reuseaddr(true).expect("a new socket takes options");
    socket.set_reuseport(true).expect("a new socket takes options");
    socket.bind(address).expect("the port is free, or ours");
    socket
}

// === impl Asked ===

impl Asked {
    /// Whether it is this method, or this method for this name or URI.
    pub fn is(&self, what: &str) -> bool {
        match what.split_once(' ') {
            None => self.method == what,
            Some((method, name)) => {
                self.method == method && (self.params["name"] == name || self.params["uri"] == name)
            }
        }
    }
}

// === impl Sessions ===

impl Sessions {
    pub(crate) fn begin(&self, nth: usize) -> String {
        let id = format!("session-{nth}");
        self.0.lock().unwrap().push(id.clone());
        id
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.lock().unwrap().iter().any(|known| known == id)
    }

    pub(crate) fn end(&self, id: &str) {
        self.0.lock().unwrap().retain(|known| known != id);
    }
}
