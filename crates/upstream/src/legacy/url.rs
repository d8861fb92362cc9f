//! The error of a legacy server that wants its client to visit URLs first (-32042, 2025-11-25 `client/elicitation`).
//!
//! A modern server says that with its questions, and so does this: the client is asked to visit them, and its retry makes the
//! call anew, since nothing of it is under way. What was asked travels in the state, so nothing is kept here.

use toolgate_protocol::{Json, Method, Object, Outcome, RpcError, code};

use super::question::Abilities;
use crate::upstream::Call;

/// Begins the states that mean this.
const AGAIN: &str = "again:";

/// The questions that were to be answered before a call is made again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Again(Object);

/// The outcome, or the questions that it stands for.
pub(super) fn asked_for(method: &Method, abilities: &Abilities, most: usize, outcome: Outcome) -> Outcome {
    let error = match outcome {
        Err(error) if error.code == code::LEGACY_URL_ELICITATION_REQUIRED => error,
        other => return other,
    };
    let questions = questions(&error, most);
    if !method.may_ask() || questions.is_empty() {
        return Err(RpcError { code: code::INTERNAL_ERROR, ..error });
    }
    let url = Object::new().with("mode", Json::literal(r#""url""#));
    if abilities.allow(&Method::Elicit, &url).is_err() {
        // A client that cannot is told so in the words of its era; a legacy one gets back what was said.
        let said = error.data.as_ref().and_then(|data| data.object().ok()).unwrap_or_default();
        let wanted = Json::literal(r#"{"elicitation":{"url":{}}}"#);
        let data = said.with("requiredCapabilities", wanted).to_json();
        return Err(RpcError { code: code::MISSING_CAPABILITY, data: Some(data), ..error });
    }
    Ok(Again(questions).ask())
}

/// Each as a modern result has it, under a key of its own.
fn questions(error: &RpcError, most: usize) -> Object {
    let data = error.data.as_ref().and_then(|data| data.object().ok());
    let listed = data.and_then(|data| data.get("elicitations")?.array().ok()).unwrap_or_default();
    let with_url = listed.iter().filter_map(|one| one.object().ok()).filter(|one| one.string("url").is_some());
    with_url.take(most).enumerate().fold(Object::new(), |all, (nth, mut params)| {
        params.remove("elicitationId");
        params.set("mode", Json::literal(r#""url""#));
        let question =
            Object::new().with("method", Json::string(Method::Elicit.as_str())).with("params", params.to_json());
        all.with(&format!("u{}", nth + 1), question.to_json())
    })
}

// === impl Again ===

impl Again {
    /// The questions, if a state means them.
    pub(super) fn read(state: &str) -> Option<Self> {
        let text = state.strip_prefix(AGAIN)?.to_owned();
        Json::parse(text.into()).ok()?.object().ok().map(Self)
    }

    fn ask(&self) -> Json {
        let questions = self.0.clone().to_json();
        Object::new()
            .with("resultType", Json::literal(r#""input_required""#))
            .with("inputRequests", questions.clone())
            .with("requestState", Json::string(&format!("{AGAIN}{}", questions.as_str())))
            .to_json()
    }

    /// The outcome of a retry that is not to be made: an answer is missing, or was no.
    pub(super) fn judge(&self, retry: &Call) -> Option<Outcome> {
        let answers = retry.params.child("inputResponses").unwrap_or_default();
        let action = |key: &str| answers.child(key)?.string("action");
        let given: Vec<Option<String>> = self.0.members().map(|question| action(question.name())).collect();
        if given.iter().any(Option::is_none) {
            return Some(Ok(self.ask()));
        }
        if given.iter().flatten().all(|action| action == "accept") {
            return None;
        }
        let text = "the server wants a URL to be visited first, and that was declined";
        if retry.method != Method::ToolsCall {
            return Some(Err(RpcError::new(code::INTERNAL_ERROR, text)));
        }
        let content = Object::new().with("type", Json::literal(r#""text""#)).with("text", Json::string(text));
        Some(Ok(Object::new()
            .with("resultType", Json::literal(r#""complete""#))
            .with("content", Json::array_of([&content.to_json()]))
            .with("isError", Json::literal("true"))
            .to_json()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(data: &'static str) -> Outcome {
        let error = RpcError::new(code::LEGACY_URL_ELICITATION_REQUIRED, "log in first");
        Err(error.with_data(Json::literal(data)))
    }

    fn able(capabilities: &str) -> Abilities {
        let meta = format!(r#"{{"io.modelcontextprotocol/clientCapabilities":{capabilities}}}"#);
        Abilities::of(&Json::parse(meta.into()).unwrap().object().unwrap())
    }

    #[test]
    fn what_is_to_be_visited_becomes_questions_for_who_can() {
        let data =
            r#"{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x","message":"m"},{"no":"url"}]}"#;
        let url = able(r#"{"elicitation":{"url":{}}}"#);
        let asked = asked_for(&Method::ToolsCall, &url, 16, error(data)).unwrap().object().unwrap();
        let expected =
            r#"{"u1":{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"m"}}}"#;
        assert_eq!(asked.get("inputRequests").unwrap().as_str(), expected);
        let again = Again::read(&asked.string("requestState").unwrap()).unwrap();
        assert_eq!(again.0.to_json().as_str(), expected);

        let form = able(r#"{"elicitation":{}}"#);
        assert_eq!(asked_for(&Method::ToolsCall, &form, 16, error(data)).unwrap_err().code, code::MISSING_CAPABILITY);
        // A modern client must never see the old code.
        assert_eq!(asked_for(&Method::ToolsCall, &url, 16, error("{}")).unwrap_err().code, code::INTERNAL_ERROR);
        assert_eq!(asked_for(&Method::Complete, &url, 16, error(data)).unwrap_err().code, code::INTERNAL_ERROR);
        let other = Err(RpcError::new(-1, "x"));
        assert_eq!(asked_for(&Method::ToolsCall, &url, 16, other.clone()), other);
    }
}
