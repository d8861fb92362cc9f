//! Where `tools`, `call` and `search` ask: a running gateway, or a config whose servers run for as long as the command takes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpStream;
use toolgate_app::{Gateway, Presented, Request, build, start_logging};
use toolgate_protocol::endpoint::Endpoint as Place;
use toolgate_protocol::{
    Event, Json, Method, Object, Outcome, Presentation, Reply, Revision, RpcError, UpstreamName, meta,
};
use toolgate_upstream::{
    Apart, Backoff, Call, EraPin, Host, HttpConfig, Limits, Origin, Parking, Timeouts, Transport, Upstream, own_meta,
};

use crate::Failure;
use crate::args;
use crate::settings;

/// The most pages read of a list.
const MAX_PAGES: usize = 1_000;

/// For upstreams that were started for the command to end.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// What answers.
pub(crate) enum Endpoint {
    /// A server at a URL.
    Remote(Arc<Upstream>),
    /// A gateway in this process, and how it is to show its tools.
    Local(Arc<Gateway>, Box<Presented>),
}

// === impl Endpoint ===

impl Endpoint {
    /// The gateway that the options mean, with its tools shown like this.
    pub(crate) async fn open(options: &args::Gateway, view: Presentation) -> Result<Self, Failure> {
        let endpoint = options.namespace.clone().map_or(Place::Default, Place::of_namespace);
        if let Some(url) = &options.url {
            return Self::remote(&with_view(url, view)).await;
        }
        let loaded = settings::load_aloud(options.config.as_deref()).await?;
        let mut quiet = loaded.settings.log.clone();
        quiet.level = toolgate_config::LogLevel::Warn;
        start_logging(&quiet);
        if options.config.is_none()
            && let Some(address) = loaded.settings.listen.first()
            && TcpStream::connect(address).await.is_ok()
        {
            return Self::remote(&with_view(&format!("http://{address}{endpoint}"), view)).await;
        }
        let loaded = loaded.with_what_is_set().await?;
        let built = build(&loaded.settings, &settings::surroundings())?;
        if !built.gateway.serves(&endpoint) {
            built.gateway.stop(STOP_WAIT).await;
            return Err(settings::unknown_namespace(&loaded.settings));
        }
        let presented = Presented { presentation: Some(view), endpoint, ..Presented::default() };
        Ok(Self::Local(built.gateway, Box::new(presented)))
    }

    async fn remote(url: &str) -> Result<Self, Failure> {
        let uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
        let timeouts =
            Timeouts { connect: Duration::from_secs(10), call: Duration::from_secs(600), ..Timeouts::default() };
        let upstream = Upstream::start(
            toolgate_upstream::Config {
                name: UpstreamName::new("gateway").context("a literal name is legal")?,
                transport: Transport::Http(HttpConfig { url: uri, headers: Vec::new() }),
                era: EraPin::Auto,
                timeouts,
                limits: Limits::default(),
                restart: Backoff::default(),

                apart: Apart::default(),
                idle: None,
            },
            None,
            Host::new(None, Parking::default()),
        );
        let deadline = tokio::time::Instant::now() + timeouts.connect;
        match upstream.ready(deadline).await {
            Ok(_) => Ok(Self::Remote(upstream)),
            Err(failure) => Err(Failure::Unavailable(
                anyhow::anyhow!("{failure}").context(format!("no MCP server answers at {url}")),
            )),
        }
    }

    /// Sends a request.
    pub(crate) async fn send(&self, method: Method, mut params: Object) -> Reply {
        meta::edit(&mut params, |meta| {
            for member in own_meta(Revision::LATEST_MODERN).into_members() {
                meta.set(member.name(), member.value.clone());
            }
        });
        match self {
            Self::Remote(upstream) => {
                upstream
                    .send(Call { method, params, param_headers: Vec::new(), origin: Origin::anonymous("person") })
                    .await
            }
            Self::Local(gateway, presented) => {
                let request = Request { id: Json::literal("1"), method, params, param_headers: None };
                gateway.handle(presented, request).await
            }
        }
    }

    /// All tools, as defined.
    pub(crate) async fn tools(&self) -> Result<Vec<Object>, Failure> {
        let mut tools = Vec::new();
        let mut params = Object::new();
        for _ in 0..MAX_PAGES {
            let page = self.send(Method::ToolsList, params.clone()).await.outcome().await.map_err(refused)?.object()?;
            for tool in page.get("tools").map(Json::array).transpose()?.unwrap_or_default() {
                tools.push(tool.object()?);
            }
            match page.get("nextCursor") {
                Some(cursor) => params.set("cursor", cursor.clone()),
                None => break,
            }
        }
        Ok(tools)
    }

    /// Ends what was started for the command.
    pub(crate) async fn close(self) {
        match self {
            Self::Remote(upstream) => upstream.stop().await,
            Self::Local(gateway, _) => gateway.stop(STOP_WAIT).await,
        }
    }
}

/// The same URL, which asks for a presentation unless it does so already. Servers that are no toolgate ignore it.
fn with_view(url: &str, view: Presentation) -> String {
    match url.split_once('?') {
        Some((_, query)) if query.split('&').any(|pair| pair.starts_with("view=")) => url.to_owned(),
        Some(_) => format!("{url}&view={view}"),
        None => format!("{url}?view={view}"),
    }
}

/// A JSON-RPC error as the command's own.
pub(crate) fn refused(error: RpcError) -> Failure {
    Failure::Failed(anyhow::anyhow!("{}", crate::screen::harmless(&error.message)))
}

/// The outcome of a reply; progress is shown on the way.
pub(crate) async fn outcome(mut reply: Reply, mut progress: impl FnMut(&Object)) -> Outcome {
    while let Some(event) = reply.next().await {
        match event {
            Event::Done(outcome) => return outcome,
            Event::Notification(notification) if notification.method == Method::Progress => {
                progress(&notification.params)
            }
            Event::Notification(_) => {}
        }
    }
    Err(RpcError::new(toolgate_protocol::code::INTERNAL_ERROR, "no answer"))
}
