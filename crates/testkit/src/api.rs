//! An HTTP API that speaks no MCP: a small server in the test's process that answers as it is told and says what it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::wait::soon;

/// What the API was asked.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// `GET /path?query`
    pub line: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum Says {
    /// The status, headers as lines, and the body.
    This(u16, Vec<String>, Vec<u8>),
    /// Nothing, for as long as the caller waits.
    Nothing,
    /// The head of an answer and half its body, and then the connection ends.
    Half,
}

type Answers = dyn Fn(&Heard) -> Says + Send + Sync;

/// A server that runs until dropped.
pub struct HttpApi {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    given_up: watch::Receiver<usize>,
    serving: JoinHandle<()>,
}

// === impl Says ===

impl Says {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::This(status, vec!["Content-Type: application/json".into()], body.to_string().into())
    }

    pub fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::This(status, vec![format!("Content-Type: {content_type}")], body.into())
    }

    #[must_use]
    pub fn with(mut self, header: &str) -> Self {
        if let Self::This(_, headers, _) = &mut self {
            headers.push(header.to_owned());
        }
        self
    }
}

// === impl HttpApi ===

impl HttpApi {
    /// An API on a free port.
    pub async fn start(answers: impl Fn(&Heard) -> Says + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"), answers).await
    }

    /// One at the address of one that was dropped.
    pub async fn at(address: SocketAddr, answers: impl Fn(&Heard) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("it is bound");
        let (heard, (told, given_up)) = (Arc::new(Mutex::new(Vec::new())), watch::channel(0));
        let (answers, log): (Arc<Answers>, _) = (Arc::new(answers), heard.clone());
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, answers.clone(), log.clone(), told.clone()));
            }
        });
        Self { address, heard, given_up, serving }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything it was asked so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no test panics with it").clone()
    }

    /// The requests whose line begins so.
    pub fn asked(&self, line: &str) -> Vec<Heard> {
        self.heard().into_iter().filter(|heard| heard.line.starts_with(line)).collect()
    }

    /// Ends it; on return nobody answers at its address any more.
    pub async fn stop(mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    /// Waits until somebody who got [`Says::Nothing`] has given up.
    pub async fn was_given_up(&mut self) {
        soon("the request is given up", self.given_up.wait_for(|count| *count > 0)).await.expect("it serves");
    }
}

impl Drop for HttpApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: Arc<Answers>,
    log: Arc<Mutex<Vec<Heard>>>,
    given_up: watch::Sender<usize>,
) {
    let Some(heard) = read(&mut stream).await else { return };
    log.lock().expect("no test panics with it").push(heard.clone());
    let (status, headers, body, sent) = match answers(&heard) {
        Says::Nothing => {
            // The end of what they send is the end of their patience.
            let _ = stream.read(&mut [0]).await;
            given_up.send_modify(|count| *count += 1);
            return;
        }
        Says::Half => (200, vec!["Content-Type: text/plain".to_owned()], b"half".to_vec(), 2),
        Says::This(status, headers, body) => {
            let sent = body.len();
            (status, headers, body, sent)
        }
    };
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length =
        if status == 204 || status == 304 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("HTTP/1.1 {status} Status\r\n{headers}{length}Connection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&body[..sent]).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let line = lines.next()?.rsplit_once(' ')?.0.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => body.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
    Some(Heard { line, headers, body: String::from_utf8_lossy(&body).into_owned() })
}
