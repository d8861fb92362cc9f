//! Answers as a model reads them.

use toolgate_protocol::{Json, Kind};

use super::*;
use crate::{Tokens, Tool};

fn definition(name: &str, schema: &str, more: &str) -> Json {
    let text = format!(r#"{{"name":"{name}","description":"Does {name}. At length.","inputSchema":{schema}{more}}}"#);
    Json::parse(text.into()).unwrap()
}

const PLAIN: &str = r#"{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}"#;

/// `count` tools of the server `s`.
fn definitions(count: usize) -> Vec<(String, Json)> {
    (0..count).map(|at| format!("s__tool_{at}")).map(|name| (name.clone(), definition(&name, PLAIN, ""))).collect()
}

fn tools(definitions: &[(String, Json)]) -> Vec<Tool<'_>> {
    definitions.iter().map(|(name, definition)| Tool::new(name, "s", definition)).collect()
}

fn group<'a>(query: &'a str, hits: Vec<Tool<'a>>, matches: usize) -> Group<'a> {
    Group { query, hits, matches, nearest: Vec::new() }
}

fn found(groups: &[Group<'_>], style: &Style<'_>) -> Answer {
    Found { groups, total: 500, missing: &[], dropped: 0 }.answer(style)
}

/// Every text that stands in the object stands in the text; but a lone need is not repeated.
fn agree(answer: &Answer) {
    let value: serde_json::Value = answer.structured.to_json().read().unwrap();
    let is_lone = value["groups"].as_array().is_some_and(|groups| groups.len() == 1);
    let mut rest = vec![&value];
    while let Some(value) = rest.pop() {
        match value {
            serde_json::Value::String(text) => {
                assert!(answer.text.contains(text.as_str()), "{text:?} in\n{}", answer.text)
            }
            serde_json::Value::Array(elements) => rest.extend(elements),
            serde_json::Value::Object(members) if !members.contains_key("inputSchema") => {
                rest.extend(members.iter().filter(|(name, _)| !is_lone || *name != "query").map(|(_, value)| value))
            }
            _ => {}
        }
    }
}

#[test]
fn a_hit_is_a_signature_and_a_line() {
    let tokens = Tokens::new();
    let definitions = definitions(2);
    let answer = found(&[group("x", tools(&definitions), 40)], &Style::new(&tokens, Surface::default()));
    assert_eq!(
        answer.text,
        "s__tool_0(x: string) // Does s__tool_0\ns__tool_1(x: string) // Does s__tool_1\n\
         Partial list: 2 of 40 matches among 500 tools. Not there? Other words, or a server."
    );
    let first = r#"{"name":"s__tool_0","signature":"(x: string)","description":"Does s__tool_0"}"#;
    assert!(answer.structured.to_json().as_str().contains(first));
    assert!(!answer.is_error);
}

#[test]
fn the_budget_is_kept_and_needs_take_turns() {
    let tokens = Tokens::new();
    let definitions = definitions(100);
    let all = tools(&definitions);
    let groups = [group("first need", all[..60].to_vec(), 60), group("second need", all[60..].to_vec(), 40)];
    for budget in [400, 600, 1_200] {
        let style = Style { budget, ..Style::new(&tokens, Surface::default()) };
        let answer = found(&groups, &style);
        agree(&answer);
        let cost = tokens.count(&answer.text);
        assert!((budget * 2 / 3..=budget * 11 / 10).contains(&cost), "{cost} of {budget}");
        let lines = |from: &str| {
            answer.text.split(from).nth(1).unwrap().lines().take_while(|line| !line.starts_with("##")).count()
        };
        assert!(lines("## first need\n").abs_diff(lines("## second need\n")) <= 4, "{}", answer.text);
        assert!(answer.text.contains("also: "));
    }
}

#[test]
fn every_need_gets_one_hit_whatever_the_budget() {
    let tokens = Tokens::new();
    let definitions = definitions(2);
    let all = tools(&definitions);
    let groups = [group("a", vec![all[0]], 1), group("b", vec![all[1], all[0]], 2)];
    let answer = found(&groups, &Style { budget: 0, ..Style::new(&tokens, Surface::default()) });
    agree(&answer);
    assert!(answer.text.starts_with("## a\ns__tool_0(x: string) // Does s__tool_0\n## b\ns__tool_1(x: string) // Does s__tool_1\nabove: s__tool_0\n"), "{}", answer.text);
}

#[test]
fn a_schema_comes_along_where_the_signature_does_not_say_all() {
    let tokens = Tokens::new();
    let small = definition("s__small", r#"{ "type": "object", "dependentRequired": {"a": ["b"]} }"#, "");
    let large =
        format!(r#"{{"type":"object","dependentRequired":{{"a":["b"]}},"description":"{}"}}"#, "word ".repeat(2_000));
    let large = definition("s__large", &large, "");
    let hits = vec![Tool::new("s__small", "s", &small), Tool::new("s__large", "s", &large)];
    let answer = found(&[group("x", hits, 2)], &Style::new(&tokens, Surface::default()));
    agree(&answer);
    assert!(answer.text.contains(
        "s__small() // Does s__small\n  schema: {\"type\":\"object\",\"dependentRequired\":{\"a\":[\"b\"]}}\n"
    ));
    assert!(answer.text.contains("s__large() [schema] // "));
    assert!(answer.text.contains("use describe_tools first"));
}

#[test]
fn what_only_reads_is_marked_where_it_is_called_apart() {
    let tokens = Tokens::new();
    let reads = definition("s__read", PLAIN, r#","annotations":{"readOnlyHint":true}"#);
    let groups = [group("x", vec![Tool::new("s__read", "s", &reads)], 1)];
    assert!(
        found(&groups, &Style::new(&tokens, Surface { split: true })).text.starts_with("s__read(x: string) [read] // ")
    );
    assert!(!found(&groups, &Style::new(&tokens, Surface { split: false })).text.contains("[read]"));
}

#[test]
fn nothing_found_says_what_to_try_and_what_is_missing() {
    let tokens = Tokens::new();
    let missing = [Missing { server: "mail", why: "connection refused\nat line 7" }];
    let groups = [Group { nearest: vec!["issue".into(), "tissue".into()], ..group("isue", vec![], 0) }];
    let answer = Found { groups: &groups, total: 7, missing: &missing, dropped: 3 }
        .answer(&Style::new(&tokens, Surface::default()));
    assert!(answer.text.starts_with("Nothing matches. Nearest words: issue, tissue.\n"), "{}", answer.text);
    assert!(
        answer
            .text
            .ends_with("3 more queries were not looked for.\nNot searched, because down: mail (connection refused).")
    );
}

#[test]
fn prompts_and_resources_are_marked() {
    let tokens = Tokens::new();
    let prompt =
        Json::literal(r#"{"name":"s__review","arguments":[{"name":"code","required":true}],"description":"Reviews"}"#);
    let resource = Json::literal(r#"{"uri":"file:///a","name":"a","description":"A file"}"#);
    let hits = vec![
        Tool { kind: Kind::Prompt, name: "s__review", server: "s", definition: &prompt },
        Tool { kind: Kind::Resource, name: "file:///a", server: "s", definition: &resource },
    ];
    let answer = found(&[group("x", hits, 2)], &Style::new(&tokens, Surface::default()));
    assert!(
        answer.text.starts_with("prompt s__review(code: string) // Reviews\nresource file:///a // A file\n"),
        "{}",
        answer.text
    );
}

#[test]
fn an_overview_says_as_much_as_fits() {
    let tokens = Tokens::new();
    let names: Vec<String> = (0..700).map(|at| format!("server_{at}")).collect();
    let servers: Vec<ServerLine<'_>> = names
        .iter()
        .enumerate()
        .map(|(at, name)| ServerLine { name, tools: at, about: "Does things. And more." })
        .collect();
    let overview = |count: usize| {
        let overview =
            Overview { servers: &servers[..count], missing: &[], instructed: false, hidden: &[("malformed", 2)] };
        overview.answer(&Style::new(&tokens, Surface::default()))
    };
    assert!(
        overview(3).text.contains("\nserver_2 (2): Does things\nNot offered: 2 malformed."),
        "{}",
        overview(3).text
    );
    assert!(overview(150).text.contains("server_3 (3), server_4 (4)"));
    for count in [3, 150, 700] {
        let answer = overview(count);
        agree(&answer);
        assert!(tokens.count(&answer.text) <= DEFAULT_BUDGET);
    }
    assert!(overview(700).text.contains("server_699 (699)") && overview(700).text.contains("smaller servers"));
}

#[test]
fn descriptions_are_the_definitions_as_they_are() {
    let odd = Json::literal(r#"{ "name":"a", "x": 1e2 }"#);
    let huge = Json::of(&serde_json::json!({"name": "b", "description": "x".repeat(200_000)})).unwrap();
    let known = [Tool::new("a", "s", &odd), Tool::new("b", "s", &huge)];
    let unknown = [Unknown { name: "c", nearest: vec!["a", "b"] }];
    let answer = Described { known: &known, servers: &[], unknown: &unknown, dropped: 0 }.answer();
    assert_eq!(
        answer.text,
        "{ \"name\":\"a\", \"x\": 1e2 }\nUnknown tool: c. Did you mean a, b?\nToo long for one answer, ask for them alone: b"
    );
    assert!(answer.structured.to_json().as_str().starts_with(r#"{"tools":[{ "name":"a", "x": 1e2 }],"unknown":"#));
    assert!(!answer.is_error);
    assert!(Described { known: &[], servers: &[], unknown: &unknown, dropped: 0 }.answer().is_error);
    assert!(Described { known: &known[1..], servers: &[], unknown: &[], dropped: 0 }.answer().text.len() > 200_000);
}
