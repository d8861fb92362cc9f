//! THE REQUEST PATH, top to bottom.
//!
//! Who is calling, what may they see, which way leads there, send. Every step takes what only the step before can give, so
//! the order cannot be got wrong: a view needs a caller, a route needs a view, and an upstream is reached by a route alone.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use toolgate_catalog::{About, Arrangement, Catalog, NamespaceStatus, UpstreamStatus, View};
use toolgate_discovery::surface::SurfaceTool;
use toolgate_identity::{Caller, Identity, Presented};
use toolgate_protocol::{Endpoint, Json, Kind, Method, Object, Reply, meta};

use crate::answer;
use crate::config_status::ConfigStatus;
use crate::costs::{self, Costs, PresentationStatus};
use crate::error::{Blame, Error};
use crate::listen::{self, Asides, ListsWatch};
use crate::listens::{ListenStatus, Listens};
use crate::present::Presenter;
use crate::surface;

/// The gateway: everything between the transports and the upstreams.
pub struct Gateway {
    identity: Identity,
    catalog: Catalog,
    presenter: Arc<Presenter>,
    listens: Listens,
    config: watch::Sender<ConfigStatus>,
}

/// A request in modern form.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id that the client gave it.
    pub id: Json,
    /// What is asked for.
    pub method: Method,
    /// With what; `_meta` is complete and was checked.
    pub params: Object,
    /// The `Mcp-Param-*` headers as pairs of lower-case suffix and decoded value; `None` where the transport has none.
    pub param_headers: Option<Vec<(String, String)>>,
}

/// Who answers a method.
enum AnsweredBy {
    Gateway,
    Watch,
    Upstream,
    Task,
    Nobody,
}

// === impl Gateway ===

impl Gateway {
    /// A gateway in front of a catalog.
    pub fn new(identity: Identity, catalog: Catalog) -> Self {
        Self {
            identity,
            catalog,
            presenter: Arc::new(Presenter::new()),
            listens: Listens::default(),
            config: watch::Sender::default(),
        }
    }

    /// Puts another arrangement in the place of the present one; see [`Catalog::rearrange`].
    pub fn rearrange(&self, arrangement: Arrangement) {
        self.catalog.rearrange(arrangement);
    }

    /// Notes what operators are to know of the config.
    pub fn note_config(&self, note: impl FnOnce(&mut ConfigStatus)) {
        self.config.send_modify(note);
    }

    /// The config that is in force.
    pub fn config(&self) -> ConfigStatus {
        self.config.borrow().clone()
    }

    /// What `caller` may see at the endpoint that a request came to.
    fn view(&self, caller: &Caller, presented: &Presented) -> Result<View, Error> {
        let view = self.catalog.view(caller, &presented.endpoint);
        view.ok_or_else(|| Error::NoEndpoint(presented.endpoint.clone()))
    }

    /// What a client that asks for nothing may see.
    fn plain_view(&self) -> Result<View, Error> {
        self.view(&Caller::anonymous(), &Presented::default())
    }

    /// Whether a client may see a tool of this public name.
    pub async fn has_tool(&self, presented: &Presented, name: &str) -> bool {
        let Ok(caller) = self.identity.identify(presented).await else { return false };
        self.catalog.settled().await;
        self.view(&caller, presented).is_ok_and(|view| view.entry(Kind::Tool, name).is_some())
    }

    /// What an endpoint shows, for operators.
    ///
    /// # Errors
    /// There is no such endpoint.
    pub fn look(&self, endpoint: &Endpoint) -> Result<View, Error> {
        self.view(&Caller::anonymous(), &Presented { endpoint: endpoint.clone(), ..Presented::default() })
    }

    /// Whether there is such an endpoint.
    pub fn serves(&self, endpoint: &Endpoint) -> bool {
        self.catalog.has(endpoint)
    }

    /// Answers one request. Never fails and never panics: what goes wrong is an error in the reply.
    pub async fn handle(&self, presented: &Presented, request: Request) -> Reply {
        let method = request.method.clone();
        // Boxed: the future of the whole path, once moved, need not be carried about in those of the transports.
        match AssertUnwindSafe(Box::pin(self.exchange(presented, request))).catch_unwind().await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => refuse(&method, &error),
            Err(panic) => refuse(&method, &Error::Internal(panic_text(&*panic))),
        }
    }

    async fn exchange(&self, presented: &Presented, request: Request) -> Result<Reply, Error> {
        let caller = self.identity.identify(presented).await?;
        match answered_by(&request.method) {
            AnsweredBy::Gateway => {
                self.catalog.settled().await;
                let view = self.view(&caller, presented)?;
                answer::answer(&view, &self.presenter, presented, &request).map(|result| Reply::done(Ok(result)))
            }
            AnsweredBy::Watch => {
                // Before anything else, so that no change falls between the acknowledgement and the first look.
                let changes = self.catalog.changes();
                self.catalog.settled().await;
                let view = self.view(&caller, presented)?;
                let lists = ListsWatch::new(view.clone(), self.presenter.clone(), presented.clone());
                let (closing, open) = self.listens.begin(presented, &request.params);
                let reply = listen::listen(&view, changes, lists, closing, request).await?;
                Ok(reply.map_outcome(move |outcome| {
                    drop(open);
                    outcome
                }))
            }
            AnsweredBy::Upstream => {
                let view = self.view(&caller, presented)?;
                if let Some(tool) = self.surface_tool(&view, presented, &request) {
                    self.catalog.settled().await;
                    // Boxed, so that every other call's future need not have room for it.
                    return Box::pin(surface::answer(&self.presenter, view.now(), tool, request)).await;
                }
                let route = view.resolve(&request.method, &request.params).await?;
                if let Some(headers) = &request.param_headers
                    && let Some(fault) = route.param_header_fault(&request.params, headers)
                {
                    return Err(Error::HeaderMismatch(fault));
                }
                tracing::debug!(caller = caller.subject(), method = %request.method, subject = %route.subject(), "exchange");
                Ok(route.send(request.method, request.params).await)
            }
            AnsweredBy::Task => {
                if !meta::declares(&request.params, meta::TASKS) {
                    return Err(Error::MissingExtension(meta::TASKS));
                }
                let view = self.view(&caller, presented)?;
                let route = view.task(&request.params).ok_or(Error::UnknownTask)?;
                Ok(route.send(request.method, request.params).await)
            }
            AnsweredBy::Nobody => {
                let view = self.view(&caller, presented)?;
                let route =
                    view.transparent(&request.method).ok_or_else(|| Error::MethodNotFound(request.method.clone()))?;
                Ok(route.send(request.method, request.params).await)
            }
        }
    }

    /// The tool of the surface that a request calls, if it calls one.
    fn surface_tool(&self, view: &View, presented: &Presented, request: &Request) -> Option<SurfaceTool> {
        if request.method != Method::ToolsCall {
            return None;
        }
        self.presenter.surface_tool(view, presented, &request.params.string("name")?)
    }

    /// What the gateway says of itself to this client.
    pub async fn about(&self, presented: &Presented) -> Result<About, Error> {
        let caller = self.identity.identify(presented).await?;
        self.catalog.settled().await;
        Ok(answer::about(&self.view(&caller, presented)?, &self.presenter, presented))
    }

    /// A client's conversation is over: what upstreams keep for it alone is ended.
    pub fn end_conversation(&self, conversation: &str) {
        self.catalog.end_conversation(conversation);
    }

    /// How long a client may take to answer what an upstream asks it.
    pub fn answer_wait(&self) -> Duration {
        self.catalog.answer_wait()
    }

    /// Gives up a call that waits for its client's answers: it will not be sent again. `params` are those of the retry that
    /// there would have been.
    pub async fn abandon(&self, presented: &Presented, method: &Method, params: &Object) {
        let Ok(caller) = self.identity.identify(presented).await else { return };
        let Ok(view) = self.view(&caller, presented) else { return };
        if let Ok(route) = view.resolve(method, params).await {
            route.abandon(method, params);
        }
    }

    /// What the upstreams that a client may see have to say to it in the course of no call.
    ///
    /// Errors: when nobody is known by what was presented, or the endpoint is no more.
    pub async fn asides(&self, presented: &Presented) -> Result<Asides, Error> {
        let caller = self.identity.identify(presented).await?;
        let (changes, view) = (self.catalog.changes(), self.view(&caller, presented)?);
        Ok(Asides::new(changes, view, caller))
    }

    /// Whether some upstream has a connection for this client alone, and may want to know of its roots.
    pub async fn wants_roots(&self, presented: &Presented) -> bool {
        self.identity.identify(presented).await.is_ok_and(|caller| self.catalog.wants_roots(&caller))
    }

    /// A client's roots are others now; `answer` is what it answers who asks for them.
    pub async fn roots_changed(&self, presented: &Presented, answer: &Json) {
        if let Ok(caller) = self.identity.identify(presented).await {
            self.catalog.roots_changed(&caller, answer);
        }
    }

    /// The listens that are open.
    pub fn listens(&self) -> Vec<ListenStatus> {
        self.listens.all()
    }

    /// Ends a listen with its result; false if there is none of this number.
    pub fn end_listen(&self, number: u64) -> bool {
        self.listens.end(number)
    }

    /// What operators have done with upstreams, and what happens to them.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// How each upstream is doing.
    pub fn status(&self) -> Vec<UpstreamStatus> {
        self.catalog.status()
    }

    /// What each endpoint shows.
    pub fn namespaces(&self) -> Vec<NamespaceStatus> {
        self.catalog.namespaces()
    }

    /// How a client that asks for nothing is shown the tools, in a line.
    pub fn shown_as(&self) -> String {
        self.plain_view().map_or_else(|error| error.to_string(), |view| costs::shown_as(&self.presenter, &view))
    }

    /// How a client that asks for nothing is shown the tools, and why.
    pub async fn presentation(&self) -> Result<PresentationStatus, Error> {
        let (presenter, view) = (self.presenter.clone(), self.plain_view()?);
        let counted = tokio::task::spawn_blocking(move || costs::presentation(&presenter, &view)).await;
        counted.map_err(|error| Error::Internal(format!("counting failed: {error}")))
    }

    /// What the tools cost a model, directly and through the surface.
    pub async fn costs(&self) -> Result<Costs, Error> {
        self.catalog.settled().await;
        costs::costs(&self.presenter, &self.plain_view()?).await
    }

    /// Whether every upstream has come up or failed.
    pub fn is_settled(&self) -> bool {
        self.catalog.is_settled()
    }

    /// Ends all listens with their result; new ones end at once. Calls go on.
    pub fn close_listens(&self) {
        self.listens.close();
    }

    /// Ends the upstreams, within `limit` or as far as that goes.
    pub async fn stop(&self, limit: Duration) {
        self.close_listens();
        if tokio::time::timeout(limit, self.catalog.stop()).await.is_err() {
            tracing::warn!("some upstreams did not end in time");
        }
    }
}

/// The table of the core: whoever is not in it is asked for in vain.
fn answered_by(method: &Method) -> AnsweredBy {
    match method {
        Method::Discover | Method::ToolsList | Method::PromptsList | Method::ResourcesList | Method::TemplatesList => {
            AnsweredBy::Gateway
        }
        Method::Listen => AnsweredBy::Watch,
        Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead | Method::Complete => AnsweredBy::Upstream,
        Method::TasksGet | Method::TasksUpdate | Method::TasksCancel => AnsweredBy::Task,
        _ => AnsweredBy::Nobody,
    }
}

/// The one place where an error of the path is logged.
fn refuse(method: &Method, error: &Error) -> Reply {
    match error.blame() {
        Blame::Gateway => tracing::error!(%method, %error, "request failed"),
        Blame::Client => tracing::debug!(%method, %error, "request refused"),
    }
    Reply::done(Err(error.to_rpc()))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_default())
}
