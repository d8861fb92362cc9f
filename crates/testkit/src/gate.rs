//! A whole gateway in the test's process: built from a config as a person writes it, with real sockets on a free port and its
//! state in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::net::unix::pipe;
use tokio_util::task::AbortOnDropHandle;
use toolgate_app::{Gateway, Ledger, Presented, Reading, Reloader, Running, Said, Source, Surroundings};
use toolgate_config::{Amendment, ConfigText, Settings};

use crate::Era;
use crate::client::Client;
use crate::line_client::Lines;
use crate::operator::Operator;
use crate::upstream::Upstream;
use crate::wait::{soon, until};

/// A gateway as it is described.
pub struct Plan {
    upstreams: Vec<(String, Value)>,
    config: Vec<String>,
    executable: Option<PathBuf>,
    state: Option<Arc<TempDir>>,
}

/// A gateway that serves, until stopped or dropped.
pub struct Gate {
    running: Running,
    reloader: Arc<Reloader>,
    _following: AbortOnDropHandle<()>,
    url: String,
    state: Arc<TempDir>,
    serve_pipes: ServePipes,
}

/// Serves a client on a pair of pipes, in the background.
type ServePipes = Box<dyn Fn(pipe::Receiver, pipe::Sender) + Send + Sync>;

// === impl Plan ===

impl Plan {
    /// One more upstream.
    #[must_use]
    pub fn and(self, name: &str, upstream: &Upstream) -> Self {
        self.and_config(name, upstream.config())
    }

    /// One more upstream, as the value of its key.
    #[must_use]
    pub fn and_config(mut self, name: &str, config: Value) -> Self {
        self.upstreams.push((name.to_owned(), config));
        self
    }

    /// Changes the last upstream's config.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.upstreams.last_mut().expect("there is one").1[key] = value.into();
        self
    }

    /// Lines of the config file beside `upstreams`.
    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.config.push(lines.to_owned());
        self
    }

    /// The toolgate program, for compiled-in servers and the watchdog.
    #[must_use]
    pub fn program(mut self, executable: &str) -> Self {
        self.executable = Some(executable.into());
        self
    }

    /// With a control API on a free port.
    #[must_use]
    pub fn controlled(self) -> Self {
        self.config("admin: {listen: 127.0.0.1:0}")
    }

    /// Remembers what an earlier gateway kept.
    #[must_use]
    pub fn after(mut self, state: &Arc<TempDir>) -> Self {
        self.state = Some(state.clone());
        self
    }

    /// The config file.
    pub fn text(&self, state: &Path) -> String {
        let upstreams: String = self
            .upstreams
            .iter()
            .map(|(name, config)| format!("  {}: {config}\n", Value::from(name.as_str())))
            .collect();
        let has = |key: &str| self.config.iter().any(|lines| lines.starts_with(key));
        let mut text = String::new();
        if !has("listen:") {
            text += "listen: 127.0.0.1:0\n";
        }
        if !has("admin:") {
            text += "admin: {listen: off}\n";
        }
        if !has("restart:") {
            text += "restart: {first_wait: 20ms}\n";
        }
        text += &format!("state_dir: {}\n", Value::from(state.to_str().expect("a temporary folder has a plain name")));
        text += &self.config.join("\n");
        text + "\nupstreams:\n" + if upstreams.is_empty() { "  {}\n" } else { &upstreams }
    }

    /// Starts it.
    pub async fn start(self) -> Gate {
        let state = self.state.clone().unwrap_or_else(|| Arc::new(tempfile::tempdir().expect("a folder can be made")));
        let text = self.config_text(state.path());
        let (settings, _) = said(&text, &[]);
        let ledger = Ledger::open(&settings, None, None).await.expect("the story's store can be one");
        let (settings, said) = said(&text, &ledger.amendments());
        let source = Source { said, ledger: Arc::new(ledger), ..Source::default() };
        let surroundings = Surroundings { executable: self.executable, source, ..Surroundings::default() };
        let built = toolgate_app::build(&settings, &surroundings).expect("the story's config can be built");
        let (gateway, limits, grace) = (built.gateway.clone(), built.pipe, settings.timeouts.shutdown);
        let serve_pipes = move |input, output| {
            let gateway = gateway.clone();
            // It ends with its client.
            tokio::spawn(async move {
                toolgate_app::serve_stdio(gateway, Presented::default(), input, output, limits, grace).await
            });
        };
        let reloader = built.reloader.clone();
        let following = reloader.clone();
        let following = AbortOnDropHandle::new(tokio::spawn(async move { following.follow().await }));
        let running = toolgate_app::start(built, &settings).await.expect("a free port can be bound");
        let url = format!("http://{}", running.addresses[0]);
        Gate { running, reloader, _following: following, url, state, serve_pipes: Box::new(serve_pipes) }
    }

    /// The config file, which stands in the folder of what outlives the gateway.
    fn config_text(&self, state: &Path) -> ConfigText {
        ConfigText { origin: state.join("toolgate.yaml"), text: self.text(state), format: None }
    }
}

/// What a config means, with what is set over the control API.
fn said(text: &ConfigText, amendments: &[Amendment]) -> (Settings, Said) {
    match Reading::of_text(text, amendments).expect("there is a working folder").said {
        Ok(said) => said,
        Err(faults) => panic!("the story's config has faults:\n{faults}\n{}", text.text),
    }
}

// === impl Gate ===

impl Gate {
    /// A gateway in front of nothing yet.
    pub fn of_nothing() -> Plan {
        Plan { upstreams: Vec::new(), config: Vec::new(), executable: None, state: None }
    }

    /// A gateway in front of one upstream.
    pub fn of(name: &str, upstream: &Upstream) -> Plan {
        Self::of_nothing().and(name, upstream)
    }

    /// Where it serves, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of what outlives it.
    pub fn state(&self) -> &Arc<TempDir> {
        &self.state
    }

    /// An operator at its control API, which the plan has set up.
    pub fn operator(&self) -> Operator {
        let address = self.running.control.expect("the plan has a control API");
        let token = toolgate_app::control_token(self.state.path()).expect("it can be read").expect("it was made");
        Operator::of(&format!("http://{address}"), &token)
    }

    /// The gateway behind the sockets.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.running.gateway
    }

    /// Puts another plan in the place of the one it was started by, and says what that changed.
    pub async fn becomes(&self, plan: Plan) -> Vec<String> {
        let applied = self.reloader.apply_text(plan.config_text(self.state.path())).await;
        let applied = applied.expect("the story's config can be built");
        applied.iter().map(ToString::to_string).collect()
    }

    /// A client of that era; a legacy one has shaken hands.
    pub async fn client(&self, era: Era) -> Client {
        Client::connect(&self.url, era).await
    }

    /// A modern client.
    pub async fn modern(&self) -> Client {
        self.client(Era::Modern).await
    }

    /// A legacy client that has shaken hands.
    pub async fn legacy(&self) -> Client {
        self.client(Era::Legacy).await
    }

    /// A pair of pipes on which it serves one client, as `toolgate stdio` does. The end of one is the end of all listens.
    pub(crate) fn pipes(&self) -> Lines {
        let pipe = || pipe::pipe().expect("a pipe can be made");
        let ((to_gate, input), (output, from_gate)) = (pipe(), pipe());
        (self.serve_pipes)(input, output);
        Lines::over_pipes(to_gate, from_gate)
    }

    /// Waits until every upstream is up or has failed.
    pub async fn settled(self) -> Self {
        let visitor = Client::visitor(&self.url);
        until("the gateway is ready", || async { (visitor.get("/readyz").await.status == 200).then_some(()) }).await;
        self
    }

    /// How an upstream is doing, as `/status` has it.
    pub async fn status(&self, upstream: &str) -> Value {
        let status = Client::visitor(&self.url).get("/status").await.json();
        let found =
            status["upstreams"].as_array().and_then(|all| all.iter().find(|one| one["name"] == upstream).cloned());
        found.unwrap_or_else(|| panic!("no upstream `{upstream}` in {status}"))
    }

    /// Waits until the status of an upstream is one that `wanted` says yes to.
    pub async fn status_becomes(&self, upstream: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || async { Some(self.status(upstream).await).filter(|status| wanted(status)) }).await
    }

    /// Stops it as a signal would, and waits for the end. Gives the folder of what outlives it.
    pub async fn stop(self) -> Arc<TempDir> {
        soon("the gateway stops", self.running.stop()).await;
        self.state
    }
}
