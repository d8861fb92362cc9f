//! Builds every part and hands each what it needs. Nothing is global: what a part knows, it was given here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use toolgate_catalog::{Catalog, Handles, Shelf};
use toolgate_config::{Era, Findable, Isolation, Settings, Transport, UpstreamSettings};
use toolgate_gateway::Gateway;
use toolgate_identity::Identity;
use toolgate_protocol::{Kind, UpstreamName};
use toolgate_seal::Sealer;
use toolgate_transport::PipeLimits;
use toolgate_upstream as upstream;
use toolgate_upstream::Host;

use crate::api;
use crate::live::{Live, Maker};
use crate::reload::{Reloader, Source};

/// The most entries on one page of a list. Most clients read every page at once, so pages only keep answers bounded.
const PAGE_SIZE: usize = 1_000;
/// How long clients may keep a list; changes are announced, so this only covers those that do not listen.
const LIST_TTL: Duration = Duration::from_secs(60);
/// The most connections at once.
const CONNECTIONS: usize = 20_000;
/// How long a client may take to send the headers of a request, and how long a kept connection may rest between two: as long
/// as nginx lets one, since clients that pool connections expect about that.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);

/// What the process is surrounded by.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// This program, to run compiled-in servers and the watchdog with; without it there is neither.
    pub executable: Option<PathBuf>,
    /// The folder for what outlives a restart, unless the settings name one; without it nothing does.
    pub state: Option<PathBuf>,
    /// Where the config is from.
    pub source: Source,
}

/// A gateway and the edge that its settings ask for.
pub struct Built {
    /// The gateway, its upstreams starting.
    pub gateway: Arc<Gateway>,
    /// Changes its config while it serves.
    pub live: Arc<Live>,
    /// Reads the config file again.
    pub reloader: Arc<Reloader>,
    /// The folder for what outlives a restart, if there is one.
    pub state: Option<PathBuf>,
    /// The one there would be if the settings named none.
    pub usual_state: Option<PathBuf>,
    /// For the HTTP edge.
    pub edge: toolgate_transport::Config,
    /// For a client over stdio.
    pub pipe: PipeLimits,
}

/// Settings that only turn out wrong when they are put to use.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An upstream cannot be set up.
    #[error("{origin}: upstream `{name}`: {what}")]
    Upstream {
        /// Where it stands.
        origin: String,
        /// Its name.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// What clients keep cannot be sealed.
    #[error("`keys`: {0}")]
    Keys(String),
    /// What is set over the control API cannot be kept where the settings want it.
    #[error("`store`: {0}")]
    Store(String),
    /// The parts that all upstreams share.
    #[error("cannot set up connections to upstreams: {0}")]
    Host(String),
}

/// Builds a gateway; its upstreams start at once.
pub fn build(settings: &Settings, surroundings: &Surroundings) -> Result<Built, BuildError> {
    let state = settings.state_dir.clone().or_else(|| surroundings.state.clone());
    let shelf = state.as_ref().map(|folder| Shelf::new(folder.join("catalog")));
    let parking = upstream::Parking { total: settings.limits.parked, per_caller: settings.limits.parked_per_caller };
    let host = Host::new(surroundings.executable.clone(), parking);
    let sealer = Sealer::new(settings.keys.iter().map(toolgate_config::Secret::reveal));
    let sealer = Arc::new(sealer.map_err(|error| BuildError::Keys(error.to_string()))?);

    let handles = handles(settings, &sealer, &host).map_err(|error| BuildError::Keys(error.to_string()))?;
    let maker = Maker { host, shelf, surroundings: surroundings.clone() };
    let (now, arrangement) = maker.arrange(settings.clone(), None)?;
    let catalog = Catalog::open(arrangement, handles, maker.shelf.clone());
    let mut identity = Identity::anonymous();
    // A random key is nobody else's.
    if sealer.is_lasting() {
        identity = identity.with_replicas(sealer);
    }
    let gateway = Arc::new(Gateway::new(identity, catalog));
    let limits = &settings.limits;
    let pipe = PipeLimits { message: limits.request, depth: limits.depth, batch: limits.batch };
    let live = Live::new(gateway.clone(), maker, now);
    let reloader = Reloader::new(live.clone(), surroundings.source.clone());
    Ok(Built {
        gateway,
        live,
        reloader,
        state,
        usual_state: surroundings.state.clone(),
        edge: edge_config(settings),
        pipe,
    })
}

fn handles(settings: &Settings, sealer: &Arc<Sealer>, host: &Arc<Host>) -> std::io::Result<Handles> {
    let replicas = || upstream::Replicas::new(host.clone(), upstream_limits(settings));
    let url = settings.replica_url.clone();
    Handles::new(sealer.clone(), url, sealer.is_lasting().then(replicas))
}

fn upstream_limits(settings: &Settings) -> upstream::Limits {
    upstream::Limits {
        message_bytes: settings.limits.response,
        depth: settings.limits.depth,
        parked_for: settings.timeouts.answer,
        ..upstream::Limits::default()
    }
}

pub(crate) fn catalog_config(settings: &Settings) -> toolgate_catalog::Config {
    toolgate_catalog::Config {
        startup_wait: settings.timeouts.startup,
        call_wait: settings.timeouts.connect,
        list_wait: settings.timeouts.list,
        answer_wait: settings.timeouts.answer,
        sweep: settings.refresh,
        list_ttl: LIST_TTL,
        page_size: PAGE_SIZE,
        entries: settings.limits.entries,
        findable: settings.search.include.iter().flat_map(|findable| kinds(*findable)).copied().collect(),
    }
}

fn kinds(findable: Findable) -> &'static [Kind] {
    match findable {
        Findable::Tools => &[Kind::Tool],
        Findable::Prompts => &[Kind::Prompt],
        Findable::Resources => &[Kind::Resource, Kind::Template],
    }
}

fn edge_config(settings: &Settings) -> toolgate_transport::Config {
    // Whoever binds an address by hand means to be called by it.
    let own =
        settings.listen.iter().filter(|address| !address.ip().is_unspecified()).map(|address| address.ip().to_string());
    // And so does whoever tells the other replicas where it is.
    let replica = settings.replica_url.iter().filter_map(|url| Some(url.parse::<Uri>().ok()?.host()?.to_owned()));
    toolgate_transport::Config {
        allowed_hosts: settings.allowed_hosts.iter().cloned().chain(own).chain(replica).collect(),
        allowed_origins: settings.allowed_origins.clone(),
        request_bytes: settings.limits.request,
        depth: settings.limits.depth,
        batch: settings.limits.batch,
        in_flight: settings.limits.in_flight,
        sessions: settings.limits.sessions,
        session_idle: settings.timeouts.session_idle,
        stream_life: settings.timeouts.stream,
        connections: CONNECTIONS,
        header_timeout: HEADER_TIMEOUT,
    }
}

pub(crate) fn upstream_config(
    one: &UpstreamSettings,
    settings: &Settings,
    surroundings: &Surroundings,
) -> Result<upstream::Config, String> {
    let name = UpstreamName::new(&one.slug).ok_or_else(|| format!("`{}` is no legal name", one.slug))?;
    let transport = match &one.transport {
        Transport::Stdio { command, args, env, env_allow, cwd } => upstream::Transport::Stdio(upstream::StdioConfig {
            command: command.to_string_lossy().into_owned(),
            args: args.iter().map(|arg| arg.reveal().to_owned()).collect(),
            env: env.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect(),
            env_allow: env_allow.clone(),
            cwd: Some(cwd.clone()),
        }),
        Transport::Builtin { name } => upstream::Transport::Stdio(upstream::StdioConfig {
            command: surroundings
                .executable
                .as_ref()
                .ok_or("compiled-in servers need the toolgate program")?
                .to_string_lossy()
                .into_owned(),
            args: vec!["builtin".into(), name.as_str().into()],
            env: Vec::new(),
            env_allow: vec!["TZ".into(), "TOOLGATE_MEMORY_FILE".into()],
            cwd: None,
        }),
        Transport::Http { url, headers } => upstream::Transport::Http(http_config(url.reveal(), headers)?),
        Transport::Sse { url, headers } => upstream::Transport::Sse(http_config(url.reveal(), headers)?),
        Transport::OpenApi { document, base_url, headers, operations } => {
            upstream::Transport::Api(api::document(document, base_url.as_ref(), headers, operations)?)
        }
        Transport::Tools { tools, headers } => upstream::Transport::Api(api::tools(tools, headers)?),
    };
    Ok(upstream::Config {
        name,
        transport,
        era: match one.era {
            Era::Auto => upstream::EraPin::Auto,
            Era::Legacy => upstream::EraPin::Legacy,
            Era::Modern => upstream::EraPin::Modern,
        },
        timeouts: upstream::Timeouts {
            connect: settings.timeouts.connect,
            probe: settings.timeouts.probe,
            call: one.timeout,
            list: settings.timeouts.list,
        },
        limits: upstream_limits(settings),
        apart: upstream::Apart {
            by: match one.isolation {
                Isolation::Shared => upstream::Isolation::Shared,
                Isolation::Caller => upstream::Isolation::Caller,
                Isolation::Session => upstream::Isolation::Session,
                Isolation::Call => upstream::Isolation::Call,
            },
            most: settings.limits.isolated,
            idle: settings.timeouts.session_idle,
        },
        idle: one.idle,
        restart: upstream::Backoff { initial: one.restart.first_wait, max: one.restart.max_wait },
    })
}

pub(crate) fn http_config(
    url: &str,
    headers: &[(String, toolgate_config::Secret)],
) -> Result<upstream::HttpConfig, String> {
    let url: Uri = url.parse().map_err(|error| format!("the URL cannot be read: {error}"))?;
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` is no header name"))?;
        let mut value = HeaderValue::try_from(value.reveal())
            .map_err(|_| format!("the value of the header `{name}` has characters that no header carries"))?;
        value.set_sensitive(true);
        Ok((name, value))
    });
    Ok(upstream::HttpConfig { url, headers: headers.collect::<Result<_, String>>()? })
}
