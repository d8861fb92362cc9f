//! What files mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{World, good};
use crate::{Builtin, Era, Names, Secret, Settings, Transport, UpstreamSettings};

fn upstream<'a>(settings: &'a Settings, name: &str) -> &'a UpstreamSettings {
    settings.upstreams.iter().find(|upstream| upstream.name == name).expect("the upstream is in the file")
}

fn revealed(pairs: &[(String, Secret)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect()
}

fn args(upstream: &UpstreamSettings) -> Vec<&str> {
    match &upstream.transport {
        Transport::Stdio { args, .. } => args.iter().map(Secret::reveal).collect(),
        other => panic!("not a process: {other:?}"),
    }
}

#[test]
fn a_whole_number_is_one_however_it_is_spelled() {
    for (text, depth) in [("64", 64), ("64.0", 64), ("6.4e1", 64), ("'${DEPTH:-32.0}'", 32)] {
        let settings = good("toolgate.yaml", &format!("limits: {{depth: {text}}}"));
        assert_eq!(settings.limits.depth, depth, "{text}");
    }
}

#[test]
fn a_file_of_ours_with_one_upstream_of_each_kind() {
    let settings = good(
        "toolgate.yaml",
        r#"
listen: [127.0.0.1:0, "[::1]:8665", localhost:9000]
names: plain
restart: {first_wait: 3s}
upstreams:
  memory:
    command: npx
    args: [-y, "@modelcontextprotocol/server-memory", 8080, 1.10, true]
    env: {KEY: "${VAR:-x}", PORT: 8080}
    env_allow: [HTTPS_PROXY]
    cwd: ./dir
    restart: {max_wait: 5s}
  remote:
    url: https://example.com/mcp
    headers: {Authorization: "Bearer ${TOKEN:-t}", X-Trace: 1}
    era: modern
    timeout: 1.5m
  old: {url: "http://127.0.0.1:9/x/sse?y=1"}
  clock: {builtin: time, enabled: false}
"#,
    );
    let listen: Vec<String> = settings.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:0", "[::1]:8665", "127.0.0.1:9000"]);
    assert_eq!(settings.names, Names::Plain);
    let names: Vec<&str> = settings.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(names, ["memory", "remote", "old", "clock"], "the order of the file");

    let memory = upstream(&settings, "memory");
    assert_eq!(args(memory), ["-y", "@modelcontextprotocol/server-memory", "8080", "1.10", "true"], "as spelled");
    let Transport::Stdio { command, env, env_allow, cwd, .. } = &memory.transport else { panic!("{memory:?}") };
    assert_eq!(command, Path::new("npx"));
    assert_eq!(revealed(env), [("KEY", "x"), ("PORT", "8080")]);
    assert!(env_allow.contains(&"PATH".to_owned()) && env_allow.last() == Some(&"HTTPS_PROXY".to_owned()));
    assert_eq!(cwd, Path::new("/proj/dir"));
    let waits = (memory.timeout, memory.restart.first_wait, memory.restart.max_wait);
    assert_eq!(waits, (Duration::from_secs(60), Duration::from_secs(3), Duration::from_secs(5)));
    assert_eq!(memory.origin.to_string(), "toolgate.yaml:6:3");

    let remote = upstream(&settings, "remote");
    let Transport::Http { url, headers } = &remote.transport else { panic!("{remote:?}") };
    assert_eq!(url.reveal(), "https://example.com/mcp");
    assert_eq!(revealed(headers), [("authorization", "Bearer t"), ("x-trace", "1")]);
    assert_eq!((remote.era, remote.timeout), (Era::Modern, Duration::from_secs(90)));

    assert_eq!(upstream(&settings, "old").transport.kind(), "sse", "by its path");
    let clock = upstream(&settings, "clock");
    assert_eq!((clock.enabled, &clock.transport), (false, &Transport::Builtin { name: Builtin::Time }));
}

#[test]
fn paths_begin_at_the_file_and_tilde_is_home() {
    let text = "state_dir: ~/state\nupstreams:\n  a: {command: ./run.sh, cwd: ../x}\n  b: {command: ~/bin/b}\n  c: {command: c}";
    let settings = good("/etc/toolgate/toolgate.yaml", text);
    let programs: Vec<(PathBuf, PathBuf)> = settings
        .upstreams
        .iter()
        .map(|upstream| match &upstream.transport {
            Transport::Stdio { command, cwd, .. } => (command.clone(), cwd.clone()),
            other => panic!("not a process: {other:?}"),
        })
        .collect();
    let expected =
        [("/etc/toolgate/run.sh", "/etc/toolgate/../x"), ("/home/ada/bin/b", "/etc/toolgate"), ("c", "/etc/toolgate")];
    assert_eq!(programs, expected.map(|(command, cwd)| (command.into(), cwd.into())));
    assert_eq!(settings.state_dir, Some("/home/ada/state".into()));
}

#[test]
fn an_environment_file_is_read_and_env_wins() {
    let world = World::default()
        .file("/proj/a.env", "# keys\nexport A=1\nB = \"two words\" \n\nC='x # y'\nD=d # note\nA=3\nE=\n");
    let text = "upstreams: {a: {command: a, env_file: a.env, env: {B: own}}}";
    let settings = world.parse("toolgate.yaml", text).expect("no fault");
    let Transport::Stdio { env, .. } = &settings.upstreams[0].transport else { panic!("{settings:?}") };
    assert_eq!(revealed(env), [("C", "x # y"), ("D", "d"), ("A", "3"), ("E", ""), ("B", "own")]);
}

#[test]
fn yaml_anchors_and_merges_work() {
    let settings = good(
        "toolgate.yaml",
        r#"
x-common: &common
  command: uvx
  env: &env {A: "1"}
upstreams:
  one: {<<: *common, args: [one]}
  two: {<<: [*common], env: {<<: *env, B: "2"}}
"#,
    );
    assert_eq!(args(upstream(&settings, "one")), ["one"]);
    let Transport::Stdio { command, env, .. } = &upstream(&settings, "two").transport else { panic!("{settings:?}") };
    assert_eq!((command.as_path(), revealed(env)), (Path::new("uvx"), vec![("B", "2"), ("A", "1")]));
}

#[test]
fn a_variable_may_stand_for_a_word_a_number_a_switch_or_a_duration() {
    let world = World::default().env("ERA", "legacy").env("MANY", "7").env("ON", "false").env("WAIT", "5s");
    let text = "limits: {batch: '${MANY}'}\ntimeouts: {call: '${WAIT}'}\nupstreams:\n  a: {builtin: time, era: '${ERA}', enabled: '${ON}'}";
    let settings = world.parse("toolgate.yaml", text).expect("no fault");
    assert_eq!(settings.limits.batch, 7);
    assert_eq!(settings.timeouts.call, Duration::from_secs(5));
    assert_eq!((settings.upstreams[0].era, settings.upstreams[0].enabled), (Era::Legacy, false));
}

#[test]
fn a_disabled_upstream_is_listed_whatever_it_lacks() {
    let settings = good(
        "toolgate.yaml",
        "upstreams:\n  a: {url: 'https://${NOWHERE}/', headers: {Authorization: '${NOTHING}'}, enabled: false}",
    );
    assert!(!settings.upstreams[0].enabled);
    let Transport::Http { url, .. } = &settings.upstreams[0].transport else { panic!("{settings:?}") };
    assert_eq!(url.reveal(), "https://${NOWHERE}/", "as written");
}

#[test]
fn an_empty_file_and_empty_keys_mean_the_defaults() {
    assert_eq!(good("toolgate.yaml", ""), good("toolgate.yaml", "upstreams:\nlog:\n  level:\nlimits:\n"));
    assert_eq!(good("toolgate.yaml", "# nothing yet\n").listen[0].to_string(), "127.0.0.1:8665");
}

#[test]
fn nothing_secret_is_shown() {
    let world = World::default().env("TOKEN", "s3cr3t-value");
    let text = "upstreams:\n  a: {command: a, args: ['--token=${TOKEN}'], env: {K: literal-s3cr3t}}\n  b: {url: 'https://x/${TOKEN}', headers: {A: '${TOKEN}'}}";
    let settings = world.parse("toolgate.yaml", text).expect("no fault");
    let shown = format!("{settings:?}");
    assert!(!shown.contains("s3cr3t"), "{shown}");
    assert!(shown.contains("--token=${TOKEN}"), "{shown}");
    assert_eq!(args(&settings.upstreams[0]), ["--token=s3cr3t-value"]);
}

#[test]
fn names_become_legal_the_same_way_every_time() {
    let cases = [
        ("memory", "memory"),
        ("My Server (v2)", "My-Server-v2"),
        ("@scope/server", "scope-server"),
        ("a__b", "a_b"),
        ("_x_", "x"),
        ("日本", "u-9f26ee51"),
    ];
    for (name, expected) in cases {
        let settings = good("toolgate.yaml", &format!("upstreams: {{ \"{name}\": {{builtin: time}} }}"));
        assert_eq!(settings.upstreams[0].slug, expected, "{name}");
        assert_eq!(settings.upstreams[0].name, name);
    }
}

#[test]
fn tools_are_offered_by_pattern() {
    let settings = good(
        "toolgate.yaml",
        "upstreams: {a: {builtin: time, tools: {allow: ['get_*', '*_a*z', plain], deny: ['*_secret']}}}",
    );
    let tools = &settings.upstreams[0].tools;
    for name in ["get_", "get_x", "x_abcz", "_az", "plain"] {
        assert!(tools.permits(name), "{name}");
    }
    for name in ["get_secret", "plainer", "xget_x", "x_abc", "", "a_z"] {
        assert!(!tools.permits(name), "{name}");
    }
}

#[test]
fn what_is_no_fault_but_worth_knowing_is_noted() {
    let settings = good(
        "toolgate.yaml",
        "listen: 0.0.0.0:80\nupstreams: {a: {url: http://example.com, headers: {Authorization: x}}}",
    );
    let notes = settings.notes.join("\n");
    assert!(notes.contains("toolgate.yaml:1:9: listen: listens beyond this machine"), "{notes}");
    assert!(notes.contains("a.headers.Authorization: a credential over plain `http://`"), "{notes}");
}

#[test]
fn hosts_and_origins_are_taken_in_lower_case() {
    let text =
        "allowed_hosts: [MCP.example.com, 'x:8443', '[::1]:80']\nallowed_origins: ['https://Chat.example.com:8443']";
    let settings = good("toolgate.yaml", text);
    assert_eq!(settings.allowed_hosts, ["mcp.example.com", "x:8443", "[::1]:80"]);
    assert_eq!(settings.allowed_origins, ["https://chat.example.com:8443"]);
}

#[test]
fn keys_are_secrets_and_replicas_need_some() {
    let settings = good(
        "toolgate.yaml",
        "keys: [a key of thirty-two characters..., another of at least that length..]\nreplica: {url: 'http://10.0.0.3:8665/'}\n",
    );
    assert_eq!(settings.keys.iter().map(Secret::reveal).collect::<Vec<_>>()[0], "a key of thirty-two characters...");
    assert!(!format!("{settings:?}").contains("thirty-two"));
    assert_eq!(settings.replica_url.as_deref(), Some("http://10.0.0.3:8665"));
}
