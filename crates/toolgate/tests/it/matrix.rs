//! Every revision of MCP over every transport on either side of one gateway: each feature works, or is lost for a reason that
//! has a name. What comes out is the table in `docs/matrix.md`; `UPDATE_DOCS=1` writes it.

mod cell;
mod checks;
mod everyone;
mod features;
mod server;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use toolgate_testkit::peer::Manners;
use toolgate_testkit::{Answer, Era, Gate, Peer, Revision, Way};

use cell::{Behind, Cell};
use features::{Defect, Expected, Feature, KNOWN_DEFECTS, Variant};

/// Cells that are tried at once.
const AT_ONCE: usize = 48;

/// What came of each cell: client, upstream, feature. An error says what was found instead.
type Results = BTreeMap<(String, String, Feature), Result<Expected, String>>;

/// How a variant is called.
fn name_of((revision, way): Variant) -> String {
    let way = match way {
        Way::Stdio => "stdio",
        Way::Http => "http",
        Way::Sse => "sse",
    };
    format!("{}-{way}", revision.as_str())
}

fn panic_text(error: JoinError) -> String {
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_revision_over_every_transport_on_either_side() {
    let variants: Vec<Variant> = Revision::over_every_way().collect();
    let watched: Vec<String> = variants.iter().map(|variant| format!("watched/{}", name_of(*variant))).collect();
    let behinds: Vec<Arc<Behind>> = join_all(variants.iter().map(|variant| behind(*variant, &watched))).await;
    let gate = gate(&behinds).await;
    let clients: Vec<Arc<Peer>> = join_all(variants.iter().map(|variant| client(&gate, *variant))).await;

    let mut results = Results::new();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let all = behinds.iter().map(|behind| one_by_one(behind.clone(), &clients, &places));
    results.extend(join_all(all).await.into_iter().flatten());
    for behind in &behinds {
        results.extend(all_at_once(behind, &clients, &watched).await);
    }

    let mut faults = judge(&variants, &results);
    let defective: Vec<String> = cells(&variants)
        .filter(|(client, upstream, feature)| defect(*client, *upstream, *feature).is_some())
        .map(|(client, upstream, feature)| cell::mark(&name_of(client), &name_of(upstream), feature))
        .collect();
    let is_known = |fault: &String| defective.iter().any(|mark| fault.contains(mark));
    faults.extend(clients.iter().flat_map(|client| client.faults()).filter(|fault| !is_known(fault)));
    faults.extend(behinds.iter().flat_map(|behind| server::strange_words(&behind.upstream.asked(), behind.variant)));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    table::compare(&table::write(&variants));
}

async fn behind(variant: Variant, watched: &[String]) -> Arc<Behind> {
    let name = name_of(variant);
    let upstream = server::script(variant.0, &name, watched).over(variant.1).await;
    Arc::new(Behind { variant, name, upstream })
}

/// One gateway in front of all of them, which has found out what each is.
async fn gate(behinds: &[Arc<Behind>]) -> Gate {
    let plan = Gate::of_nothing().config("presentation: direct");
    let plan = behinds.iter().fold(plan, |plan, behind| plan.and(&behind.name, &behind.upstream));
    let gate = plan.start().await.settled().await;
    for behind in behinds {
        let status = gate.status(&behind.name).await;
        let (revision, way) = behind.variant;
        assert_eq!((&status["state"], &status["revision"]), (&json!("ready"), &json!(revision.as_str())), "{status}");
        // Many servers ask for roots as soon as they are met. On a pipe the first such question is taken for that.
        if revision.era() == Era::Legacy && way != Way::Http {
            let roots = gate.modern().await.text(&format!("{}__roots", behind.name), json!({"mark": "hello"})).await;
            assert_eq!(roots, r#"{"roots":[]}"#);
        }
    }
    gate
}

async fn client(gate: &Gate, (revision, way): Variant) -> Arc<Peer> {
    let name = name_of((revision, way));
    let mut capabilities = match revision.era() {
        Era::Legacy => json!({"sampling": {}, "roots": {"listChanged": true}}),
        Era::Modern => json!({"sampling": {}, "roots": {}}),
    };
    if revision >= Revision::V2025_06_18 {
        capabilities["elicitation"] = json!({});
    }
    if revision >= Revision::V2025_11_25 {
        capabilities["elicitation"] = json!({"form": {}, "url": {}});
        capabilities["sampling"] = json!({"tools": {}});
    }
    let roots = json!({"roots": [{"uri": format!("file:///{name}"), "name": "mine"}]});
    let answer = move |method: &str, params: &Value| answer(method, params, &roots);
    let manners = Manners { name, capabilities, log_level: "notice", answer: Box::new(answer) };
    Peer::open(gate, revision, way, manners).await
}

/// What a client answers; it refuses where that is what is tried.
fn answer(method: &str, params: &Value, roots: &Value) -> Answer {
    Answer::Result(match (method, params["mode"].as_str()) {
        ("sampling/createMessage", _) => {
            let text = params["messages"][0]["content"]["text"].as_str().unwrap();
            if text.contains(&format!("{:?}", Feature::Refusal)) {
                return Answer::Refuse(-1, "user said no");
            }
            if params["tools"].is_array() {
                let content = json!([{"type": "tool_use", "id": "1", "name": "look", "input": {}}]);
                return Answer::Result(
                    json!({"role": "assistant", "content": content, "model": "m", "stopReason": "toolUse"}),
                );
            }
            let content = json!({"type": "text", "text": format!("sampled {text}")});
            json!({"role": "assistant", "content": content, "model": "m", "stopReason": "endTurn"})
        }
        ("elicitation/create", Some("url")) => json!({"action": "accept"}),
        ("elicitation/create", _) => json!({"action": "accept", "content": {"told": params["message"]}}),
        _ => roots.clone(),
    })
}

/// What concerns one client at a time: first all that can be tried side by side, then the rest one after the other.
async fn one_by_one(behind: Arc<Behind>, clients: &[Arc<Peer>], places: &Semaphore) -> Results {
    let tried = Feature::ALL.into_iter().filter(|feature| !feature.concerns_all());
    let cells = tried.flat_map(|feature| {
        let of = |client: &Arc<Peer>| Cell { client: client.clone(), behind: behind.clone(), feature };
        clients.iter().map(of).collect::<Vec<_>>()
    });
    let there = cells.filter(|cell| {
        let client = (cell.client.revision, cell.client.way);
        cell.feature.expected(client, cell.behind.variant) != Expected::Absent
    });
    let (alone, together): (Vec<Cell>, Vec<Cell>) = there.partition(|cell| cell.feature.needs_quiet());
    let mut results: Results = join_all(together.into_iter().map(|cell| run(cell, places))).await.into_iter().collect();
    for cell in alone {
        results.extend([run(cell, places).await]);
    }
    results
}

async fn run(cell: Cell, places: &Semaphore) -> ((String, String, Feature), Result<Expected, String>) {
    let _place = places.acquire().await.unwrap();
    let key = (cell.client.name().to_owned(), cell.behind.name.clone(), cell.feature);
    let found = tokio::spawn(async move { checks::check(&cell).await }).await;
    (key, found.map_err(panic_text))
}

async fn all_at_once(behind: &Behind, clients: &[Arc<Peer>], watched: &[String]) -> Results {
    let mut found = Vec::new();
    if server::is_legacy(behind.variant.0) {
        found.push((Feature::LoggingUnasked, everyone::log_unasked(behind, clients).await));
    }
    found.push((Feature::ListChanged, everyone::change_lists(behind, clients, watched).await));
    let keyed = found.into_iter().flat_map(|(feature, of_clients)| {
        of_clients.into_iter().map(move |(client, found)| ((client, behind.name.clone(), feature), found))
    });
    keyed.collect()
}

/// Everything that is not as the specification has it.
fn judge(variants: &[Variant], results: &Results) -> Vec<String> {
    let mut faults = Vec::new();
    for (client, upstream, feature) in cells(variants) {
        let cell = format!("{} -> {}: {feature:?}", name_of(client), name_of(upstream));
        let expected = feature.expected(client, upstream);
        let found = results.get(&(name_of(client), name_of(upstream), feature));
        let defect = defect(client, upstream, feature);
        match (found, expected, defect) {
            (None, Expected::Absent, None) => {}
            (Some(Ok(found)), expected, None) if *found == expected => {}
            (Some(Ok(found)), expected, Some(Defect { what, is_rare: false, .. })) if *found == expected => {
                faults.push(format!("{cell}: the defect `{what}` is gone; take it out of KNOWN_DEFECTS"));
            }
            // It is another way than it should be, as is known.
            (Some(_), _, Some(_)) => {}
            (found, expected, _) => faults.push(format!("{cell}: expected {expected:?}, found {found:?}")),
        }
    }
    faults
}

/// All cells there are.
fn cells(variants: &[Variant]) -> impl Iterator<Item = (Variant, Variant, Feature)> + '_ {
    variants.iter().flat_map(move |client| {
        variants.iter().flat_map(move |upstream| Feature::ALL.map(|feature| (*client, *upstream, feature)))
    })
}

fn defect(client: Variant, upstream: Variant, feature: Feature) -> Option<&'static Defect> {
    KNOWN_DEFECTS.iter().find(|defect| defect.feature == feature && (defect.is_in)(client, upstream))
}
