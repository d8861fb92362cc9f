//! The modern edge (2026-07-28): each request says all there is to know of it, and a question is a kind of result.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_protocol::meta::{self, RequestMeta};
use toolgate_protocol::{Json, Member, Method, Object, Revision, RpcError, code};

use crate::answer::{answer, capabilities, server_info};
use crate::ask::Question;
use crate::call::{Answers, Call, Client, Halt};
use crate::outbox::Outbox;
use crate::seal::Seal;
use crate::server::Server;

/// How long a list that never changes may be kept, in milliseconds.
const LASTING: u64 = 60 * 60 * 1000;
/// How long a list may be kept whose changes are announced.
const ANNOUNCED: u64 = 60 * 1000;

/// Answers one modern request, `subscriptions/listen` excepted.
pub(crate) async fn respond(
    server: &Server,
    seal: &Seal,
    method: &Method,
    params: &Object,
    outbox: Outbox,
) -> Result<Object, RpcError> {
    let envelope = RequestMeta::read(params)?;
    let result = match method {
        Method::Discover => Ok(discover(server)),
        method => one_round(server, seal, method, params, envelope, outbox).await,
    };
    Ok(signed(server, result?))
}

/// Says in a result which server it comes from.
pub(crate) fn signed(server: &Server, mut result: Object) -> Object {
    meta::edit(&mut result, |meta| meta.set(meta::SERVER_INFO, server_info(&server.about)));
    result
}

/// Puts a result's type before its members.
pub(crate) fn typed(result_type: &str, result: Object) -> Object {
    std::iter::once(Member::new("resultType", Json::string(result_type))).chain(result.into_members()).collect()
}

fn discover(server: &Server) -> Object {
    let revisions: Vec<&str> = Revision::MODERN.iter().map(|revision| revision.as_str()).collect();
    let found = Object::new()
        .with("supportedVersions", Json::of(&revisions).expect("a list of strings is JSON"))
        .with("capabilities", capabilities(server))
        .with("instructions", Json::string(server.about.instructions));
    typed("complete", kept(server, &Method::Discover, found))
}

async fn one_round(
    server: &Server,
    seal: &Seal,
    method: &Method,
    params: &Object,
    envelope: RequestMeta,
    outbox: Outbox,
) -> Result<Object, RpcError> {
    let subject = subject(method, params);
    let answers = if method.may_ask() { answers(seal, &subject, params)? } else { Answers::new() };
    let client = Arc::new(Client {
        revision: envelope.revision,
        capabilities: envelope.capabilities.object().unwrap_or_default(),
        info: envelope.client_info,
    });
    let call = Call {
        client: client.clone(),
        meta: params.get("_meta").cloned(),
        outbox,
        progress_token: envelope.progress_token,
        log_from: envelope.log_level,
        answers: answers.clone(),
    };
    match answer(server, method, params, call).await {
        Ok(result) => Ok(typed("complete", kept(server, method, result))),
        Err(Halt::Error(error)) => Err(error),
        Err(Halt::Told(why)) => Err(RpcError::new(code::INVALID_PARAMS, why)),
        Err(Halt::Ask(questions)) => {
            questions.iter().try_for_each(|question| question.allowed_by(&client.capabilities))?;
            Ok(input_required(&questions, &seal.close(&subject, &answers)))
        }
    }
}

fn input_required(questions: &[Question], state: &str) -> Object {
    let requests = questions.iter().fold(Object::new(), |requests, question| {
        let mut request = Object::new().with("method", Json::string(question.method.as_str()));
        if !question.params.is_empty() {
            request.set("params", question.params.to_json());
        }
        requests.with(question.key, request.to_json())
    });
    let result = Object::new().with("inputRequests", requests.to_json()).with("requestState", Json::string(state));
    typed("input_required", result)
}

/// What a request is about, in words that are the same in every round of it.
fn subject(method: &Method, params: &Object) -> String {
    let name = method.named_by().and_then(|member| params.string(member)).unwrap_or_default();
    // Read and written again, since a client may space or order the same arguments differently.
    let arguments: Option<BTreeMap<String, Value>> =
        params.get("arguments").and_then(|arguments| arguments.read().ok());
    json!([method.as_str(), name, arguments]).to_string()
}

/// The answers of this round, and those of earlier rounds that the client carried for us.
fn answers(seal: &Seal, subject: &str, params: &Object) -> Result<Answers, RpcError> {
    let wrong = |what: &str| RpcError::new(code::INVALID_PARAMS, what);
    let mut answers = match params.get("inputResponses") {
        None => Answers::new(),
        Some(responses) => {
            let responses = responses.object().map_err(|_| wrong("`params.inputResponses` must be an object"))?;
            responses.members().map(|member| (member.name().to_owned(), member.value.clone())).collect()
        }
    };
    if let Some(state) = params.get("requestState") {
        let state = state.as_string().ok_or_else(|| wrong("`params.requestState` must be a string"))?;
        answers.extend(seal.open(subject, &state)?);
    }
    Ok(answers)
}

/// Says how long and for whom a result may be kept, where it must.
fn kept(server: &Server, method: &Method, result: Object) -> Object {
    if !method.is_cacheable() {
        return result;
    }
    let (time, scope) = match method {
        Method::Discover | Method::TemplatesList => (LASTING, "public"),
        Method::ToolsList | Method::PromptsList if !server.about.varies => (LASTING, "public"),
        Method::ToolsList | Method::PromptsList => (ANNOUNCED, "public"),
        Method::ResourcesList => (ANNOUNCED, "private"),
        _ => (0, "private"),
    };
    result.with("ttlMs", Json::integer(time)).with("cacheScope", Json::string(scope))
}
