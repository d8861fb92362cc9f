//! Questions to the client in the middle of a call: a form for its person, a page to visit, a prompt for its model, its roots.
//!
//! A handler asks with [`crate::call::Call::ask`] and `?`: without an answer the call halts there, and is run again from its
//! beginning once the answer has come. So a handler asks first and acts afterwards. How a question travels is the edges'
//! affair: `modern.rs` answers `input_required` (2026-07-28, multi round-trip requests), `legacy.rs` sends a request.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use toolgate_protocol::{Json, Method, Object, RpcError, code};

use crate::call::Halt;

/// A question under the key by which its answer will be known.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) key: &'static str,
    pub(crate) method: Method,
    pub(crate) params: Object,
    needs: Need,
}

/// What a client must be able to do to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Form,
    Url,
    Sampling,
    Roots,
}

/// What a person did with a form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Elicited<T> {
    /// Filled it in.
    Accepted(T),
    /// Said no.
    Declined,
    /// Closed it without a word.
    Cancelled,
}

// === impl Question ===

impl Question {
    /// A form. `schema` is a flat object schema.
    pub(crate) fn form(key: &'static str, message: &str, schema: Json) -> Self {
        let params = Object::new().with("mode", Json::literal(r#""form""#)).with("message", Json::string(message));
        Self { key, method: Method::Elicit, params: params.with("requestedSchema", schema), needs: Need::Form }
    }

    /// A page that the person should open; the answer only tells whether they agreed to.
    pub(crate) fn url(key: &'static str, message: &str, url: &str) -> Self {
        let params = Object::new().with("mode", Json::literal(r#""url""#)).with("message", Json::string(message));
        Self { key, method: Method::Elicit, params: params.with("url", Json::string(url)), needs: Need::Url }
    }

    /// A prompt for the client's model.
    pub(crate) fn sample(key: &'static str, prompt: &str, system: &str, max_tokens: u64) -> Self {
        let message = json!({"role": "user", "content": {"type": "text", "text": prompt}});
        let params = Object::new()
            .with("messages", plain(&json!([message])))
            .with("systemPrompt", Json::string(system))
            .with("maxTokens", Json::integer(max_tokens));
        Self { key, method: Method::Sample, params, needs: Need::Sampling }
    }

    /// The client's roots.
    pub(crate) fn roots(key: &'static str) -> Self {
        Self { key, method: Method::RootsList, params: Object::new(), needs: Need::Roots }
    }

    /// Whether this is a page to visit.
    pub(crate) fn is_url(&self) -> bool {
        self.needs == Need::Url
    }

    /// Refuses a question that the client did not say it can answer.
    pub(crate) fn allowed_by(&self, capabilities: &Object) -> Result<(), RpcError> {
        let elicitation = capabilities.child("elicitation");
        let allowed = match self.needs {
            Need::Sampling => capabilities.get("sampling").is_some_and(Json::is_object),
            Need::Roots => capabilities.get("roots").is_some_and(Json::is_object),
            Need::Url => elicitation.is_some_and(|modes| modes.get("url").is_some()),
            // Before there were modes, the bare capability meant forms.
            Need::Form => elicitation.is_some_and(|modes| modes.get("form").is_some() || modes.get("url").is_none()),
        };
        if allowed {
            return Ok(());
        }
        let (what, required) = match self.needs {
            Need::Sampling => ("sampling", json!({"sampling": {}})),
            Need::Roots => ("roots", json!({"roots": {}})),
            Need::Url => ("elicitation by URL", json!({"elicitation": {"url": {}}})),
            Need::Form => ("elicitation by form", json!({"elicitation": {"form": {}}})),
        };
        let data = plain(&json!({"requiredCapabilities": required}));
        Err(RpcError::new(code::MISSING_CAPABILITY, format!("This needs a client that supports {what}"))
            .with_data(data))
    }
}

fn plain(value: &Value) -> Json {
    Json::of(value).expect("a tree of JSON values is JSON")
}

// === impl Elicited ===

impl<T> Elicited<T> {
    /// Reads the answer to a form. `key` names it in errors.
    pub(crate) fn read(key: &str, answer: &Json) -> Result<Self, Halt>
    where
        T: DeserializeOwned,
    {
        let wrong = |what: String| {
            Halt::Error(RpcError::new(code::INVALID_PARAMS, format!("invalid answer to `{key}`: {what}")))
        };
        let answer = answer.object().map_err(|error| wrong(error.to_string()))?;
        match answer.string("action").as_deref() {
            Some("accept") => {
                let content = answer.get("content").cloned().unwrap_or(Json::literal("{}"));
                content.read().map(Self::Accepted).map_err(|error| wrong(error.to_string()))
            }
            Some("decline") => Ok(Self::Declined),
            Some("cancel") => Ok(Self::Cancelled),
            _ => Err(wrong("`action` must be accept, decline or cancel".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(text: &'static str) -> Object {
        Json::literal(text).object().unwrap()
    }

    #[test]
    fn bare_elicitation_means_forms_only() {
        let (form, url) =
            (Question::form("f", "?", Json::literal("{}")), Question::url("u", "?", "https://example.com"));
        for (declared, forms, urls) in [
            (r#"{"elicitation":{}}"#, true, false),
            (r#"{"elicitation":{"form":{}}}"#, true, false),
            (r#"{"elicitation":{"url":{}}}"#, false, true),
            (r#"{"elicitation":{"form":{},"url":{}}}"#, true, true),
            ("{}", false, false),
        ] {
            assert_eq!(form.allowed_by(&capabilities(declared)).is_ok(), forms, "{declared}");
            assert_eq!(url.allowed_by(&capabilities(declared)).is_ok(), urls, "{declared}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Question::sample("s", "hi", "be brief", 10).allowed_by(&capabilities("{}")).unwrap_err();
        assert_eq!(error.code, code::MISSING_CAPABILITY);
        assert_eq!(error.data, Some(Json::literal(r#"{"requiredCapabilities":{"sampling":{}}}"#)));
    }
}
