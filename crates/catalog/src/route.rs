//! A permitted way to one entry of one upstream. Only a [`View`](crate::View) makes one (law 1), and whoever holds one has
//! been allowed to use it.

use std::sync::Arc;

use toolgate_identity::Caller;
use toolgate_protocol::header::ParamHeader;
use toolgate_protocol::{Endpoint, Json, Method, Object, Reply, RpcError, Subject, code, meta};
use toolgate_upstream::{Call, Origin, Pass, Upstream};

use crate::catalog::Inner;
use crate::change::Watch;
use crate::entry::{AsTask, Entry};
use crate::handle::{Held, Owner, refused};
use crate::task::Task;
use crate::view::View;

/// The way to one entry.
pub struct Route {
    upstream: Arc<Upstream>,
    subject: Subject,
    /// Absent where an upstream answers for things it does not list.
    entry: Option<Arc<Entry>>,
    caller: Caller,
    inner: Arc<Inner>,
    /// Where the request came in, so that another replica takes it as this one did.
    endpoint: Endpoint,
    /// Where it leads to a task rather than to the tool that began it.
    task: Option<Task>,
    /// Keeps the upstream there for as long as this leads to it; none if it was too late for that.
    pass: Option<Pass>,
}

// === impl Route ===

impl Route {
    pub(crate) fn new(view: &View, upstream: Arc<Upstream>, subject: Subject, entry: Option<Arc<Entry>>) -> Self {
        let (inner, endpoint) = (view.inner.clone(), view.space.namespace.endpoint.clone());
        let pass = upstream.enter();
        Self { upstream, subject, entry, caller: view.caller.clone(), inner, endpoint, task: None, pass }
    }

    /// Whether the upstream was taken out of the config since the view was made.
    pub(crate) fn is_late(&self) -> bool {
        self.pass.is_none()
    }

    /// The way to a task of its tool.
    pub(crate) fn into_task(self, task: Task) -> Self {
        Self { task: Some(task), ..self }
    }

    /// What it leads to.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The entry it leads to; `None` where an upstream answers for things it does not list.
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref()
    }

    /// What is wrong with the `Mcp-Param-*` headers of a call, given as pairs of lower-case name suffix and decoded value, if
    /// anything is: each annotated argument that is present must be repeated, and none that is absent may be.
    pub fn param_header_fault(&self, params: &Object, headers: &[(String, String)]) -> Option<String> {
        let entry = self.entry.as_ref()?;
        let arguments = params.get("arguments").cloned().unwrap_or(Json::literal("{}"));
        entry.param_headers.iter().find_map(|wanted| {
            let found = headers.iter().find(|(name, _)| *name == wanted.name).map(|(_, value)| value.as_str());
            match (wanted.value(&arguments), found) {
                (None, None) => None,
                (Some(_), Some(value)) if wanted.agrees(&arguments, value) => None,
                (Some(_), None) => {
                    Some(format!("the header Mcp-Param-{} is missing; it must repeat the argument", wanted.name))
                }
                (None, Some(_)) => {
                    Some(format!("the header Mcp-Param-{} repeats an argument that is not there", wanted.name))
                }
                (Some(_), Some(_)) => {
                    Some(format!("the header Mcp-Param-{} does not repeat the argument", wanted.name))
                }
            }
        })
    }

    /// Sends a request there, under the native name.
    pub async fn send(&self, method: Method, mut params: Object) -> Reply {
        let public = params.get("requestState").is_some().then(|| params.clone());
        let asked_uri = (method == Method::ResourcesRead).then(|| params.string("uri")).flatten();
        self.make_native(&method, &mut params);
        if method == Method::ToolsCall
            && let Err(error) = self.settle_task(&mut params)
        {
            return Reply::done(Err(error));
        }
        let param_headers = self.param_headers(&params);
        let origin = origin(&self.caller);
        if let Some(task) = self.task.clone() {
            task.use_native_id(&mut params);
            let reply = self.upstream.send(Call { method, params, param_headers: Vec::new(), origin }).await;
            return reply.map_outcome(move |outcome| outcome.map(|result| task.use_public_id(result)));
        }
        if !method.may_ask() {
            return self.upstream.send(Call { method, params, param_headers, origin }).await;
        }
        let mut upstream = self.upstream.clone();
        if let (Some(state), Some(public)) = (params.get("requestState"), public) {
            let owner = Owner::of(self.upstream.name(), &self.caller, &method, &params);
            match self.inner.handles.open(&owner, state, &self.caller) {
                Ok(Held::Own(state)) => params.set("requestState", state),
                Ok(Held::Here(handle)) => match self.holder(&handle) {
                    Some(holder) => {
                        params.set("requestState", Json::string(&handle));
                        upstream = holder;
                    }
                    None => {
                        return Reply::done(Err(refused("it was already used, came too late, or its call was lost")));
                    }
                },
                Ok(Held::Elsewhere(url)) => {
                    let call = Call { method, params: public, param_headers, origin };
                    let url = format!("{url}{}", self.endpoint);
                    return self.inner.handles.forward(&url, call, &self.caller, self.upstream.timeouts().call).await;
                }
                Err(error) => return Reply::done(Err(error)),
            }
        }
        let (handles, caller) = (self.inner.handles.clone(), self.caller.clone());
        let subject = self.subject.clone();
        let (asked, with) = (method.clone(), params.clone());
        let reply = upstream.send(Call { method, params, param_headers, origin }).await;
        reply.map_outcome(move |outcome| {
            // To hash all arguments is not cheap, and hardly any result is a question.
            let owner = || Owner::of(upstream.name(), &caller, &asked, &with);
            let longest = upstream.limits().parked_for;
            let is_parked = |handle: &str| upstream.has_parked(handle).then_some(longest);
            let result = handles.seal_task(&subject, &caller, &with, handles.seal(owner, outcome?, is_parked))?;
            Ok(match asked_uri.filter(|uri| **uri != *subject.native) {
                Some(public) => under_public_uri(result, &subject.native, &public),
                None => result,
            })
        })
    }

    /// Whether a call runs as a task: where its client asks for it, or its tool runs in no other way.
    fn settle_task(&self, params: &mut Object) -> Result<(), RpcError> {
        let support = self.entry.as_ref().map_or(AsTask::Not, |entry| entry.as_task);
        match (support, meta::asks_for_task(params)) {
            (AsTask::Not, true) => {
                let text = format!("this tool does not run as a task: {}", self.subject.native);
                Err(RpcError::new(code::METHOD_NOT_FOUND, text))
            }
            (AsTask::Only, false) => {
                meta::edit(params, |meta| meta.set(meta::AS_TASK, Json::literal("{}")));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Gives up the call that waits here for what the `requestState` of `params` stands for, if one does.
    pub fn abandon(&self, method: &Method, params: &Object) {
        let mut params = params.clone();
        self.make_native(method, &mut params);
        let owner = Owner::of(self.upstream.name(), &self.caller, method, &params);
        if let Some(state) = params.get("requestState")
            && let Ok(Held::Here(handle)) = self.inner.handles.open(&owner, state, &self.caller)
            && let Some(holder) = self.holder(&handle)
        {
            holder.abandon(&handle);
        }
    }

    /// Who holds the call that a handle stands for: this upstream, or one that it took the place of in the config.
    fn holder(&self, handle: &str) -> Option<Arc<Upstream>> {
        if self.upstream.has_parked(handle) {
            return Some(self.upstream.clone());
        }
        self.inner.left_with(self.upstream.name(), handle)
    }

    /// The arguments that the tool wants repeated in headers.
    fn param_headers(&self, params: &Object) -> Vec<(String, String)> {
        let Some(entry) = self.entry.as_ref() else { return Vec::new() };
        let wanted = entry.native_param_headers.as_ref().unwrap_or(&entry.param_headers);
        if wanted.is_empty() {
            return Vec::new();
        }
        let arguments = params.get("arguments").cloned().unwrap_or(Json::literal("{}"));
        let repeated = |header: &ParamHeader| Some((header.name.clone(), header.value(&arguments)?));
        wanted.iter().filter_map(repeated).collect()
    }

    /// Puts what the upstream knows in the place of what clients see.
    fn make_native(&self, method: &Method, params: &mut Object) {
        self.use_native_name(method, params);
        if let Some(overlay) = self.entry.as_ref().and_then(|entry| entry.overlay.as_ref())
            && *method == Method::ToolsCall
        {
            let arguments = params.child("arguments").unwrap_or_default();
            params.set("arguments", overlay.to_native(arguments, &self.caller).to_json());
        }
    }

    fn use_native_name(&self, method: &Method, params: &mut Object) {
        let native = &*self.subject.native;
        if self.entry.as_ref().is_some_and(|entry| *entry.public == *native) {
            return;
        }
        match method {
            Method::ToolsCall | Method::PromptsGet => params.set("name", Json::string(native)),
            Method::ResourcesRead => params.set("uri", Json::string(native)),
            Method::Complete => {
                if let Some(mut reference) = params.child("ref") {
                    let member = if reference.get("uri").is_some() { "uri" } else { "name" };
                    reference.set(member, Json::string(native));
                    params.set("ref", reference.to_json());
                }
            }
            _ => {}
        }
    }

    /// Asks to hear when this resource changes, until the watch is dropped. It is watched where the caller's calls go.
    pub async fn watch(&self) -> Result<Watch, RpcError> {
        self.upstream.watch(&self.subject.native, &origin(&self.caller)).await.map(Watch)
    }
}

/// On whose behalf an upstream is asked.
pub(crate) fn origin(caller: &Caller) -> Origin {
    Origin {
        caller: caller.shared_subject().clone(),
        conversation: caller.conversation().cloned(),
        is_anonymous: caller.is_anonymous(),
    }
}

/// The contents of a resource under the URI that it was asked for by.
fn under_public_uri(result: Json, native: &str, public: &str) -> Json {
    let Ok(mut object) = result.object() else { return result };
    let Some(Ok(contents)) = object.get("contents").map(Json::array) else { return result };
    let renamed = contents.into_iter().map(|content| match content.object() {
        Ok(mut fields) if fields.string("uri").as_deref() == Some(native) => {
            fields.set("uri", Json::string(public));
            fields.to_json()
        }
        _ => content,
    });
    let renamed: Vec<Json> = renamed.collect();
    object.set("contents", Json::array_of(&renamed));
    object.to_json()
}
