//! Servers of clients' files taken over into a file of ours.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::World;
use crate::{Candidate, Dollar, Takeover, Target, Transport, Verdict, parse, take_over};

fn candidate<'a>(name: &'a str, json: &'a str) -> Candidate<'a> {
    Candidate {
        name,
        json,
        client: "cursor",
        file: Path::new("/home/ada/.cursor/mcp.json"),
        project: None,
        dollar: Dollar::Braces,
        inputs: &[],
    }
}

fn taken(world: &World, text: Option<&str>, secrets: Option<&str>, candidates: &[Candidate<'_>]) -> Takeover {
    let secrets = secrets.map(|text| (Path::new("secrets.env"), text));
    let target = Target { file: Path::new("toolgate.yaml"), text, secrets };
    world.with(|sources| take_over(candidates, &target, sources)).unwrap_or_else(|faults| panic!("{faults}"))
}

/// What is written, for an entry that is added.
fn written(candidate: Candidate<'_>) -> String {
    let takeover = taken(&World::default(), None, None, &[candidate]);
    takeover.text.unwrap_or_else(|| panic!("{:?}", takeover.verdicts))
}

fn added(name: &str) -> Verdict {
    Verdict::Added { name: name.to_owned(), unset: Vec::new() }
}

#[test]
fn upstreams_are_put_behind_those_that_are_there() {
    let entry = r#"{"command": "npx", "args": ["-y", "pkg"]}"#;
    let block = "  new:\n    command: npx\n    args: [\"-y\", pkg]\n";
    for (before, expected) in [
        ("", format!("upstreams:\n{block}")),
        ("# mine\nlisten: 127.0.0.1:1\n", format!("# mine\nlisten: 127.0.0.1:1\nupstreams:\n{block}")),
        ("listen: 127.0.0.1:1", format!("listen: 127.0.0.1:1\nupstreams:\n{block}")),
        ("upstreams:\n", format!("upstreams:\n{block}")),
        (
            "upstreams:\n  a: {builtin: time} # a\n  # the end\n\n# logs\nlog: {level: warn}\n",
            format!("upstreams:\n  a: {{builtin: time}} # a\n  # the end\n{block}\n# logs\nlog: {{level: warn}}\n"),
        ),
        (
            "upstreams:\r\n  a:\r\n    builtin: time\r\nnames: plain\r\n",
            format!("upstreams:\r\n  a:\r\n    builtin: time\r\n{}names: plain\r\n", block.replace('\n', "\r\n")),
        ),
        ("\u{feff}upstreams:\n", format!("\u{feff}upstreams:\n{block}")),
        ("upstreams: {}\n", "upstreams: {\"new\": {\"command\": \"npx\", \"args\": [\"-y\", \"pkg\"]}}\n".to_owned()),
        (
            "upstreams: {a: {builtin: time}} # one line\n",
            "upstreams: {a: {builtin: time}, \"new\": {\"command\": \"npx\", \"args\": [\"-y\", \"pkg\"]}} # one line\n".to_owned(),
        ),
        (
            "{\n  // ours\n  \"upstreams\": {\"a\": {\"builtin\": \"time\"},}\n}\n",
            "{\n  // ours\n  \"upstreams\": {\"a\": {\"builtin\": \"time\"},\"new\": {\"command\": \"npx\", \"args\": [\"-y\", \"pkg\"]}}\n}\n".to_owned(),
        ),
        (
            "{\"names\": \"plain\"}",
            "{\"names\": \"plain\", \"upstreams\": {\"new\": {\"command\": \"npx\", \"args\": [\"-y\", \"pkg\"]}}}".to_owned(),
        ),
    ] {
        let takeover = taken(&World::default(), Some(before), None, &[candidate("new", entry)]);
        assert_eq!(takeover.text.as_deref(), Some(&*expected), "{before:?}");
        World::default().parse("toolgate.yaml", &expected).unwrap();
    }
}

#[test]
fn the_same_is_not_taken_twice_and_another_of_the_name_is_renamed() {
    let text =
        "upstreams:\n  gh: {args: [run], command: docker, env: {T: \"${T}\"}}\n  off: {command: x, enabled: false}\n";
    let world = World::default().env("T", "abc");
    let candidates = [
        candidate("gh", r#"{"command": "docker", "args": ["run"], "env": {"T": "abc"}}"#),
        candidate("GH", r#"{"command": "podman"}"#),
        candidate("again", r#"{"command": "podman"}"#),
        candidate("gh", r#"{"command": "nerdctl"}"#),
        candidate("off", r#"{"command": "x"}"#),
        candidate("toolgate", r#"{"url": "http://127.0.0.1:8665/mcp"}"#),
        candidate("any", r#"{"command": "/opt/toolgate", "args": ["stdio"]}"#),
    ];
    let takeover = taken(&world, Some(text), None, &candidates);
    let verdicts: Vec<Verdict> = takeover.verdicts.into_iter().map(|(verdict, _)| verdict).collect();
    let present = |name: &str, enabled| Verdict::Present { name: name.to_owned(), enabled };
    let expected = [
        present("gh", true),
        added("GH-cursor"),
        present("GH-cursor", true),
        added("gh-cursor-2"),
        present("off", false),
        Verdict::Ourselves,
        Verdict::Ourselves,
    ];
    assert_eq!(verdicts, expected);
}

#[test]
fn secrets_move_to_a_file_that_fills_them_in_again() {
    let value = "it's \"${odd}\" \\ # $";
    let entry = format!(
        r#"{{"command": "npx", "args": ["--token=ghp_0123456789abcdefghij", "postgres://u:hunter2@db/x"],
            "env": {{"API_KEY": {}, "PEM_KEY": "a\nb", "MODE": "fast", "PATH": "/bin"}}}}"#,
        serde_json::to_string(&value.replace("${", "$${")).unwrap()
    );
    let remote = r#"{"url": "https://a/mcp", "headers": {"Authorization": "Bearer abc", "X-Team": "blue", "X-Api-Key": "${K:-k}"}}"#;
    let world = World::default().env("MINE_API_KEY", "something else");
    let candidates = [candidate("mine", &entry), candidate("far", remote)];
    let takeover = taken(&world, Some("# top\n"), Some("OTHER=1"), &candidates);
    let text = takeover.text.unwrap();
    let secrets = takeover.secrets.unwrap();
    assert!(text.starts_with("# top\n") && text.contains("env_file: \"./secrets.env\"\n"), "{text}");
    for hidden in ["hunter2", "ghp_0123", "it's", "Bearer abc"] {
        assert!(!text.contains(hidden) && !takeover.shown.join("\n").contains(hidden), "{hidden}: {text}");
    }
    assert!(secrets.reveal().starts_with("OTHER=1\n"), "{}", secrets.reveal());
    assert_eq!(takeover.moved, ["MINE_TOKEN", "MINE_TOKEN_2", "MINE_API_KEY_2", "MINE_PEM_KEY", "FAR_AUTHORIZATION"]);
    assert_eq!(takeover.in_the_open, 0);
    let settings = world.file("/proj/secrets.env", secrets.reveal()).parse("toolgate.yaml", &text).unwrap();
    let Transport::Stdio { args, env, .. } = &settings.upstreams[0].transport else { panic!("{settings:?}") };
    let args: Vec<&str> = args.iter().map(|arg| arg.reveal()).collect();
    assert_eq!(args, ["--token=ghp_0123456789abcdefghij", "postgres://u:hunter2@db/x"]);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
    assert_eq!(env, [("API_KEY", value), ("PEM_KEY", "a\nb"), ("MODE", "fast"), ("PATH", "/bin")]);
    let Transport::Http { headers, .. } = &settings.upstreams[1].transport else { panic!("{settings:?}") };
    assert_eq!((headers[0].1.reveal(), headers[1].1.reveal()), ("Bearer abc", "blue"));
}

#[test]
fn without_a_file_for_them_secrets_stay_and_are_masked_where_they_are_shown() {
    let entry = r#"{"command": "x", "env": {"API_TOKEN": "abcdef"}}"#;
    let takeover = taken(&World::default(), None, None, &[candidate("a", entry)]);
    assert_eq!((takeover.in_the_open, takeover.secrets), (1, None));
    assert!(takeover.text.unwrap().contains("API_TOKEN: abcdef"));
    assert!(takeover.shown.join("\n").contains("API_TOKEN: \"****\""));
}

#[test]
fn what_lacks_a_variable_is_taken_over_as_disabled() {
    let entry = r#"{"command": "x", "env": {"A": "${env:A}", "B": "${B:-b}", "C": "${C}", "D": "$${D}"}}"#;
    let world = World::default().env("C", "c");
    let takeover = taken(&world, None, None, &[candidate("a", entry)]);
    assert_eq!(takeover.verdicts[0].0, Verdict::Added { name: "a".into(), unset: vec!["A".into()] });
    let settings = world.parse("toolgate.yaml", &takeover.text.clone().unwrap()).unwrap();
    assert!(!settings.upstreams[0].enabled);
    // Taken over again: it is there.
    let again = taken(&world, takeover.text.as_deref(), None, &[candidate("a", entry)]);
    assert_eq!(again.verdicts[0].0, Verdict::Present { name: "a".into(), enabled: false });
}

#[test]
fn each_client_s_dollar_means_what_it_meant_there() {
    let entry = r#"{"command": "x", "args": ["$HOME", "${HOME}", "$5", "${input:my-key}", "${workspaceFolder}/a"]}"#;
    let inputs = [("my-key".to_owned(), Some("eu".to_owned()))];
    let of = |dollar, project| Candidate { dollar, project, inputs: &inputs, ..candidate("a", entry) };
    let literal = written(of(Dollar::Literal, None));
    assert!(
        literal.contains(r#"["$HOME", "$${HOME}", "$5", "$${input:my-key}", "$${workspaceFolder}/a"]"#),
        "{literal}"
    );
    let world = World::default().env("HOME", "/home/ada");
    let bare = r#"{"command": "x", "args": ["$HOME/a", "${HOME}", "$5", "$"]}"#;
    let bare = Candidate { dollar: Dollar::Bare, ..candidate("a", bare) };
    let bare = taken(&world, None, None, &[bare]).text.unwrap();
    assert!(bare.contains(r#"["${HOME}/a", "${HOME}", "$5", "$"]"#), "{bare}");
    let braces = taken(&world, None, None, &[of(Dollar::Braces, Some(Path::new("/shop")))]).text.unwrap();
    assert!(braces.contains(r#"["$HOME", "${HOME}", "$5", "${INPUT_MY_KEY:-eu}", /shop/a]"#), "{braces}");
    assert!(braces.contains("    cwd: /shop\n"), "{braces}");
}

#[test]
fn paths_mean_what_they_meant_where_they_stood() {
    let entry = r#"{"command": "./bin/x", "cwd": "sub", "envFile": ".env"}"#;
    let takeover = taken(&World::default().file("/home/ada/.env", "A=1"), None, None, &[candidate("a", entry)]);
    let text = takeover.text.unwrap_or_else(|| panic!("{:?}", takeover.verdicts));
    for line in ["command: /home/ada/bin/x", "cwd: /home/ada/sub", "env_file: /home/ada/.env"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn codex_s_words() {
    let entry = r#"{"url": "https://a/mcp", "http_headers": {"X-A": "1"}, "env_http_headers": {"X-B": "B_VARIABLE"},
        "bearer_token_env_var": "TOKEN", "tool_timeout_sec": 1.5, "enabled_tools": ["a"], "disabled_tools": ["b"], "enabled": true,
        "startup_timeout_sec": 20, "required": true, "tools": {"a": {"approval_mode": "approve"}}}"#;
    let entry = Candidate { dollar: Dollar::Literal, ..candidate("a", entry) };
    let text = taken(&World::default().env("B_VARIABLE", "b").env("TOKEN", "t"), None, None, &[entry]).text.unwrap();
    let expected = "upstreams:\n  a:\n    url: https://a/mcp\n    headers:\n      X-A: \"1\"\n      X-B: \"${B_VARIABLE}\"\n      \
        Authorization: \"Bearer ${TOKEN}\"\n    timeout: \"1500ms\"\n    tools:\n      allow: [a]\n      deny: [b]\n";
    assert_eq!(text, expected);
    let entry =
        r#"{"command": "npx", "env_vars": ["A", {"name": "B", "source": "local"}], "env": {"A": "own", "C": "c"}}"#;
    let entry = Candidate { dollar: Dollar::Literal, ..candidate("a", entry) };
    let text = taken(&World::default().env("B", "b"), None, None, &[entry]).text.unwrap();
    assert!(text.contains("    env:\n      A: own\n      C: c\n      B: \"${B}\"\n"), "{text}");
}

#[test]
fn an_entry_at_fault_is_refused_by_itself() {
    let long = "x".repeat(65);
    let candidates = [
        (candidate("a", "[]"), "a server is a map, and this is a list"),
        (candidate("b", r#"{"type": "ws", "url": "wss://a"}"#), "no such transport: `ws`"),
        (candidate("c", r#"{"url": "ftp://a"}"#), "is not the URL of a server"),
        (candidate("d", "{}"), "says nothing about how to reach it"),
        (candidate("e", r#"{"command": "a", "command": "b"}"#), "`command` is given twice"),
        (candidate("f", r#"{"command": ["a"]}"#), "expected"),
        (candidate("g", r#"{"command": "a", "url": "https://a"}"#), "both `command` and `url`"),
        (candidate(&long, r#"{"command": "a"}"#), "an upstream's name has 1 to 64 characters"),
        (candidate("h", r#"{"source": "extension"}"#), "Zed runs it as an extension"),
        (candidate("i", r#"{"command": "a", "args": ["${"]}"#), "`${` without a `}`"),
        (candidate("fine", r#"{"command": "a", "novelty": 1}"#), ""),
    ];
    let all: Vec<Candidate<'_>> = candidates.iter().map(|(candidate, _)| *candidate).collect();
    let takeover = taken(&World::default(), None, None, &all);
    for ((candidate, words), (verdict, notes)) in candidates.iter().zip(&takeover.verdicts) {
        match verdict {
            Verdict::Refused(why) => assert!(!words.is_empty() && why.contains(words), "{}: {why}", candidate.name),
            verdict => {
                assert_eq!((words, verdict), (&"", &added("fine")), "{}", candidate.name);
                assert_eq!(notes, &["`novelty` is left out: toolgate does not know it"]);
            }
        }
    }
    assert_eq!(takeover.text.as_deref(), Some("upstreams:\n  fine:\n    command: a\n"));
}

#[test]
fn a_file_that_is_not_ours_or_names_other_secrets_is_refused() {
    let refused = |text: &str, secrets| {
        let target = Target { file: Path::new("toolgate.yaml"), text: Some(text), secrets };
        let entry = candidate("a", r#"{"command": "a"}"#);
        World::default().with(|sources| take_over(&[entry], &target, sources)).unwrap_err().to_string()
    };
    assert!(refused("{\"mcpServers\": {}}", None).contains("is in the words of a client"));
    assert!(refused("upstreams: [a]", None).contains("has no map of `upstreams`"));
    assert!(refused("upstreams: {a: 1, a: 2}", None).contains("`a` is given twice"));
    assert!(refused("upstreams: {", None).contains("toolgate.yaml:1:"));
    assert!(
        refused("names: transparent\nupstreams: {b: {command: b}}", None)
            .contains("needs exactly one enabled upstream")
    );
    assert!(refused("", Some((Path::new("x.json"), "\n{}"))).contains("x.json: line 2 is not `NAME=value`"));
    let other = Some((Path::new("new.env"), ""));
    assert!(
        refused("env_file: old.env", other)
            .contains("names another `env_file` already; use it: `--secrets-to old.env`")
    );
}

#[test]
fn the_files_own_env_file_fills_and_the_environment_wins() {
    let world = World::default().file("/proj/s.env", "A='from file'\nB=file\n").env("B", "from environment");
    let settings =
        world.parse("c.yaml", "env_file: s.env\nupstreams: {x: {command: c, args: [\"${A}\", \"${B}\"]}}").unwrap();
    let Transport::Stdio { args, env, .. } = &settings.upstreams[0].transport else { panic!("{settings:?}") };
    assert_eq!((args[0].reveal(), args[1].reveal(), env.len()), ("from file", "from environment", 0));
    let faults = World::default().parse("c.yaml", "env_file: s.env\n").unwrap_err().to_string();
    assert!(faults.contains("c.yaml:1:11: env_file: the file `/proj/s.env` cannot be read"), "{faults}");
}

/// Whether `new` is `old` with whole pieces put in.
fn is_within(old: &str, new: &str) -> bool {
    let mut rest = new.chars();
    old.chars().all(|wanted| rest.any(|c| c == wanted))
}

proptest! {
    #[test]
    fn whatever_is_there_stays(
        lines in prop::collection::vec(prop::sample::select(vec![
            "# comment", "", "listen: 127.0.0.1:1", "upstreams:", "upstreams: {", "}", "  a:", "    builtin: time", "  b: {builtin: memory}",
            "  # inner", "  c: {command: x, env: {A: |", "names: plain", "log: {level: warn}", "    env: {A: \"}\"}", "   d: {builtin: time}",
            "---", "...", "  e:", "    command: |", "      # no comment", "      x", "\t", "upstreams: null", "? x", "upstreams: &a", "  f: *a",
        ]), 0..10),
        ending in prop::sample::select(vec!["\n", "\r\n"]),
        secret in any::<bool>(),
    ) {
        let text = lines.join(ending);
        let entry = candidate("new", r#"{"command": "npx", "env": {"KEY": "a", "N": 1.10, "T": "yes: \u2028 #", "U": ""}}"#);
        let secrets = secret.then_some((Path::new("secrets.env"), ""));
        let target = Target { file: Path::new("toolgate.yaml"), text: Some(&text), secrets };
        let Ok(takeover) = World::default().with(|sources| take_over(&[entry], &target, sources)) else { return Ok(()) };
        let new = takeover.text.expect("there is something to add");
        prop_assert!(is_within(&text, &new), "{text:?} became {new:?}");
        let world = World::default().file("/proj/secrets.env", "NEW_KEY=a");
        let read = |text: &str| world.with(|sources| parse(text, &PathBuf::from("toolgate.yaml"), sources));
        let names = |settings: &crate::Settings| settings.upstreams.iter().map(|up| up.name.clone()).collect::<Vec<_>>();
        if let Ok(before) = read(&text) {
            let after = read(&new);
            prop_assert!(after.is_ok(), "{text:?} became {new:?}: {}", after.unwrap_err());
            let after = after.unwrap();
            prop_assert_eq!(names(&after).len(), names(&before).len() + 1);
            prop_assert!(names(&after).iter().any(|name| name == "new"));
        }
    }
}
