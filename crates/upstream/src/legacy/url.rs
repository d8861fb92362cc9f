//! The error of a legacy server that wants its client to visit pages first (-32042, 2025-11-25 `client/elicitation`).
//!
//! A modern server says that with its questions, and so does this: the client is asked to visit them, and its retry makes the
//! call anew, since nothing of it is under way. That a person has agreed to visit a page does not mean that it was visited:
//! until the server is content the client is told to come back (`visit.rs`), and is asked for no page a second time. What was
//! asked and agreed to travels in the state, so nothing is kept here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toolgate_protocol::{Json, Method, Object, Outcome, RpcError, code, meta, refusal};

use super::question::Abilities;
use super::visit::Visits;
use crate::upstream::Call;

/// Begins the states that mean this.
const AGAIN: &str = "again:";
/// Pages that the person of one call is sent to.
const MOST_PAGES: usize = 64;
/// Before the call is made anew for the first time where the server does not say that a page was visited; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pages that the person behind a call is sent to, and how far that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pages {
    /// The questions that the client has now, by their keys.
    asked: Object,
    /// What the person agreed to visit.
    agreed: Vec<Page>,
    /// How often the call was made anew since.
    tries: u32,
    /// When it is made anew next, and when for the last time.
    due: Stamp,
    until: Stamp,
    /// Whether the server, asked anew, still wants what was agreed to and nothing else.
    is_waiting: bool,
}

/// A moment that another process understands, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp(u64);

/// A page that the person agreed to visit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    /// Under which the server says that it was visited.
    id: Option<Json>,
    url: String,
    message: Option<String>,
    /// Whether the client knows that it was visited.
    told: bool,
}

// === impl Stamp ===

impl Stamp {
    fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn after(self, pause: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is until then.
    fn remaining(self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(Self::now().0))
    }

    fn read(from: &Object, member: &str) -> Self {
        Self(from.get(member).and_then(Json::as_u64).unwrap_or_default())
    }
}

// === impl Page ===

impl Page {
    /// The page of an elicitation, if it has one.
    fn of(params: &Object, id: Option<&Json>) -> Option<Self> {
        let (url, message) = (params.string("url")?, params.string("message"));
        Some(Self { id: id.filter(|id| id.is_string()).cloned(), url, message, told: false })
    }

    /// Whether one of the two stands for the other: many servers give a page a new id and a new query each time they are
    /// called.
    fn is(&self, other: &Self) -> bool {
        let place = |url: &'_ str| url.split(['?', '#']).next().unwrap_or_default().to_owned();
        self.url == other.url
            || (self.id.is_some() && self.id == other.id)
            || (!self.told && self.message == other.message && place(&self.url) == place(&other.url))
    }

    /// As an elicitation that a modern result may hold.
    fn question(mut params: Object, id: Option<&Json>) -> Json {
        params.remove("elicitationId");
        params.set("mode", Json::literal(r#""url""#));
        if let Some(id) = id {
            // A legacy client is asked under it all the same.
            meta::edit(&mut params, |meta| meta.set(meta::ELICITATION_ID, id.clone()));
        }
        Object::new().with("method", Json::string(Method::Elicit.as_str())).with("params", params.to_json()).to_json()
    }

    /// The page of such an elicitation.
    fn asked_by(question: &Json) -> Option<Self> {
        let params = question.object().ok()?.child("params")?;
        let meta = params.child("_meta").unwrap_or_default();
        Self::of(&params, meta.get(meta::ELICITATION_ID))
    }

    fn to_json(&self) -> Json {
        let mut page = Object::new().with("url", Json::string(&self.url));
        if let Some(id) = &self.id {
            page.set("id", id.clone());
        }
        if let Some(message) = &self.message {
            page.set("message", Json::string(message));
        }
        if self.told {
            page.set("told", Json::literal("true"));
        }
        page.to_json()
    }

    fn read(json: &Json) -> Option<Self> {
        let page = json.object().ok()?;
        let told = page.get("told").is_some();
        Some(Self { told, ..Self::of(&page, page.get("id"))? })
    }
}

// === impl Pages ===

impl Pages {
    /// What a state means, if it means this.
    pub(super) fn read(state: &str) -> Option<Self> {
        let text = state.strip_prefix(AGAIN)?.to_owned();
        let state = Json::parse(text.into()).ok()?.object().ok()?;
        let agreed = state.get("agreed").and_then(|agreed| agreed.array().ok()).unwrap_or_default();
        Some(Self {
            asked: state.child("asked").unwrap_or_default(),
            agreed: agreed.iter().filter_map(Page::read).collect(),
            tries: u32::try_from(Stamp::read(&state, "tries").0).unwrap_or(u32::MAX),
            due: Stamp::read(&state, "due"),
            until: Stamp::read(&state, "until"),
            is_waiting: false,
        })
    }

    fn state(&self) -> Json {
        let agreed: Vec<Json> = self.agreed.iter().map(Page::to_json).collect();
        let state = Object::new()
            .with("asked", self.asked.to_json())
            .with("agreed", Json::array_of(&agreed))
            .with("tries", Json::integer(self.tries.into()))
            .with("due", Json::integer(self.due.0))
            .with("until", Json::integer(self.until.0))
            .to_json();
        Json::string(&format!("{AGAIN}{}", state.as_str()))
    }

    /// The outcome of a call as the client gets it: where it says that pages must be visited first, the questions, or that the
    /// client should come back.
    pub(super) fn judge(
        &mut self,
        method: &Method,
        abilities: &Abilities,
        most: usize,
        visits: &Visits,
        outcome: Outcome,
    ) -> Outcome {
        self.is_waiting = false;
        let error = match outcome {
            Err(error) if error.code == code::LEGACY_URL_ELICITATION_REQUIRED => error,
            other => return other,
        };
        let wanted = wanted(&error, most);
        if !method.may_ask() || wanted.is_empty() {
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
        let is_new = |page: &Page| !self.agreed.iter().any(|agreed| agreed.is(page));
        let new: Vec<_> = wanted.into_iter().filter(|(page, _)| is_new(page)).collect();
        if new.is_empty() {
            self.is_waiting = true;
            return Ok(self.come_back());
        }
        if self.agreed.len() + new.len() > MOST_PAGES {
            let text = format!("the server wants more than {MOST_PAGES} pages to be visited");
            return Err(RpcError::new(code::INTERNAL_ERROR, text));
        }
        new.iter().filter_map(|(page, _)| page.id.as_ref()).for_each(|id| visits.expect(id));
        let keyed = new.into_iter().enumerate();
        self.asked =
            keyed.fold(Object::new(), |all, (nth, (_, question))| all.with(&format!("u{}", nth + 1), question));
        Ok(self.ask())
    }

    /// Whether that was [`Pages::come_back`].
    pub(super) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    fn ask(&self) -> Json {
        Object::new()
            .with("resultType", Json::literal(r#""input_required""#))
            .with("inputRequests", self.asked.to_json())
            .with("requestState", self.state())
            .to_json()
    }

    /// A result that asks nothing: the client sends the request again with the state.
    pub(super) fn come_back(&self) -> Json {
        Object::new()
            .with("resultType", Json::literal(r#""input_required""#))
            .with("requestState", self.state())
            .to_json()
    }

    /// Takes the client's answers. Gives the outcome of a retry with which the call is not to be made anew: an answer is
    /// missing, or was no. From the first yes on, the person has as long as for the answer to a question.
    pub(super) fn answered(mut self, retry: &Call, longest: Duration) -> Result<Self, Outcome> {
        let answers = retry.params.child("inputResponses").unwrap_or_default();
        for question in std::mem::take(&mut self.asked).into_members() {
            let answer = answers.get(question.name());
            if let Some(error) = answer.and_then(refusal::read) {
                return Err(Err(error));
            }
            let action = answer.and_then(|answer| answer.object().ok()?.string("action"));
            match (action.as_deref(), Page::asked_by(&question.value)) {
                (None, _) => self.asked.set(question.name(), question.value.clone()),
                (Some("accept"), page) => self.agreed.extend(page),
                (Some(_), _) => {
                    let text = "the server wants a URL to be visited first, and that was declined";
                    return Err(failed(&retry.method, text));
                }
            }
        }
        if !self.asked.is_empty() {
            return Err(Ok(self.ask()));
        }
        if self.until == Stamp::default() {
            let now = Stamp::now();
            (self.due, self.until) = (now.after(FIRST_PAUSE), now.after(longest));
        }
        Ok(self)
    }

    /// A page that was visited and of which the client was not told yet. With the last one the call is due.
    pub(super) fn visited(&mut self, visits: &Visits) -> Option<Json> {
        let is_open = |page: &&mut Page| !page.told && page.id.as_ref().is_some_and(|id| visits.has(id));
        let page = self.agreed.iter_mut().find(is_open)?;
        page.told = true;
        let id = page.id.clone();
        if self.agreed.iter().all(|page| page.told) {
            self.due = Stamp::now();
        }
        id
    }

    /// How long it is until the call is made anew.
    pub(super) fn pause(&self) -> Duration {
        self.due.min(self.until).remaining()
    }

    /// Notes that the call is made anew.
    pub(super) fn try_again(&mut self) {
        self.tries = self.tries.saturating_add(1);
        let pause = FIRST_PAUSE.saturating_mul(1 << self.tries.min(8)).min(LONGEST_PAUSE);
        self.due = Stamp::now().after(pause);
    }

    /// The outcome when the person took too long.
    pub(super) fn given_up(&self, method: &Method) -> Option<Outcome> {
        if !self.until.remaining().is_zero() {
            return None;
        }
        let pages: Vec<&str> = self.agreed.iter().filter(|page| !page.told).map(|page| &*page.url).collect();
        let text = match &pages[..] {
            [] => "the server still refuses the call, though all pages that it wanted to be visited were".to_owned(),
            pages => format!("the server still wants to be visited: {}; send the request anew then", pages.join(", ")),
        };
        Some(failed(method, &text))
    }
}

/// The pages that an error names, each with the question for it.
fn wanted(error: &RpcError, most: usize) -> Vec<(Page, Json)> {
    let data = error.data.as_ref().and_then(|data| data.object().ok());
    let listed = data.and_then(|data| data.get("elicitations")?.array().ok()).unwrap_or_default();
    let pages = listed.iter().filter_map(|one| {
        let params = one.object().ok()?;
        let page = Page::of(&params, params.get("elicitationId"))?;
        let question = Page::question(params, page.id.as_ref());
        Some((page, question))
    });
    pages.take(most).collect()
}

/// A failed tool for the model to read, else an error.
fn failed(method: &Method, text: &str) -> Outcome {
    if *method != Method::ToolsCall {
        return Err(RpcError::new(code::INTERNAL_ERROR, text));
    }
    let content = Object::new().with("type", Json::literal(r#""text""#)).with("text", Json::string(text));
    Ok(Object::new()
        .with("resultType", Json::literal(r#""complete""#))
        .with("content", Json::array_of([&content.to_json()]))
        .with("isError", Json::literal("true"))
        .to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str =
        r#"{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x?n=1","message":"m"},{"no":"url"}]}"#;

    fn error(data: &'static str) -> Outcome {
        let error = RpcError::new(code::LEGACY_URL_ELICITATION_REQUIRED, "log in first");
        Err(error.with_data(Json::literal(data)))
    }

    fn able(capabilities: &str) -> Abilities {
        let meta = format!(r#"{{"io.modelcontextprotocol/clientCapabilities":{capabilities}}}"#);
        Abilities::of(&Json::parse(meta.into()).unwrap().object().unwrap())
    }

    fn judge(pages: &mut Pages, method: &Method, abilities: &Abilities, outcome: Outcome) -> Outcome {
        pages.judge(method, abilities, 16, &Visits::default(), outcome)
    }

    /// The pages after the client has accepted all.
    fn agreed(asked: &Json, answers: &'static str) -> Result<Pages, Outcome> {
        let state = asked.object().unwrap().string("requestState").unwrap();
        let params = Object::new().with("inputResponses", Json::literal(answers));
        Pages::read(&state).unwrap().answered(&Call::own(Method::ToolsCall, params), Duration::from_secs(60))
    }

    #[test]
    fn what_is_to_be_visited_becomes_questions_for_who_can() {
        let url = able(r#"{"elicitation":{"url":{}}}"#);
        let judge =
            |method: &Method, abilities: &Abilities, outcome| judge(&mut Pages::default(), method, abilities, outcome);
        let asked = judge(&Method::ToolsCall, &url, error(DATA)).unwrap().object().unwrap();
        let expected = r#"{"u1":{"method":"elicitation/create","params":{"mode":"url","url":"https://x?n=1","message":"m","_meta":{"io.toolgate/elicitationId":"e"}}}}"#;
        assert_eq!(asked.get("inputRequests").unwrap().as_str(), expected);

        let form = able(r#"{"elicitation":{}}"#);
        assert_eq!(judge(&Method::ToolsCall, &form, error(DATA)).unwrap_err().code, code::MISSING_CAPABILITY);
        // A modern client must never see the old code.
        assert_eq!(judge(&Method::ToolsCall, &url, error("{}")).unwrap_err().code, code::INTERNAL_ERROR);
        assert_eq!(judge(&Method::Complete, &url, error(DATA)).unwrap_err().code, code::INTERNAL_ERROR);
        let other = Err(RpcError::new(-1, "x"));
        assert_eq!(judge(&Method::ToolsCall, &url, other.clone()), other);
    }

    #[test]
    fn what_was_agreed_to_is_not_asked_again() {
        let url = able(r#"{"elicitation":{"url":{}}}"#);
        let two = r#"{"elicitations":[{"elicitationId":"e","url":"https://x?n=1","message":"m"},{"url":"https://y"}]}"#;
        let asked = judge(&mut Pages::default(), &Method::ToolsCall, &url, error(two)).unwrap();
        let missing = agreed(&asked, r#"{"u1":{"action":"accept"}}"#).unwrap_err().unwrap();
        let rest = missing.object().unwrap().child("inputRequests").unwrap();
        assert_eq!(rest.members().map(|one| one.name()).collect::<Vec<_>>(), ["u2"]);
        let mut pages = agreed(&missing, r#"{"u2":{"action":"accept"}}"#).unwrap();
        for same in [
            two,
            r#"{"elicitations":[{"elicitationId":"e","url":"https://other"}]}"#,
            r#"{"elicitations":[{"elicitationId":"f","url":"https://x?n=2","message":"m"}]}"#,
        ] {
            let outcome = judge(&mut pages, &Method::ToolsCall, &url, error(same)).unwrap().object().unwrap();
            assert!(pages.is_waiting() && outcome.get("inputRequests").is_none(), "{same}");
            let state = outcome.string("requestState").unwrap();
            assert_eq!(Pages::read(&state).unwrap(), Pages { is_waiting: false, ..pages.clone() });
        }
        let another = r#"{"elicitations":[{"elicitationId":"f","url":"https://x?n=2","message":"something else"}]}"#;
        let outcome = judge(&mut pages, &Method::ToolsCall, &url, error(another)).unwrap().object().unwrap();
        assert!(!pages.is_waiting() && outcome.child("inputRequests").unwrap().len() == 1);
    }

    #[test]
    fn the_call_is_due_when_all_pages_were_visited_or_after_a_while() {
        let url = able(r#"{"elicitation":{"url":{}}}"#);
        let visits = Visits::default();
        let asked = Pages::default().judge(&Method::ToolsCall, &url, 16, &visits, error(DATA)).unwrap();
        let mut pages = agreed(&asked, r#"{"u1":{"action":"accept"}}"#).unwrap();
        assert!(pages.pause() > FIRST_PAUSE / 2 && pages.visited(&visits).is_none());
        visits.complete(&Json::literal(r#""unknown""#));
        assert!(pages.visited(&visits).is_none());
        visits.complete(&Json::literal(r#""e""#));
        assert_eq!(pages.visited(&visits).unwrap().as_str(), r#""e""#);
        assert!(pages.pause().is_zero() && pages.visited(&visits).is_none());
        for _ in 0..40 {
            pages.try_again();
        }
        assert!(pages.pause() > FIRST_PAUSE && pages.pause() <= LONGEST_PAUSE);
        assert!(pages.given_up(&Method::ToolsCall).is_none());
        pages.until = Stamp::now();
        assert!(pages.pause().is_zero() && pages.given_up(&Method::ToolsCall).is_some());
    }
}
