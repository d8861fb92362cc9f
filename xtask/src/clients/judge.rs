//! The judge: what a client saw through the front, held against what the servers say when asked directly.

use super::baseline::Baseline;
use super::plan::{Front, Places, Plan, Server, Upstream};
use super::questions::{self, Ask};
use super::roster::{Client, Progress};
use super::values::{Lens, differences, moved_uri, settled, settled_result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a client should see.
pub(super) struct Expected<'a> {
    pub(super) front: &'a Front,
    pub(super) baselines: &'a BTreeMap<Server, Baseline>,
    pub(super) places: &'a Places,
}

/// So many of so many.
#[derive(Default, Clone, Copy)]
pub(super) struct Score {
    pub(super) good: usize,
    pub(super) of: usize,
}

/// What came of one client.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) client: String,
    pub(super) version: String,
    pub(super) era: String,
    pub(super) seconds: f64,
    /// How many tools the client listed altogether.
    pub(super) listed: usize,
    pub(super) tools: Score,
    /// Prompts, resources and templates.
    pub(super) others: Score,
    pub(super) calls: Score,
    /// Prompts got, resources read, arguments completed.
    pub(super) reads: Score,
    pub(super) progress: Score,
    /// Calls in whose middle the client was asked something.
    pub(super) answers: Score,
    /// What its library has no callback for, so that such a call must be refused.
    pub(super) unasked: Vec<Ask>,
    /// What is wrong; a good run has none.
    pub(super) differences: Vec<String>,
}

/// The judging of one document.
struct Judge<'a> {
    client: &'a Client,
    expected: &'a Expected<'a>,
    plan: Plan,
    document: Value,
    verdict: Verdict,
}

/// Judges what `client` printed; `both_eras` says whether it could have had the era it likes.
pub(super) fn judge(
    client: &Client,
    expected: &Expected<'_>,
    both_eras: bool,
    document: anyhow::Result<Value>,
) -> Verdict {
    let mut verdict = Verdict { client: client.name.to_owned(), ..Verdict::default() };
    let document = match document {
        Ok(document) => document,
        Err(error) => {
            verdict.differences.push(format!("it failed: {error:#}"));
            return verdict;
        }
    };
    let plan = expected.front.plan(client.name, expected.places);
    let mut judge = Judge { client, expected, plan, document, verdict };
    judge.head(both_eras);
    judge.lists();
    judge.calls();
    judge.reads();
    judge.progress();
    judge.agent();
    judge.answers();
    judge.verdict
}

// === impl Verdict ===

impl Verdict {
    /// Whether nothing is wrong.
    pub(super) fn is_good(&self) -> bool {
        self.differences.is_empty()
    }

    /// A verdict on how toolgate itself ended.
    pub(super) fn of_the_end(end: anyhow::Result<()>) -> Self {
        let differences = end.err().map(|error| format!("{error:#}")).into_iter().collect();
        Self { client: "(toolgate's own end)".to_owned(), differences, ..Self::default() }
    }
}

// === impl Score ===

impl Score {
    fn count(&mut self, found: &[String]) {
        self.of += 1;
        self.good += usize::from(found.is_empty());
    }
}

// === impl Judge ===

impl Judge<'_> {
    fn head(&mut self, both_eras: bool) {
        let text = |member: &str| self.document[member].as_str().unwrap_or_default().to_owned();
        self.verdict.version = text("version");
        self.verdict.era = text("era");
        self.verdict.seconds = self.document["seconds"].as_f64().unwrap_or_default();
        if both_eras && self.verdict.era != self.client.era {
            let found =
                format!("it speaks the {} era; it can and should speak the {} one", self.verdict.era, self.client.era);
            self.verdict.differences.push(found);
        }
    }

    /// Tools, prompts, resources and templates: all there, and equal to their definitions on the server.
    fn lists(&mut self) {
        self.verdict.listed = self.entries("tools").len();
        for upstream in self.expected.front.upstreams() {
            let Some(baseline) = self.expected.baselines.get(&upstream.server) else { continue };
            for tool in &baseline.tools {
                let found = self.named("tools", upstream, tool);
                self.verdict.tools.count(&found);
                self.verdict.differences.extend(found);
            }
            let prompts = baseline.prompts.iter().map(|prompt| self.named("prompts", upstream, prompt));
            let resources = baseline.resources.iter().map(|entry| self.located("resources", "uri", upstream, entry));
            let templates =
                baseline.templates.iter().map(|entry| self.located("templates", "uriTemplate", upstream, entry));
            let others: Vec<_> = prompts.chain(resources).chain(templates).collect();
            for found in others {
                self.verdict.others.count(&found);
                self.verdict.differences.extend(found);
            }
        }
    }

    /// What differs in the entry that must be listed under the public name of `native`.
    fn named(&self, list: &str, upstream: &Upstream, native: &Value) -> Vec<String> {
        let name = upstream.public(native["name"].as_str().unwrap_or_default());
        let mut shown = self.entries(list).iter().filter(|entry| entry["name"] == json!(name));
        let Some(entry) = shown.next() else { return vec![format!("{list}: {name} is not listed")] };
        if shown.next().is_some() {
            return vec![format!("{list}: {name} is listed twice")];
        }
        let mut native = native.clone();
        native["name"] = json!(name);
        let found = differences(&self.definition(&native), &self.definition(entry), self.lens(upstream));
        found.into_iter().map(|found| format!("{list}: {name}{found}")).collect()
    }

    /// What differs in the entry that must be listed under the public URI of `native`.
    fn located(&self, list: &str, member: &str, upstream: &Upstream, native: &Value) -> Vec<String> {
        let uri = self.public_uri(upstream, native[member].as_str().unwrap_or_default());
        let Some(entry) = self.entries(list).iter().find(|entry| entry[member] == json!(uri)) else {
            return vec![format!("{list}: {uri} is not listed")];
        };
        let found = differences(&self.definition(native), &self.definition(entry), self.lens(upstream));
        found.into_iter().map(|found| format!("{list}: {uri}{found}")).collect()
    }

    fn public_uri(&self, upstream: &Upstream, uri: &str) -> String {
        self.lens(upstream).moved.map_or_else(|| uri.to_owned(), |upstream| moved_uri(upstream, uri))
    }

    /// A definition as clients of this era are shown it: `execution` says how legacy tasks work, and only there. A tool that
    /// works as a task only is shown as one that can, because toolgate sees the task through for who asks for none.
    fn definition(&self, entry: &Value) -> Value {
        let mut entry = settled(entry.clone());
        if let Some(members) = entry.as_object_mut() {
            let is_task_only = members.get("execution") == Some(&json!({"taskSupport": "required"}));
            if self.verdict.era == "modern" {
                members.remove("execution");
            } else if is_task_only {
                members.insert("execution".to_owned(), json!({"taskSupport": "optional"}));
            }
        }
        entry
    }

    /// Tool calls: equal results, or refused where nothing can be called.
    fn calls(&mut self) {
        for call in std::mem::take(&mut self.plan.calls) {
            if self.client.core_only && !call.core {
                continue;
            }
            let result = &self.document["calls"][&call.label];
            let found = if call.refused {
                let is_refused = result.get("failed").is_some() || result["isError"] == json!(true);
                if is_refused {
                    Vec::new()
                } else {
                    vec![format!("calls: {} was not refused: {result:.200}", call.label)]
                }
            } else {
                self.answered("calls", &call.label, |baseline| &baseline.calls)
            };
            self.verdict.calls.count(&found);
            self.verdict.differences.extend(found);
        }
    }

    /// Prompts, completions and readings: equal results.
    fn reads(&mut self) {
        let (prompts, completions) =
            (std::mem::take(&mut self.plan.prompts), std::mem::take(&mut self.plan.completions));
        let reads = std::mem::take(&mut self.plan.reads);
        let wanted = |core: bool| core || !self.client.core_only;
        let mut found = Vec::new();
        for prompt in prompts.iter().filter(|prompt| self.client.gets_prompts && wanted(prompt.core)) {
            found.push(self.answered("prompt_results", &prompt.label, |baseline| &baseline.prompt_results));
        }
        for completion in completions.iter().filter(|_| self.client.completes) {
            found.push(self.answered("completions", &completion.label, |baseline| &baseline.completions));
        }
        for read in reads.iter().filter(|read| wanted(read.core)) {
            found.push(self.answered("reads", &read.label, |baseline| &baseline.reads));
        }
        if self.client.reads_listed {
            found.extend(self.listed_reads());
        }
        for found in found {
            self.verdict.reads.count(&found);
            self.verdict.differences.extend(found);
        }
    }

    /// Every resource of every server, read by the URI the client was shown.
    fn listed_reads(&self) -> Vec<Vec<String>> {
        let mut judged = Vec::new();
        for upstream in self.expected.front.upstreams() {
            let native = self.expected.baselines.get(&upstream.server).map(|baseline| &baseline.listed_reads);
            for (uri, native) in native.into_iter().flatten() {
                let shown = self.public_uri(upstream, uri);
                judged.push(self.compared("listed_reads", &shown, self.lens(upstream), native));
            }
        }
        judged
    }

    /// What differs between the baseline's result and the client's under the same label.
    fn answered(
        &self,
        part: &str,
        label: &str,
        results: impl Fn(&Baseline) -> &BTreeMap<String, Value>,
    ) -> Vec<String> {
        let Some((upstream, native)) = self.baseline(label, results) else {
            return vec![format!("{part}: {label} is not in the baseline")];
        };
        self.compared(part, label, self.lens(upstream), native)
    }

    /// What differs between a result of the baseline and what stands under `label` in a part of the document.
    fn compared(&self, part: &str, label: &str, lens: Lens, native: &Value) -> Vec<String> {
        let Some(result) = self.document[part].get(label) else { return vec![format!("{part}: {label} was not done")] };
        if let Some(failed) = result.get("failed").filter(|_| native.get("failed").is_none()) {
            return vec![format!("{part}: {label} failed: {failed:.300}")];
        }
        let found = differences(&settled_result(native.clone()), &settled_result(result.clone()), lens);
        found.into_iter().map(|found| format!("{part}: {label}{found}")).collect()
    }

    /// Progress: every step, in order.
    fn progress(&mut self) {
        let calls = self.expected.front.plan(self.client.name, self.expected.places).calls;
        for call in calls.iter().filter(|call| call.progress && self.client.progress != Progress::Hidden) {
            let Some((upstream, steps)) = self.steps(&call.label) else { continue };
            let seen = match self.client.progress {
                Progress::Together => self.document["any_progress"].as_array(),
                _ => self.document["progress"][&call.label].as_array(),
            };
            let seen = seen.map(Vec::as_slice).unwrap_or_default();
            let is_good = match self.client.progress {
                Progress::Together => steps.iter().all(|step| seen.iter().any(|seen| same_step(step, seen))),
                _ => in_order(&steps, seen, self.least(upstream.server, steps.len())),
            };
            let found = (!is_good).then(|| format!("progress: {} was {}", call.label, json!(seen)));
            self.verdict.progress.count(found.as_slice());
            self.verdict.differences.extend(found);
        }
    }

    /// How many of so many steps a client must see. What arrives in one breath with the answer is dropped by several SDKs,
    /// with nothing in between as well: the TypeScript ones look at the answer of what they have read before the steps, which
    /// on a busy machine may be more than one; for the others it is the last step of server-everything, always sent so.
    fn least(&self, server: Server, steps: usize) -> usize {
        if self.client.name.starts_with("typescript-sdk") {
            return 1;
        }
        if server == Server::Everything { steps.saturating_sub(1) } else { steps }
    }

    fn steps(&self, label: &str) -> Option<(&Upstream, Vec<Value>)> {
        let (upstream, what) = self.upstream(label)?;
        let steps = self.expected.baselines.get(&upstream.server)?.progress.get(what)?;
        Some((upstream, steps.clone()))
    }

    /// What an agent's tools returned, where the client has agents.
    fn agent(&mut self) {
        let Some(agent) = self.document.get("agent") else { return };
        let calls = self.expected.front.plan(self.client.name, self.expected.places).calls;
        let mut found = Vec::new();
        for call in calls.iter().filter(|call| call.agent) {
            let Some((_, native)) = self.baseline(&call.label, |baseline| &baseline.calls) else { continue };
            let returned = agent["returned"][&call.label].as_str().unwrap_or_default();
            let same = match native.get("structuredContent") {
                Some(structured) => serde_json::from_str(returned)
                    .is_ok_and(|returned: Value| differences(structured, &returned, Lens { moved: None }).is_empty()),
                None => native["content"][0]["text"] == json!(returned),
            };
            let shown =
                format!("agent: {} returned {returned:?} {}", call.label, agent.get("failed").unwrap_or(&Value::Null));
            found.push(if same { Vec::new() } else { vec![shown] });
        }
        for found in found {
            self.verdict.calls.count(&found);
            self.verdict.differences.extend(found);
        }
    }

    /// Calls that ask the client something: the words that came of its answers.
    fn answers(&mut self) {
        let Some(can) = self.client.answers else { return };
        self.verdict.unasked = questions::ALL.iter().filter(|ask| !can.contains(ask)).copied().collect();
        for question in std::mem::take(&mut self.plan.questions) {
            let found = question.faults(can, &self.document["answers"][&question.label]);
            self.verdict.answers.count(&found);
            self.verdict.differences.extend(found);
        }
    }

    /// The upstream and the baseline's result behind a label.
    fn baseline(
        &self,
        label: &str,
        results: impl Fn(&Baseline) -> &BTreeMap<String, Value>,
    ) -> Option<(&Upstream, &Value)> {
        let (upstream, what) = self.upstream(label)?;
        Some((upstream, results(self.expected.baselines.get(&upstream.server)?).get(what)?))
    }

    fn upstream<'l>(&self, label: &'l str) -> Option<(&Upstream, &'l str)> {
        let (_, what) = label.split_once('/')?;
        Some((self.expected.front.upstreams().iter().find(|upstream| upstream.label(what) == label)?, what))
    }

    fn entries(&self, list: &str) -> &[Value] {
        self.document[list].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    fn lens(&self, upstream: &Upstream) -> Lens {
        Lens { moved: self.expected.front.moved(upstream) }
    }
}

/// Whether `seen` are the `steps` in order, all of them or as many as there must be at least.
fn in_order(steps: &[Value], seen: &[Value], at_least: usize) -> bool {
    (at_least..=steps.len()).contains(&seen.len()) && steps.iter().zip(seen).all(|(step, seen)| same_step(step, seen))
}

fn same_step(step: &Value, seen: &Value) -> bool {
    ["progress", "total", "message"].iter().all(|member| {
        let (step, seen) = (&step[member], &seen[member]);
        step.as_f64().is_some_and(|step| Some(step) == seen.as_f64()) || step == seen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of `document`, by a judge who knows a server with one tool that answers "yes".
    fn differences_of(document: Value) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::prepare(folder.path()).expect("its files");
        let front = Front::direct();
        let plan = Plan::native(Server::Everything, "", &places);
        let yes = json!({"content": [{"type": "text", "text": "yes"}]});
        let calls = plan.calls.iter().filter(|call| call.core).map(|call| (call.label.clone(), yes.clone())).collect();
        let prompt_results = plan.prompts.iter().map(|prompt| (prompt.label.clone(), yes.clone())).collect();
        let tool = json!({"name": "echo", "inputSchema": {"type": "object"}, "execution": {}});
        let baseline = Baseline { tools: vec![tool], calls, prompt_results, ..Baseline::default() };
        let baselines = BTreeMap::from([(Server::Everything, baseline)]);
        let expected = Expected { front: &front, baselines: &baselines, places: &places };
        let inspector = crate::clients::roster::chosen(&["inspector-modern".to_owned()]).expect("it exists")[0];
        judge(inspector, &expected, true, Ok(document)).differences
    }

    /// The document of a client to which nothing happened.
    fn good() -> Value {
        let yes = json!({"content": [{"type": "text", "text": "yes"}], "resultType": "complete"});
        json!({
            "era": "modern", "tools": [{"name": "echo", "inputSchema": {"type": "object"}}, {"name": "extra"}],
            "calls": {"direct/echo": yes, "direct/structured": yes, "direct/image": yes},
            "prompt_results": {"direct/arguments": yes},
        })
    }

    #[test]
    fn an_equal_document_with_an_extra_tool_is_good() {
        assert_eq!(differences_of(good()), Vec::<String>::new());
    }

    #[test]
    fn whatever_is_altered_is_one_difference() {
        let altered = |path: &str, value: Value| {
            let mut document = good();
            *document.pointer_mut(path).expect("it is there") = value;
            differences_of(document)
        };
        assert_eq!(altered("/era", json!("legacy")).len(), 2, "the era, and `execution` is lost in the legacy one");
        assert_eq!(altered("/tools/0/name", json!("other")), ["tools: echo is not listed"]);
        assert_eq!(altered("/tools/1/name", json!("echo")), ["tools: echo is listed twice"]);
        assert_eq!(
            altered("/tools/0/inputSchema/type", json!("x")),
            ["tools: echo.inputSchema.type is \"x\", not \"object\""]
        );
        assert_eq!(
            altered("/calls/direct~1echo/content/0/text", json!("no")),
            ["calls: direct/echo.content[0].text is \"no\", not \"yes\""]
        );
        assert_eq!(
            altered("/calls/direct~1image", json!({"failed": {"code": 1}})),
            ["calls: direct/image failed: {\"code\":1}"]
        );
        assert_eq!(altered("/prompt_results", json!({})), ["prompt_results: direct/arguments was not done"]);
    }

    fn steps(progress: &[u32]) -> Vec<Value> {
        progress.iter().map(|progress| json!({"progress": progress, "total": 4})).collect()
    }

    #[test]
    fn no_step_may_be_missing_but_a_last_one_that_may() {
        let all = steps(&[1, 2, 3, 4]);
        assert!(in_order(&all, &all, 4));
        assert!(in_order(&all, &steps(&[1, 2, 3]), 3));
        assert!(!in_order(&all, &steps(&[1, 2, 3]), 4));
        assert!(!in_order(&all, &steps(&[1, 3, 2, 4]), 1));
        assert!(!in_order(&all, &steps(&[1, 2, 3, 4, 4]), 1));
    }
}
