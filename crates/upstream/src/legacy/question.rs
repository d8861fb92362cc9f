//! What a legacy upstream asks the client in mid-call, and whether this client can be asked that.

use toolgate_protocol::{Id, Json, Method, Object, RpcError, code, meta};

/// A question that waits for its answer.
#[derive(Debug)]
pub(super) struct Question {
    /// Under which the client is asked; the call's own, since legacy questions have no names.
    pub(super) key: String,
    /// Under which the upstream wants the answer.
    pub(super) id: Id,
    pub(super) method: Method,
    pub(super) params: Object,
}

/// What one client of the call can be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Abilities(Object);

// === impl Question ===

impl Question {
    /// The question as a modern result has it: bare, and without what belongs to the legacy hop.
    pub(super) fn embedded(&self) -> Json {
        let mut params = self.params.clone();
        meta::edit(&mut params, |meta| {
            meta.retain(|member| member.name() != meta::PROGRESS_TOKEN && !meta::is_per_hop(member.name()))
        });
        if self.method == Method::Elicit {
            // Removed from the protocol in 2026-07-28; a legacy client is asked under it all the same.
            if let Some(id) = params.remove("elicitationId") {
                meta::edit(&mut params, |meta| meta.set(meta::ELICITATION_ID, id));
            }
        }
        let mut question = Object::new().with("method", Json::string(self.method.as_str()));
        if !params.is_empty() {
            question.set("params", params.to_json());
        }
        question.to_json()
    }

    /// What the upstream is told when nobody answers.
    pub(super) fn unanswered(&self) -> Result<Json, RpcError> {
        match self.method {
            Method::Elicit => Ok(Json::literal(r#"{"action":"cancel"}"#)),
            _ => Err(RpcError::new(code::INTERNAL_ERROR, "the client did not answer in time")),
        }
    }
}

// === impl Abilities ===

impl Abilities {
    /// Those that the `_meta` of a modern request declares.
    pub(super) fn of(meta: &Object) -> Self {
        Self(meta.child(meta::CAPABILITIES).unwrap_or_default())
    }

    /// Whether the client can be asked this; if not, the answer that it would give itself.
    pub(super) fn allow(&self, method: &Method, params: &Object) -> Result<(), RpcError> {
        let what = match method {
            Method::Sample if self.has("sampling") => {
                let has_tools = || self.0.child("sampling").is_some_and(|sampling| is_set(sampling.get("tools")));
                if (params.get("tools").is_none() && params.get("toolChoice").is_none()) || has_tools() {
                    return Ok(());
                }
                "sampling with tools"
            }
            Method::RootsList if self.has("roots") => return Ok(()),
            Method::Elicit if params.string("mode").as_deref() == Some("url") => {
                if self.0.child("elicitation").is_some_and(|elicitation| is_set(elicitation.get("url"))) {
                    return Ok(());
                }
                "elicitation by URL"
            }
            Method::Elicit => {
                // Declared empty, it means forms.
                if self
                    .0
                    .child("elicitation")
                    .is_some_and(|elicitation| elicitation.is_empty() || is_set(elicitation.get("form")))
                {
                    return Ok(());
                }
                "elicitation"
            }
            Method::Sample => "sampling",
            Method::RootsList => "roots",
            _ => "this method",
        };
        Err(RpcError::new(code::METHOD_NOT_FOUND, format!("the client does not support {what}")))
    }

    fn has(&self, capability: &str) -> bool {
        is_set(self.0.get(capability))
    }
}

fn is_set(capability: Option<&Json>) -> bool {
    capability.is_some_and(|value| !matches!(value.as_str(), "null" | "false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(capabilities: &'static str, method: &Method, params: &'static str) -> bool {
        let abilities = Abilities(Json::literal(capabilities).object().unwrap());
        abilities.allow(method, &Json::literal(params).object().unwrap()).is_ok()
    }

    #[test]
    fn a_client_is_asked_only_what_it_declared() {
        for (capabilities, method, params, expected) in [
            (r#"{"elicitation":{}}"#, Method::Elicit, "{}", true),
            (r#"{"elicitation":{"form":{}}}"#, Method::Elicit, r#"{"mode":"form"}"#, true),
            (r#"{"elicitation":{"url":{}}}"#, Method::Elicit, "{}", false),
            (r#"{"elicitation":{}}"#, Method::Elicit, r#"{"mode":"url"}"#, false),
            (r#"{"elicitation":{"url":{}}}"#, Method::Elicit, r#"{"mode":"url"}"#, true),
            (r#"{"sampling":{}}"#, Method::Sample, "{}", true),
            (r#"{"sampling":{}}"#, Method::Sample, r#"{"tools":[]}"#, false),
            (r#"{"sampling":{"tools":{}}}"#, Method::Sample, r#"{"tools":[]}"#, true),
            (r#"{"roots":{}}"#, Method::Sample, "{}", false),
            (r#"{"roots":{"listChanged":true}}"#, Method::RootsList, "{}", true),
            ("{}", Method::RootsList, "{}", false),
        ] {
            assert_eq!(allowed(capabilities, &method, params), expected, "{capabilities} {method} {params}");
        }
    }

    #[test]
    fn a_question_is_carried_bare_and_otherwise_verbatim() {
        let params = r#"{"mode":"url","message":"m","url":"https://x","elicitationId":"e","vendor":1e2,"_meta":{"progressToken":3}}"#;
        let question = Question {
            key: "q1".into(),
            id: Id::number(7),
            method: Method::Elicit,
            params: Json::literal(params).object().unwrap(),
        };
        assert_eq!(
            question.embedded().as_str(),
            r#"{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://x","vendor":1e2,"_meta":{"io.toolgate/elicitationId":"e"}}}"#
        );
    }
}
