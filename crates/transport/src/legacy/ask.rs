//! An `input_required` result, asked as requests to the client.
//!
//! Source: `client/sampling`, `client/elicitation`, `client/roots` of the legacy revisions; multi round-trip requests of
//! 2026-07-28. The questions go out on the stream of the call that they belong to.

use toolgate_protocol::message::Request;
use toolgate_protocol::{Id, Json, Method, Notification, Object, Outcome, RpcError, code, meta, refusal};

use super::session::{Out, Outlet, Session, random_id};

/// The most questions in one round.
const MAX_QUESTIONS: usize = 64;

impl Session {
    /// Asks everything that a result asks, at once, and collects the answers under the same keys. Adds the ids of ours under
    /// which the client was sent to `pages` and agreed.
    pub(super) async fn ask_all(
        &self,
        result: &Object,
        outlet: &Outlet,
        pages: &mut Vec<Json>,
    ) -> Result<Object, RpcError> {
        let questions = result.child("inputRequests").unwrap_or_default();
        if questions.len() > MAX_QUESTIONS {
            return Err(RpcError::new(
                code::INTERNAL_ERROR,
                format!("the server asked more than {MAX_QUESTIONS} questions at once"),
            ));
        }
        let asked = questions.members().map(|question| async move {
            let mut page = None;
            // A refusal is an answer too: the server may have a way to go on without.
            let answer = self.ask(&question.value, outlet, &mut page).await;
            let answer = answer.unwrap_or_else(|error| refusal::write(&error));
            (question.name().to_owned(), answer, page)
        });
        let mut answers = Object::new();
        for (key, answer, page) in futures_util::future::join_all(asked).await {
            let agreed = || answer.object().ok()?.string("action").filter(|action| action == "accept");
            if agreed().is_some() {
                pages.extend(page);
            }
            answers.set(&key, answer);
        }
        Ok(answers)
    }

    pub(super) async fn ask(&self, question: &Json, outlet: &Outlet, page: &mut Option<Json>) -> Outcome {
        let question = question.object().map_err(|error| {
            RpcError::new(code::INTERNAL_ERROR, format!("the server's question cannot be read: {error}"))
        })?;
        let method = Method::from(question.string("method").unwrap_or_default().as_str());
        let mut params = question.child("params").unwrap_or_default();
        self.check_capability(&method, &params)?;
        if method == Method::Elicit
            && params.string("mode").as_deref() == Some("url")
            && params.get("elicitationId").is_none()
        {
            // The modern era dropped this id; legacy clients key their dialogs by it. A legacy upstream's comes along.
            let mut own = None;
            meta::edit(&mut params, |meta| own = meta.remove(meta::ELICITATION_ID));
            let id = own.unwrap_or_else(|| page.insert(Json::string(&random_id())).clone());
            self.remember_page(&id);
            params.set("elicitationId", id);
        }
        let left =
            |when: &str| RpcError::new(code::INTERNAL_ERROR, format!("the client left before it {when} ({method})"));
        let (id, answered) = self.expect_answer().ok_or_else(|| left("could be asked"))?;
        let question = Request::new(Id::number(id), method.clone(), params);
        if outlet.send(Out::Message(question.encode())).await.is_err() {
            self.forget_answer(id);
            return Err(left("could be asked"));
        }
        let patience = self.gateway.answer_wait();
        match tokio::time::timeout(patience, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(left("answered"))),
            Err(_) => {
                self.forget_answer(id);
                let late = format!("the client did not answer {method} within {patience:?}");
                // Whoever sees the question learns that it is void (`basic/lifecycle`, "Timeouts").
                let void =
                    Object::new().with("requestId", Id::number(id).json().clone()).with("reason", Json::string(&late));
                let _ = outlet.send(Out::Message(Notification::new(Method::Cancelled, void).encode())).await;
                Err(RpcError::new(code::INTERNAL_ERROR, late))
            }
        }
    }

    fn check_capability(&self, method: &Method, params: &Object) -> Result<(), RpcError> {
        let capabilities = self.capabilities.object().unwrap_or_default();
        let wanted = match method {
            Method::Sample => "sampling",
            Method::Elicit => "elicitation",
            Method::RootsList => "roots",
            other => {
                return Err(RpcError::new(
                    code::METHOD_NOT_FOUND,
                    format!("the server asked something that no client answers: {other}"),
                ));
            }
        };
        let has = match capabilities.get(wanted) {
            None => false,
            Some(modes) if *method == Method::Elicit && params.string("mode").as_deref() == Some("url") => {
                modes.object().is_ok_and(|modes| modes.get("url").is_some())
            }
            Some(_) => true,
        };
        let missing = || {
            RpcError::new(
                code::INTERNAL_ERROR,
                format!("the server needs a client with the capability `{wanted}`, which this one did not declare"),
            )
        };
        has.then_some(()).ok_or_else(missing)
    }
}
