//! What is said about files that are wrong.

use super::{World, bad};

/// Each file is written on one line (`/` for a line break), with the fault that must come, and no other.
#[track_caller]
fn each(name: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let faults = bad(name, text);
        assert_eq!(faults, format!("{name}:{expected}"), "\n{text}");
    }
}

#[test]
fn all_at_once() {
    let faults = bad(
        "toolgate.yaml",
        r#"
lisen: 127.0.0.1:8665
names: prefxed
timeouts: {call: 60}
upstreams:
  memory:
    comand: npx
    args: x
  remote:
    url: htp://example.com/mcp
    headers: {Authorization: "Bearer ${TOKEN}"}
    timeout: 60x
  both: {command: a, url: http://x/}
  none: {}
"#,
    );
    let expected = "\
toolgate.yaml:2:1: lisen: unknown key; did you mean `listen`?
toolgate.yaml:3:8: names: expected one of `prefixed`, `plain`, `transparent`, found `prefxed`; did you mean `prefixed`?
toolgate.yaml:4:18: timeouts.call: expected a duration such as `60s`, found the number 60; add the unit, as in `60s`
toolgate.yaml:7:5: upstreams.memory.comand: unknown key; did you mean `command`?
toolgate.yaml:8:11: upstreams.memory.args: expected a list, found `x`; write `[x]`
toolgate.yaml:10:10: upstreams.remote.url: `htp://example.com/mcp` is not the URL of a server; it begins with `https://` or `http://` and names a host
toolgate.yaml:11:38: upstreams.remote.headers.Authorization: the variable `TOKEN` is not set; set it, or give a default: `${TOKEN:-…}`
toolgate.yaml:12:14: upstreams.remote.timeout: expected a duration such as `250ms`, `60s`, `5m` or `1h`, found `60x`
toolgate.yaml:13:27: upstreams.both.url: both `command` and `url`; an upstream has one of them
toolgate.yaml:14:3: upstreams.none: says nothing about how to reach it; give it a `command` to run, a `url` to call, or say which `builtin` it is";
    assert_eq!(faults, expected);
}

#[test]
fn a_fault_is_shown_with_its_line_and_a_caret() {
    let faults =
        World::default().parse("toolgate.yaml", "upstreams:\n  memory:\n    comand: npx\n").expect_err("a fault");
    let expected = "\
toolgate.yaml:3:5: upstreams.memory.comand: unknown key; did you mean `command`?
3 |     comand: npx
  |     ^
";
    assert_eq!(faults.pretty(), expected);
}

#[test]
fn syntax() {
    each(
        "toolgate.yaml",
        &[
            ("a: [1", "1:6: not YAML: while parsing a flow sequence, expected ',' or ']'"),
            ("upstreams: *x", "1:12: not YAML: while parsing node, found unknown anchor"),
            ("a: !include x", "1:4: the tag `!include` is not known here"),
            ("[a, b]: c", "1:1: a key must be a text, this is a list"),
            ("log: {}\n---\nlog: {}", "2:1: a second document; a config file has one"),
            ("log: {}\nlog: {}", "2:1: log: `log` is given twice; first on line 1; remove one of the two"),
            ("just text", "1:1: expected a map of keys and values, found `just text`"),
        ],
    );
    each(
        "toolgate.json",
        &[
            (r#"{"listen": "127.0.0.1:1" "names": "plain"}"#, "1:25: not JSON: expected comma"),
            (r#"{"listen": }"#, "1:12: not JSON: unexpected close brace"),
            (r#"{"log": {}, "log": {}}"#, "1:13: log: `log` is given twice; first on line 1; remove one of the two"),
            ("{\n  // one\n  \"lisen\": \"x\",\n}", "3:3: lisen: unknown key; did you mean `listen`?"),
        ],
    );
}

#[test]
fn the_usual_slips_of_yaml_are_explained() {
    let cases = [
        ("upstreams: {a: {command: b, env: {K: ${K}}}}", "put a text with `${…}` in double quotes"),
        ("upstreams:\n  a: {command: npx, args: [-y, @x/y]}", "a text that begins with `@` must be in double quotes"),
        ("upstreams:\n\ta: {}", "indent with spaces, not tabs"),
    ];
    for (text, help) in cases {
        let faults = bad("toolgate.yaml", text);
        assert!(faults.contains(help), "{text}\n{faults}");
    }
}

#[test]
fn meaning() {
    each(
        "toolgate.yaml",
        &[
            ("listen: []", "1:9: listen: no address to listen on; leave the key out for the default"),
            ("listen: :8665", "1:9: listen: `:8665` is no address to listen on; write `127.0.0.1:8665`"),
            ("listen: 8665", "1:9: listen: `8665` is no address to listen on; write `127.0.0.1:8665`"),
            ("listen: 127.0.0.1", "1:9: listen: `127.0.0.1` is no address to listen on; add a port: `127.0.0.1:8665`"),
            ("port: 80", "1:1: port: unknown key; did you mean `listen`?"),
            ("limits: {depth: 1000}", "1:17: limits.depth: must be from 8 to 120"),
            ("limits: {depth: 8.5}", "1:17: limits.depth: expected a whole number, found the number 8.5"),
            ("limits: {request: 5TB}", "1:19: limits.request: expected a size such as `64KiB` or `4MiB`, found `5TB`"),
            ("limits: {request: 99GiB}", "1:19: limits.request: must be from `1KiB` to `1GiB`, found `99GiB`"),
            ("timeouts: {call: 0s}", "1:18: timeouts.call: must be longer than nothing, found `0s`"),
            (
                "timeouts: {call: 99999999999999999999d}",
                "1:18: timeouts.call: expected a duration such as `250ms`, `60s`, `5m` or `1h`, found `99999999999999999999d`",
            ),
            ("allowed_hosts: ['https://a.b/c']", "1:17: allowed_hosts[0]: `https://a.b/c` is no host; write `a.b`"),
            (
                "allowed_hosts: ['*']",
                "1:17: allowed_hosts[0]: `*` would let any web page in by DNS rebinding; name the hosts",
            ),
            ("allowed_origins: [a.b]", "1:19: allowed_origins[0]: `a.b` is no origin; write `https://a.b`"),
            (
                "allowed_origins: ['https://a.b/']",
                "1:19: allowed_origins[0]: `https://a.b/` is no origin; write `https://a.b`",
            ),
            (
                "names: transparent",
                "1:8: names: `transparent` needs exactly one enabled upstream, there are 0; use `prefixed` or `plain`",
            ),
        ],
    );
}

#[test]
fn upstreams() {
    let one = |upstream: &str| format!("upstreams:\n  a: {upstream}");
    let cases = [
        (
            "{command: npx -y x}",
            "2:16: upstreams.a.command: `npx -y x` is not the name of a program; no shell reads it: write `command: npx` and `args: [-y, x]`",
        ),
        ("{command: ''}", "2:16: upstreams.a.command: the command is empty"),
        ("{command: \"a\\0b\"}", "2:16: upstreams.a.command: holds a NUL character"),
        ("{command: a, env: {'A=B': c}}", "2:25: upstreams.a.env.\"A=B\": not a name for a variable"),
        (
            "{command: a, env: {A: }}",
            "2:26: upstreams.a.env.A: expected a text, found nothing; give it a value, or remove the key",
        ),
        ("{command: a, headers: {A: b}}", "2:29: upstreams.a.headers.A: `headers` means nothing without `url`"),
        ("{url: 'https://a', cwd: b}", "2:30: upstreams.a.cwd: `cwd` means nothing without `command`"),
        (
            "{url: 'https://u:p@a'}",
            "2:12: upstreams.a.url: a user name in a URL ends up in logs; put it into `headers`, as `Authorization`",
        ),
        (
            "{url: 'ws://a'}",
            "2:12: upstreams.a.url: `ws://a` is not the URL of a server; it begins with `https://` or `http://` and names a host",
        ),
        (
            "{url: 'https://a', headers: {Host: b}}",
            "2:35: upstreams.a.headers.Host: toolgate sets this header itself; remove it",
        ),
        ("{url: 'https://a', headers: {'a b': b}}", "2:35: upstreams.a.headers.\"a b\": not a name for a header"),
        (
            "{url: 'https://a', headers: {x: \"b\\nc\"}}",
            "2:38: upstreams.a.headers.x: not a value for a header; a header's value is one line of text",
        ),
        (
            "{url: 'https://a', headers: {x: b, X: c}}",
            "2:41: upstreams.a.headers.X: given twice, in other letters; remove one of the two",
        ),
        (
            "{url: 'https://a', era: 2025-11-25}",
            "2:30: upstreams.a.era: expected one of `auto`, `legacy`, `modern`, found `2025-11-25`",
        ),
        (
            "{builtin: memry}",
            "2:16: upstreams.a.builtin: expected one of `time`, `memory`, `everything`, found `memry`; did you mean `memory`?",
        ),
        ("{builtin: time, enabled: 'no'}", "2:31: upstreams.a.enabled: expected `true` or `false`, found `no`"),
        (
            "{command: a, env_file: b.env}",
            "2:29: upstreams.a.env_file: the file `/proj/b.env` cannot be read: entity not found",
        ),
    ];
    for (upstream, expected) in cases {
        each("toolgate.yaml", &[(&one(upstream), expected)]);
    }
    each(
        "toolgate.yaml",
        &[
            (
                "upstreams:\n  a b: {builtin: time}\n  A-b: {builtin: time}",
                "3:3: upstreams.A-b: its tools would be named `A-b__…`, as those of `a b` are; rename one of the two",
            ),
            ("upstreams:\n  '': {builtin: time}", "2:3: upstreams.\"\": an upstream needs a name"),
        ],
    );
}

#[test]
fn a_variable_that_spells_nonsense_is_not_told() {
    let world = World::default().env("X", "s3cr3t");
    let cases = [
        "names: '${X}'",
        "timeouts: {call: '${X}'}",
        "limits: {batch: '${X}'}",
        "upstreams: {a: {url: '${X}'}}",
        "upstreams: {a: {command: a, enabled: '${X}'}}",
        "allowed_hosts: ['https://${X}/']",
        "listen: '${X}'",
    ];
    for text in cases {
        let faults = world.parse("toolgate.yaml", text).expect_err("a fault");
        assert!(!faults.pretty().contains("s3cr3t"), "{text}\n{}", faults.pretty());
    }
}

#[test]
fn a_line_is_shown_without_its_secrets() {
    let key = ["ghp", "a1B2c3D4e5F6g7H8i9J0k1L2"].join("_");
    let text = format!("upstreams:\n  a: {{comand: b, env: {{TOKEN: hush-hush}}, args: [--key={key}]}}\n");
    let shown = World::default().parse("toolgate.yaml", &text).expect_err("a fault").pretty();
    assert!(!shown.contains("hush") && !shown.contains(&key[4..]), "{shown}");
    assert!(shown.contains("\n2 |   a: {comand: b, env: {TOKEN: *********}"), "{shown}");
}

#[test]
fn a_file_that_is_not_there_or_not_text() {
    let world = World::default().file("/proj/latin", b"a: \xe9").file("/proj/large", vec![b' '; (1 << 20) + 1]);
    let load = |name: &str| world.with(|sources| crate::load(name.as_ref(), sources).expect_err("a fault").to_string());
    assert_eq!(load("none"), "none: cannot be read: entity not found");
    assert_eq!(load("latin"), "latin: not UTF-8 text (line 1); save it as UTF-8");
    assert_eq!(load("large"), "large: larger than 1 MiB; is this the config file?");
}

#[test]
fn depth_aliases_and_numbers_of_upstreams_are_bounded() {
    let deep = format!("x-a: {}{}", "[".repeat(100), "]".repeat(100));
    assert!(bad("toolgate.yaml", &deep).contains("nested deeper than 64"));
    let deep = format!("{{\"x-a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(bad("toolgate.json", &deep).contains("nest"));

    let mut laughs = "x-0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let below = format!("*l{}, ", level - 1).repeat(10);
        laughs.push_str(&format!("x-{level}: &l{level} [{below}]\n"));
    }
    assert!(bad("toolgate.yaml", &laughs).contains("aliases (`*name`) make this file too large"));

    let many: String = (0..=1000).map(|n| format!("  u{n}: {{builtin: time}}\n")).collect();
    let faults = bad("toolgate.yaml", &format!("upstreams:\n{many}"));
    assert_eq!(faults, "toolgate.yaml:1002:3: upstreams.u1000: more than 1000 upstreams");
}

#[test]
fn a_thousand_faults_are_as_many_as_can_be_read() {
    let many: String = (0..5000).map(|n| format!("k{n}: 1\n")).collect();
    let faults = World::default().parse("toolgate.yaml", &many).expect_err("faults");
    assert_eq!(faults.len(), 200);
}

#[test]
fn a_key_that_can_be_guessed_and_a_replica_without_any() {
    for (text, words) in [
        ("keys: [short]", "a key needs at least 32 characters"),
        ("replica: {url: http://10.0.0.3:8665}", "replicas believe each other by their keys"),
        ("keys: [a key of thirty-two characters...]\nreplica: {url: 10.0.0.3}", "not the address of a replica"),
        ("keys: [a key of thirty-two characters...]\nreplica: {url: http://h/path}", "not the address of a replica"),
    ] {
        let faults = super::bad("toolgate.yaml", text);
        assert!(faults.contains(words), "{faults}");
        assert!(!faults.contains("thirty-two"), "a key is shown: {faults}");
    }
}
