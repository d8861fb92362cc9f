//! What each host's file looks like with toolgate in it, and that nothing else in it moves.

use proptest::prelude::*;
use toolgate_hosts::{Entry, Host, Listed, edit};

use crate::fixture;

fn url() -> Entry {
    Entry::Url("http://127.0.0.1:8665/mcp".into())
}

#[test]
fn each_host_is_written_to_in_its_own_words() {
    let expected = [
        (
            Host::Cursor,
            "{\n  \"mcpServers\": {\n    \"toolgate\": {\n      \"url\": \"http://127.0.0.1:8665/mcp\"\n    }\n  }\n}\n",
        ),
        (
            Host::VsCode,
            "{\n  \"servers\": {\n    \"toolgate\": {\n      \"type\": \"http\",\n      \"url\": \"http://127.0.0.1:8665/mcp\"\n    }\n  }\n}\n",
        ),
        (
            Host::Windsurf,
            "{\n  \"mcpServers\": {\n    \"toolgate\": {\n      \"serverUrl\": \"http://127.0.0.1:8665/mcp\"\n    }\n  }\n}\n",
        ),
        (Host::Codex, "[mcp_servers.toolgate]\nurl = \"http://127.0.0.1:8665/mcp\"\n"),
    ];
    for (host, text) in expected {
        assert_eq!(edit::connect(host, "", "toolgate", &url(), &[]).unwrap(), text, "{host}");
    }
}

#[test]
fn comments_and_commas_stay_where_they_are() {
    let changed = edit::connect(Host::Zed, fixture(Host::Zed), "toolgate", &url(), &[]).unwrap();
    let added = "    \"toolgate\": {\n      \"url\": \"http://127.0.0.1:8665/mcp\",\n    },\n";
    assert!(changed.contains(added), "{changed}");
    assert_eq!(changed.replace(added, ""), fixture(Host::Zed));
    let changed = edit::connect(Host::Codex, fixture(Host::Codex), "toolgate", &url(), &[]).unwrap();
    let added = "[mcp_servers.toolgate]\nurl = \"http://127.0.0.1:8665/mcp\"\n";
    assert!(changed.contains(added), "{changed}");
    assert_eq!(changed.replace(added, "").replace("\n\n\n", "\n\n"), fixture(Host::Codex));
}

#[test]
fn servers_are_listed_as_they_are_written() {
    let names = |host| Listed::read(host, fixture(host)).unwrap().servers.into_iter().map(|server| server.name);
    assert_eq!(names(Host::ClaudeCode).collect::<Vec<_>>(), ["sentry", "db"]);
    let listed = Listed::read(Host::ClaudeCode, fixture(Host::ClaudeCode)).unwrap();
    assert_eq!(listed.servers[1].project.as_deref(), Some(std::path::Path::new("/home/ada/shop")));
    let listed = Listed::read(Host::VsCode, fixture(Host::VsCode)).unwrap();
    assert_eq!((listed.inputs[0].id.as_str(), listed.inputs[0].default.as_deref()), ("perplexity-key", None));
    assert_eq!(listed.inputs[1].default.as_deref(), Some("eu"));
    let listed = Listed::read(Host::Codex, fixture(Host::Codex)).unwrap();
    assert_eq!(
        listed.servers[0].json,
        r#"{"args":["-y","@upstash/context7-mcp"],"command":"npx","env":{"MY_ENV_VAR":"MY_ENV_VALUE"},"env_vars":["LOCAL_TOKEN"],"startup_timeout_sec":20}"#
    );
}

/// Pieces that files of hosts are made of, comments and odd spacing among them.
fn json_file() -> impl Strategy<Value = String> {
    let blank = prop::sample::select(vec!["", " ", "\n", "\r\n", "\t", "\n\n  ", " /* c */ ", " // { \"\n"]);
    let value = prop::sample::select(vec!["1", "true", "\"a\\\"b{\"", "[1, 2]", "{ }", "{\"url\": \"x\"}", "null"]);
    let servers = prop::collection::vec((blank.clone(), value.clone(), blank.clone()), 0..4);
    let others = prop::collection::vec((blank.clone(), value, blank.clone()), 0..4);
    (servers, others, blank.clone(), blank, any::<bool>(), any::<bool>()).prop_map(
        |(servers, others, a, b, first, trailing)| {
            let body = |name: &str, pairs: &[(&str, &str, &str)]| {
                let mut pairs: Vec<String> = pairs
                    .iter()
                    .enumerate()
                    .map(|(at, (before, value, after))| format!("{before}\"{name}{at}\"{after}:{before}{value}{after}"))
                    .collect();
                if trailing && !pairs.is_empty() {
                    pairs.push(a.to_owned());
                }
                pairs.join(",")
            };
            let list = format!("{a}\"mcpServers\":{b}{{{}{b}}}", body("s", &servers));
            let others = body("o", &others);
            let parts: Vec<String> = if first { vec![list, others] } else { vec![others, list] };
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
            format!("{a}{{{}{b}}}{b}", parts.join(",").replace(",,", ","))
        },
    )
}

/// Whether `old` can be had from `new` by leaving characters out. The space in an empty map may give way.
fn is_within(old: &str, new: &str) -> bool {
    let mut rest = new.chars();
    old.chars().filter(|c| !c.is_whitespace()).all(|wanted| rest.any(|c| c == wanted))
}

proptest! {
    #[test]
    fn nothing_that_was_there_is_lost(text in json_file(), stdio in any::<bool>()) {
        let Ok(listed) = Listed::read(Host::Cursor, &text) else { return Ok(()) };
        let entry = if stdio { Entry::Command { command: "toolgate".into(), args: vec!["stdio".into()] } } else { url() };
        let changed = edit::connect(Host::Cursor, &text, "toolgate", &entry, &[]).unwrap();
        prop_assert!(is_within(&text, &changed), "{text:?} became {changed:?}");
        let after = Listed::read(Host::Cursor, &changed).unwrap();
        prop_assert_eq!(&after.servers[..listed.servers.len()], &listed.servers[..]);
        let out = edit::disconnect(Host::Cursor, &changed, "toolgate", &text, &[]).unwrap();
        prop_assert!(out.was_there);
        let listed_again = Listed::read(Host::Cursor, &out.text).unwrap();
        prop_assert_eq!(listed_again, listed);
    }

    #[test]
    fn any_text_is_changed_well_or_refused(text in "[\\[\\]{}\",:= a-c\n\r#/*_.]{0,60}") {
        for host in [Host::Cursor, Host::Codex] {
            if let Ok(changed) = edit::connect(host, &text, "toolgate", &url(), &[]) {
                prop_assert!(edit::is_connected(host, &changed, "toolgate").unwrap());
            }
        }
    }

    #[test]
    fn toml_keeps_its_lines(
        before in prop::collection::vec(prop::sample::select(vec![
            "# c", "", "model = 'x' # y", "[tui]", "  odd   =  1", "[mcp_servers.a]", "command='npx'", "args = [\n 1,\n]",
        ]), 0..8),
        crlf in any::<bool>(),
        end in any::<bool>(),
    ) {
        let ending = if crlf { "\r\n" } else { "\n" };
        let mut text = before.join("\n").replace('\n', ending);
        if end { text += ending }
        let Ok(_) = Listed::read(Host::Codex, &text) else { return Ok(()) };
        let changed = edit::connect(Host::Codex, &text, "toolgate", &url(), &[]).unwrap();
        prop_assert!(is_within(&text, &changed), "{text:?} became {changed:?}");
        prop_assert_eq!(changed.matches('\n').count() == changed.matches("\r\n").count(), crlf && text.contains('\n'));
    }
}
