//! The control API of a running gateway: found on this machine, or named, and asked.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderName, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use toolgate_app::{Posted, control_token, whole_name};
use toolgate_config::Settings;

use crate::Failure;
use crate::args;
use crate::screen::harmless;
use crate::settings;

/// What a token may be given in beside the config and the state folder.
const TOKEN_VARIABLE: &str = "TOOLGATE_CONTROL_TOKEN";
/// No answer is longer.
const MAX_ANSWER: usize = 64 << 20;
/// For a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// For an answer: an upstream that is restarted or called may take its time.
const ANSWER_WAIT: Duration = Duration::from_secs(600);

/// A running gateway's control API.
pub(crate) struct Gateway {
    address: String,
    token: String,
}

/// What the config says of something.
#[derive(Deserialize)]
pub(crate) struct Said {
    /// What it is called.
    pub(crate) name: String,
    /// `api` or `file`.
    pub(crate) from: String,
    /// Where the file says something of it.
    pub(crate) place: Option<String>,
    /// What stands for it as it is.
    tag: String,
    /// What is said; literal secrets are masked.
    pub(crate) value: Value,
}

/// What the API says went wrong.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
}

// === impl Gateway ===

impl Gateway {
    /// The gateway that the options mean.
    pub(crate) async fn find(options: &args::Control) -> Result<Self, Failure> {
        let named = settings::named(options.config.as_deref())?;
        // It may have faults just now, or be out of reach; that is what `diff` and `reload` are asked about.
        let settings = match &named {
            Some(named) => {
                settings::location(named)?.in_force().await.ok().and_then(|reading| Some(reading.said.ok()?.0))
            }
            None => None,
        };
        let file = named.as_deref().map(whole_name);
        let folders = folders(settings.as_ref());
        let from_config = || Some(settings.as_ref()?.admin.token.as_ref()?.reveal().to_owned());
        let said = std::env::var(TOKEN_VARIABLE).ok();
        if let Some(url) = &options.url {
            let (address, is_here) = authority(url)?;
            let kept = || folders.iter().filter(|_| is_here).find_map(|folder| control_token(folder).ok()?);
            let token = said.or_else(from_config).or_else(kept);
            let token = token.with_context(|| format!("no token for {address}: give it in {TOKEN_VARIABLE}"))?;
            return Ok(Self { address, token });
        }
        let mut running: Vec<Posted> = folders.iter().flat_map(|folder| Posted::all(folder)).collect();
        running.sort_by_key(|one| (one.control, one.pid));
        running.dedup();
        let posted = choose(running, file.as_ref(), options.config.is_some())?;
        let is_its_config = posted.config.is_some() && posted.config == file;
        let kept = || posted.state.as_ref().and_then(|folder| control_token(folder).ok()?);
        let token = said.or_else(|| from_config().filter(|_| is_its_config)).or_else(kept);
        let token = token.with_context(|| {
            format!("the token of the gateway at {} is not to be had; give it in {TOKEN_VARIABLE}", posted.control)
        })?;
        Ok(Self { address: posted.control.to_string(), token })
    }

    /// What is there.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<(T, Bytes), Failure> {
        self.ask(Method::GET, path, "application/json", Bytes::new()).await
    }

    /// What comes of doing it.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, text: String) -> Result<(T, Bytes), Failure> {
        self.ask(Method::POST, path, "text/plain", text.into()).await
    }

    /// Does away with it, and gives what is told of that.
    pub(crate) async fn delete(&self, path: &str) -> Result<Bytes, Failure> {
        self.text(Method::DELETE, path, "text/plain", Bytes::new()).await
    }

    /// What the config says at a path, or nothing.
    pub(crate) async fn said(&self, path: &str) -> Result<Option<Said>, Failure> {
        let (status, text) = self.exchange(Method::GET, path, "text/plain", Bytes::new(), None).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => self.read(&text).map(Some),
            status => Err(self.refused(status, &text)),
        }
    }

    /// Sets what the config says at a path, if it is what `before` is. Gives what is told of that.
    pub(crate) async fn set(&self, path: &str, value: &Value, before: Option<&Said>) -> Result<Bytes, Failure> {
        let expected = match before {
            Some(said) => (header::IF_MATCH, format!("\"{}\"", said.tag)),
            None => (header::IF_NONE_MATCH, "*".to_owned()),
        };
        let body = Bytes::from(value.to_string());
        let (status, text) = self.exchange(Method::PUT, path, "application/json", body, Some(expected)).await?;
        if status.is_success() { Ok(text) } else { Err(self.refused(status, &text)) }
    }

    /// What comes, event by event, until the gateway ends it.
    pub(crate) async fn follow(&self, path: &str, mut each: impl FnMut(&str)) -> Result<(), Failure> {
        let answer = self.send(Method::GET, path, "text/plain", Bytes::new(), None).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        if !status.is_success() {
            let text = Limited::new(body, MAX_ANSWER).collect().await;
            let text = text.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?.to_bytes();
            return Err(self.refused(status, &text));
        }
        let mut line = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.context("the gateway has gone").map_err(Failure::Unavailable)?;
            for byte in frame.data_ref().into_iter().flatten() {
                if *byte != b'\n' {
                    line.push(*byte);
                    if line.len() > MAX_ANSWER {
                        return Err(anyhow::anyhow!("an event has no end").into());
                    }
                    continue;
                }
                let text = String::from_utf8_lossy(&line);
                if let Some(data) = text.strip_prefix("data: ") {
                    each(data);
                }
                line.clear();
            }
        }
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<(T, Bytes), Failure> {
        let text = self.text(method, path, kind, body).await?;
        Ok((self.read(&text)?, text))
    }

    /// What an answer says.
    pub(crate) fn read<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T, Failure> {
        let read = serde_json::from_slice(text);
        Ok(read.with_context(|| format!("what answers at {} is no toolgate of this version", self.address))?)
    }

    /// The text of an answer that is none of a problem.
    async fn text(&self, method: Method, path: &str, kind: &str, body: Bytes) -> Result<Bytes, Failure> {
        let (status, text) = self.exchange(method, path, kind, body, None).await?;
        if status.is_success() { Ok(text) } else { Err(self.refused(status, &text)) }
    }

    /// An answer, whatever it is.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
        expected: Option<(HeaderName, String)>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let asking = async {
            let answer = self.send(method, path, kind, body, expected).await?;
            let status = answer.status();
            let text = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let text = text.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?.to_bytes();
            Ok::<_, Failure>((status, text))
        };
        let answered = tokio::time::timeout(ANSWER_WAIT, asking).await;
        answered.context("no answer in time").map_err(Failure::Unavailable)?
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
        expected: Option<(HeaderName, String)>,
    ) -> Result<http::Response<Incoming>, Failure> {
        let unavailable = |error: anyhow::Error| {
            Failure::Unavailable(error.context(format!("no control API answers at {}", self.address)))
        };
        let connecting = tokio::time::timeout(CONNECT_WAIT, TcpStream::connect(&self.address)).await;
        let stream = connecting.context("no connection in time").and_then(|stream| Ok(stream?)).map_err(unavailable)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.address)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, kind);
        let request = match expected {
            Some((name, value)) => request.header(name, value),
            None => request,
        };
        let request = request.body(Full::new(body))?;
        sender.send_request(request).await.map_err(|error| unavailable(error.into()))
    }

    fn refused(&self, status: StatusCode, text: &[u8]) -> Failure {
        match serde_json::from_slice::<Problem>(text) {
            Ok(problem) if problem.kind.ends_with(":faulty-config") => {
                eprintln!("{}", harmless(&problem.detail));
                Failure::Config
            }
            Ok(problem) => anyhow::anyhow!("{}", harmless(&problem.detail)).into(),
            Err(_) => anyhow::anyhow!("{} answers {status}; is it a toolgate?", self.address).into(),
        }
    }
}

/// Where gateways post that they run.
fn folders(settings: Option<&Settings>) -> Vec<PathBuf> {
    let usual = settings::surroundings().state;
    let own = settings.and_then(|settings| settings.state_dir.clone());
    own.into_iter().chain(usual).collect()
}

/// The one that is meant.
fn choose(mut running: Vec<Posted>, config: Option<&PathBuf>, is_named: bool) -> Result<Posted, Failure> {
    let is_its = |one: &&Posted| config.is_some() && one.config.as_ref() == config;
    let mut its = running.iter().filter(is_its);
    if let (Some(one), None) = (its.next(), its.next()) {
        return Ok(one.clone());
    }
    if running.len() == 1 && !is_named {
        return Ok(running.remove(0));
    }
    let row = |one: &Posted| {
        let config = one.config.as_ref().map_or("no config file".into(), |file| file.display().to_string());
        format!("\n  http://{}  process {}, {config}", one.control, one.pid)
    };
    let rows: String = running.iter().map(row).collect();
    if running.is_empty() || (is_named && !running.iter().any(|one| is_its(&one))) {
        let what = "no gateway with a control API runs here with this config; is `toolgate serve` running? Name another with --url";
        return Err(Failure::Unavailable(anyhow::anyhow!("{what}{rows}")));
    }
    Err(anyhow::anyhow!("several gateways run on this machine; name one with --config or --url:{rows}").into())
}

/// Host and port of a URL or of what may be one, and whether that is this machine.
fn authority(url: &str) -> anyhow::Result<(String, bool)> {
    let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: http::Uri = with_scheme.parse().with_context(|| format!("`{url}` is no URL"))?;
    anyhow::ensure!(uri.scheme_str() == Some("http"), "`{url}`: the control API is reached over http");
    let host = uri.host().with_context(|| format!("`{url}` names no host"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    Ok((format!("{host}:{}", uri.port_u16().unwrap_or(80)), is_here))
}
