//! What is set beside the file: laid over it, fitted to it, and shown without its secrets.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::World;
use crate::{Amendment, Composed, ConfigText, Item, Origin, Source, masked, unmasked};

fn amendment(item: Item, value: &Value) -> Amendment {
    Amendment { item, json: value.to_string() }
}

fn upstream(name: &str, value: &Value) -> Amendment {
    amendment(Item::Upstream(name.into()), value)
}

fn overlay(namespace: &str, tool: &str, value: &Value) -> Amendment {
    amendment(Item::Override { namespace: namespace.into(), tool: tool.into() }, value)
}

fn compose_in(world: &World, file: &str, amendments: &[Amendment]) -> Composed {
    let text = ConfigText { origin: "toolgate.yaml".into(), text: file.into(), format: None };
    world.with(|sources| text.compose(amendments, sources)).unwrap_or_else(|faults| panic!("{faults}"))
}

fn compose(file: &str, amendments: &[Amendment]) -> Composed {
    compose_in(&World::default(), file, amendments)
}

fn names(composed: &Composed) -> Vec<String> {
    composed.settings.upstreams.iter().map(|one| format!("{} {}", one.slug, one.transport.kind())).collect()
}

fn left_out(composed: &Composed) -> Vec<String> {
    composed.left_out.iter().map(|(item, why)| format!("{item}: {why}")).collect()
}

#[test]
fn each_item_lies_over_the_files_and_beside_the_others() {
    let file = "
upstreams:
  My Server: {command: a}
  off: {command: b, enabled: false}
namespaces:
  team: {names: plain, overrides: {off/x: {title: T}, off/y: {title: U}}}
";
    let said = compose(
        file,
        &[
            upstream("more", &json!({"url": "https://e.org/mcp"})),
            upstream("My-Server", &json!({"url": "https://e.org/sse"})),
            amendment(Item::Enabled("off".into()), &json!(true)),
            amendment(Item::Namespace("own".into()), &json!({"upstreams": ["more"]})),
            overlay("team", "off/x", &json!({"name": "z"})),
            overlay("default", "more/a/b", &json!({"hidden": true})),
        ],
    );
    assert_eq!(left_out(&said), [""; 0]);
    // In the place of the file's, under the name that the file has for it.
    assert_eq!(names(&said), ["My-Server sse", "off stdio", "more http"]);
    assert_eq!(said.settings.upstreams[0].name, "My Server");
    assert!(said.settings.upstreams[1].enabled);
    assert_eq!(said.settings.upstreams[0].origin, Origin::Api);
    assert!(matches!(said.settings.upstreams[1].origin, Origin::File { .. }));
    let namespace = |slug: &str| said.settings.namespaces.iter().find(|one| one.slug == slug).unwrap();
    let laid_over = |slug: &str| -> Vec<String> {
        let all = &namespace(slug).overrides;
        all.iter().map(|one| format!("{}/{} {:?} {:?}", one.upstream, one.tool, one.name, one.title)).collect()
    };
    assert_eq!(laid_over("team"), [r#"off/x Some("z") None"#, r#"off/y None Some("U")"#], "one for one, not merged");
    assert_eq!(laid_over("default"), ["more/a/b None None"]);
    assert_eq!(namespace("own").upstreams.as_deref(), Some(&["more".to_owned()][..]));
    // Each value knows who says it, and the file alone is there to be looked at.
    let source = |key: &str| said.values.iter().find(|one| one.key == key).unwrap().source;
    assert_eq!((source("upstreams.more.url"), source("upstreams.off.enabled")), (Source::Api, Source::Api));
    assert!(matches!(source("upstreams.off.command"), Source::File(_)));
    let written: Vec<_> =
        said.written.iter().map(|one| (one.item.key(), one.place.line, one.value.to_string())).collect();
    assert!(written.contains(&("upstream:My-Server".into(), 3, r#"{"command":"a"}"#.into())), "{written:?}");
    assert!(written.contains(&("override:team:off/x".into(), 6, r#"{"title":"T"}"#.into())), "{written:?}");
}

#[test]
fn a_clients_file_an_empty_one_and_none_can_be_laid_over() {
    let more = [upstream("more", &json!({"command": "x"}))];
    assert_eq!(names(&compose(r#"{"mcpServers": {"a": {"command": "b"}}}"#, &more)), ["a stdio", "more stdio"]);
    assert_eq!(names(&compose("", &more)), ["more stdio"]);
    assert_eq!(names(&compose("upstreams:\n", &more)), ["more stdio"]);
    let said = World::default().with(|sources| ConfigText::embedded().compose(&more, sources)).unwrap();
    assert_eq!(names(&said).last().unwrap(), "more stdio");
}

#[test]
fn what_does_not_fit_is_left_out_alone_and_says_why() {
    let mut all: Vec<Amendment> = (0..40).map(|n| upstream(&format!("u{n:02}"), &json!({"command": "x"}))).collect();
    all[7].json = json!({"comand": "x"}).to_string();
    all[31].json = json!({"command": "x", "env": {"K": "${NOT_SET}"}}).to_string();
    all.push(amendment(Item::Enabled("nobody".into()), &json!(false)));
    all.push(overlay("nowhere", "a/b", &json!({})));
    all.push(Amendment { item: Item::Namespace("broken".into()), json: "{".into() });
    let said = compose("upstreams: {}", &all);
    assert_eq!(said.settings.upstreams.len(), 38);
    let said = left_out(&said);
    let expected = [
        "upstream u07: set over the control API: upstreams.u07.comand: unknown key; did you mean `command`?",
        "upstream u31: set over the control API: upstreams.u31.env.K: the variable `NOT_SET` is not set",
        "namespace broken: set over the control API: namespaces.broken: not JSON",
        "upstream nobody: set over the control API: there is no upstream `nobody`",
        "override of a/b in namespace nowhere: set over the control API: there is no namespace `nowhere`",
    ];
    for wanted in expected {
        assert!(said.iter().any(|one| one.starts_with(wanted)), "{wanted}\n{said:#?}");
    }
    // It depends on what is there, not on the order in which it came.
    all.reverse();
    assert_eq!(left_out(&compose("upstreams: {}", &all)), said);
    // The file is right by itself, so it holds.
    let said =
        compose("{names: transparent, upstreams: {a: {command: b}}}", &[upstream("c", &json!({"command": "d"}))]);
    assert_eq!((names(&said), said.left_out.len()), (vec!["a stdio".to_owned()], 1));
    // And one that is not has its faults told, whatever is set.
    let text = ConfigText { origin: "toolgate.yaml".into(), text: "lisen: 1".into(), format: None };
    assert!(World::default().with(|sources| text.compose(&all, sources)).is_err());
}

#[test]
fn variables_are_filled_in_and_shown_as_written() {
    let world = World::default().env("TOKEN", "hunter2");
    let said = compose_in(&world, "", &[upstream("a", &json!({"command": "x", "args": ["--key=${TOKEN}"]}))]);
    let shown = format!("{:?} {:?}", said.settings, said.values);
    assert!(shown.contains("--key=${TOKEN}") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn secrets_are_masked_and_given_back_unharmed() {
    let before = json!({
        "url": "https://user:pw@e.org/mcp?key=1", "env": {"A": "secret", "B": "${B}", "C": 5},
        "http": [{"headers": {"X": "secret"}, "name": "n"}], "args": ["--token", "abcdef0123456789abcdef0123456789"],
    });
    let shown = masked(&before);
    for secret in ["pw", "secret", "key=1", "abcdef0123456789", ":5"] {
        assert!(!shown.to_string().contains(secret), "{secret}: {shown}");
    }
    assert_eq!(shown["env"]["B"], "${B}");
    assert_eq!(unmasked(&shown, Some(&before)), Ok(before.clone()));
    // Changed beside what is masked.
    let mut changed = shown.clone();
    changed["env"]["B"] = json!("new");
    changed["http"][0]["name"] = json!("m");
    let back = unmasked(&changed, Some(&before)).unwrap();
    assert_eq!((&back["env"]["A"], &back["env"]["B"]), (&json!("secret"), &json!("new")));
    assert_eq!(back["http"], json!([{"headers": {"X": "secret"}, "name": "m"}]));
    // Nothing to give back.
    changed["env"]["D"] = json!("****");
    assert_eq!(unmasked(&changed, Some(&before)), Err("env.D".to_owned()));
    assert_eq!(unmasked(&json!({"url": "https://****@e.org/"}), None), Err("url".to_owned()));
    // Stars that nobody put there are text.
    assert!(unmasked(&json!({"instructions": "**** all day"}), None).is_ok());
}

#[test]
fn items_and_the_names_they_are_kept_under_are_the_same() {
    for item in [
        Item::Upstream("a:b".into()),
        Item::Enabled("a".into()),
        Item::Namespace("team".into()),
        Item::Override { namespace: "team".into(), tool: "up/a:b/c".into() },
    ] {
        assert_eq!(Item::of_key(&item.key()), Some(item));
    }
    for unknown in ["", "upstream", "tool:x", "override:team"] {
        assert_eq!(Item::of_key(unknown), None, "{unknown}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z*$\\{\\}:/@?=0-9]{0,24}".prop_map(Value::from),
    ];
    let key = prop_oneof![Just("env".to_owned()), Just("url".to_owned()), Just("headers".to_owned()), "[a-z.]{1,6}"];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whoever looks and gives back what they saw changes nothing.
    #[test]
    fn what_was_shown_and_is_given_back_is_what_it_was(value in any_json()) {
        prop_assert_eq!(unmasked(&masked(&value), Some(&value)), Ok(value));
    }

    /// Whatever stands in the store, the file is served.
    #[test]
    fn whatever_is_set_the_file_holds(values in prop::collection::vec(any_json(), 1..6)) {
        let items = |at: usize| match at % 4 {
            0 => Item::Upstream(format!("u{at}")),
            1 => Item::Enabled("a".into()),
            2 => Item::Namespace(format!("n{at}")),
            _ => Item::Override { namespace: "team".into(), tool: format!("a/t{at}") },
        };
        let all: Vec<_> = values.iter().enumerate().map(|(at, value)| amendment(items(at), value)).collect();
        let said = compose("{upstreams: {a: {command: b}}, namespaces: {team: {}}}", &all);
        prop_assert!(said.settings.upstreams.iter().any(|one| one.slug == "a"));
    }
}
