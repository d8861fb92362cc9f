//! An HTTP API that speaks no MCP, as an upstream: its link answers lists and calls itself.
//!
//! The tools are read when the upstream is met and again with each list that the catalog asks for. What cannot be read later,
//! or has become faulty, changes nothing: the last good tools stay, and a note says so.

mod client;
mod config;
mod source;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use toolgate_openapi::{Answer, failed};
use toolgate_protocol::{Era, Json, Method, Object, Outcome, Reply, Revision, RpcError, code};

pub(crate) use self::client::origin;

use self::client::Client;
use self::source::{Current, Last, Tools};
use crate::course::Around;
use crate::era::Peer;
use crate::error::Failure;
use crate::host::Host;
use crate::upstream::Call;

pub use config::{ApiConfig, ApiSource, DocumentConfig, DocumentPlace, Headers, Permits};

/// A link to an HTTP API.
#[derive(Debug)]
pub(crate) struct Api {
    config: ApiConfig,
    client: Client,
    headers: HeaderMap,
    current: Current,
    /// What was read last; whoever reads anew holds it.
    last: tokio::sync::Mutex<Last>,
    /// Whether the tools were asked for since they were first read.
    listed: AtomicBool,
    /// Why they could not be read anew.
    stale: Mutex<Option<String>>,
    limit: usize,
    depth: usize,
    /// Cancelled when it is stopped.
    lost: CancellationToken,
}

// === impl Api ===

impl Api {
    /// Reads the tools of an API.
    pub(crate) async fn meet(
        config: &ApiConfig,
        host: Arc<Host>,
        limit: usize,
        depth: usize,
    ) -> Result<(Peer, Arc<Self>), Failure> {
        let client = Client::new(host, limit);
        let mut last = Last::default();
        let tools = source::read(config, &client, limit, &mut last).await?;
        let tools = Arc::new(tools.ok_or_else(|| Failure::Refused("its document is empty".into()))?);
        let peer = Peer {
            era: Era::Modern,
            revision: Revision::LATEST_MODERN,
            server_info: tools.server_info.clone(),
            capabilities: Object::new().with("tools", Json::literal("{}")),
            instructions: tools.instructions.clone(),
            generation: 0,
        };
        let link = Self {
            headers: config.headers.iter().cloned().collect(),
            config: config.clone(),
            client,
            current: Current::new(tools),
            last: tokio::sync::Mutex::new(last),
            listed: AtomicBool::new(false),
            stale: Mutex::default(),
            limit,
            depth,
            lost: CancellationToken::new(),
        };
        Ok((peer, Arc::new(link)))
    }

    /// Ends when it is stopped; each of its requests stands for itself, so nothing else can be lost.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    pub(crate) fn close(&self) {
        self.lost.cancel();
    }

    /// What the operator should know though it works.
    pub(crate) fn notes(&self) -> Vec<String> {
        let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stale.into_iter().chain(self.tools().notes.iter().cloned()).collect()
    }

    /// Answers a request. Dropping the future gives the HTTP request up.
    pub(crate) async fn call(&self, call: Call, within: Duration, around: &Around) -> Result<Reply, Failure> {
        let answering = async {
            match call.method {
                Method::ToolsList => {
                    self.read_anew(within).await;
                    Ok(Ok(self.tools().list.clone()))
                }
                Method::ToolsCall => self.run(&call.params, within).await,
                other => {
                    let what =
                        format!("an HTTP API has tools only, no `{}`", crate::error::neutral(other.as_str(), 60));
                    Ok(Err(RpcError::new(code::METHOD_NOT_FOUND, what)))
                }
            }
        };
        let outcome: Result<Outcome, Failure> = tokio::select! {
            biased;
            () = around.stopped.cancelled() => Err(Failure::Stopped),
            outcome = answering => outcome,
        };
        match outcome {
            Ok(outcome) => Ok(Reply::done(outcome)),
            // It is not the link that failed: another one would be no better, so that it is not tried again.
            Err(failure) if failure.did_not_run() => Ok(Reply::done(Err(failure.to_rpc(&around.upstream)))),
            Err(failure) => Err(failure),
        }
    }

    async fn run(&self, params: &Object, within: Duration) -> Result<Outcome, Failure> {
        let name = params.string("name").unwrap_or_default();
        let tools = self.tools();
        let Some((plan, own)) = tools.plans.get(&name) else {
            let what = format!("there is no tool `{}`", crate::error::neutral(&name, 80));
            return Ok(Err(RpcError::new(code::INVALID_PARAMS, what)));
        };
        let arguments = match params.get("arguments").filter(|arguments| !arguments.is_null()).map(Json::object) {
            None => Object::new(),
            Some(Ok(arguments)) => arguments,
            Some(Err(error)) => {
                return Ok(Err(RpcError::new(code::INVALID_PARAMS, format!("`arguments`: {error}"))));
            }
        };
        let request = match plan.request(&arguments) {
            Ok(request) => request,
            Err(bad) => return Ok(Ok(bad.result())),
        };
        let within = own.unwrap_or(within);
        let answer = timeout(within, self.client.call(request, &self.headers)).await;
        match answer.unwrap_or(Err(Failure::Timeout(within))) {
            Ok(answer) => Ok(Ok(self.result(plan, &answer))),
            Err(Failure::TooLarge(limit)) => {
                let what = format!("The answer has more than {limit} bytes, which is the limit. Ask for less.");
                Ok(Ok(failed(&what)))
            }
            Err(failure) => Err(failure),
        }
    }

    fn result(&self, plan: &toolgate_openapi::Plan, answer: &Answer) -> Json {
        // The result is around it.
        plan.result(answer, self.depth.saturating_sub(3))
    }

    /// Reads the tools anew if this is not the first time that they are asked for.
    async fn read_anew(&self, within: Duration) {
        if !self.listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut last = self.last.lock().await;
        let reading = source::read(&self.config, &self.client, self.limit, &mut last);
        let read = timeout(within, reading).await.unwrap_or(Err(Failure::Timeout(within)));
        let stale = match read {
            Ok(None) => None,
            Ok(Some(tools)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tools);
                None
            }
            Err(failure) => Some(format!("the tools are those read last; now {}", in_words(&failure))),
        };
        let mut told = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = stale.as_ref().filter(|_| *told != stale) {
            tracing::warn!(error = %why, "the document of an API cannot be read anew");
        }
        *told = stale;
    }

    fn tools(&self) -> Arc<Tools> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A failure as what became of a document.
fn in_words(failure: &Failure) -> String {
    match failure {
        Failure::Refused(why) => why.clone(),
        other => format!("its place {other}"),
    }
}
