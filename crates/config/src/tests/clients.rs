//! The files of clients, as they are.

use super::{World, bad, good};
use crate::{Settings, Transport};

/// Each upstream as one line: name, kind, and what it is reached by.
fn lines(settings: &Settings) -> Vec<String> {
    let line = |upstream: &crate::UpstreamSettings| {
        let by = match &upstream.transport {
            Transport::Stdio { command, args, env, .. } => {
                let args = args.iter().map(|arg| format!(" {}", arg.reveal())).collect::<String>();
                let env = env.iter().map(|(name, value)| format!(" {name}={}", value.reveal())).collect::<String>();
                format!("{}{args}{env}", command.display())
            }
            Transport::Http { url, headers } | Transport::Sse { url, headers } => {
                let headers = headers.iter().map(|(name, value)| format!(" {name}: {}", value.reveal()));
                format!("{}{}", url.reveal(), headers.collect::<String>())
            }
            Transport::Builtin { name } => format!("{name:?}"),
            other => other.kind().to_owned(),
        };
        let off = if upstream.enabled { "" } else { " (disabled)" };
        format!("{} {} {by}{off}", upstream.slug, upstream.transport.kind())
    };
    settings.upstreams.iter().map(line).collect()
}

#[test]
fn claude_desktop_code_and_cursor() {
    let settings = good(
        ".mcp.json",
        r#"{
            "globalShortcut": "Ctrl+Space",
            "mcpServers": {
                "fs": {"command": "npx", "args": ["-y", "pkg", "/tmp"], "env": {"N": 1}},
                "gh": {"type": "http", "url": "https://a/mcp", "headers": {"A": "${T:-t}"}, "oauth": {"clientId": "x"}},
                "sse": {"type": "sse", "url": "https://a/x"},
                "linear": {"url": "https://mcp.linear.app/sse", "env": {"UNUSED": "1"}},
                "off": {"type": "stdio", "command": "x", "disabled": true, "alwaysAllow": ["a"], "autoApprove": []}
            }
        }"#,
    );
    let expected = [
        "fs stdio npx -y pkg /tmp N=1",
        "gh http https://a/mcp a: t",
        "sse sse https://a/x",
        "linear sse https://mcp.linear.app/sse",
        "off stdio x (disabled)",
    ];
    assert_eq!(lines(&settings), expected);
    let notes = [
        ".mcp.json:5:93: mcpServers.gh.oauth: not used: toolgate has nothing of the kind",
        ".mcp.json:7:73: mcpServers.linear.env.UNUSED: `env` means nothing without `command`",
    ];
    assert_eq!(settings.notes, notes);
}

#[test]
fn a_settings_file_with_much_else_in_it() {
    let settings = good(
        ".claude.json",
        r#"{
            "numStartups": 12, "log": {"zed": "warn"}, "theme": "${NOT_A_VARIABLE}", "userID": "x",
            "projects": {"/a": {"mcpServers": {"p": {"command": "p"}}}, "/b": {"mcpServers": {}}},
            "mcpServers": {"m": {"command": "m"}}
        }"#,
    );
    assert_eq!(lines(&settings), ["m stdio m"]);
    let note =
        ".claude.json:3:26: projects.\"/a\": the servers of this project are not taken; only those of the user are";
    assert_eq!(settings.notes, [note.replace("\"/a\"", "/a")]);
}

#[test]
fn windsurf_and_gemini() {
    let settings = good(
        "settings.json",
        r#"{"mcpServers": {
            "w": {"serverUrl": "https://w/mcp", "disabledTools": ["x"]},
            "g": {"httpUrl": "https://g/mcp", "url": "https://g/sse", "timeout": 5000, "trust": true, "includeTools": ["a"], "excludeTools": ["b"]},
            "c": {"command": "c", "timeout": 90}
        }}"#,
    );
    assert_eq!(lines(&settings), ["w http https://w/mcp", "g http https://g/mcp", "c stdio c"]);
    let tools = |index: usize| &settings.upstreams[index].tools;
    assert!(!tools(0).permits("x") && tools(0).permits("y"));
    assert!(tools(1).permits("a") && !tools(1).permits("b") && !tools(1).permits("c"));
    let seconds: Vec<u64> = settings.upstreams.iter().map(|upstream| upstream.timeout.as_secs()).collect();
    assert_eq!(seconds, [60, 5, 90]);
}

const VSCODE: &str = r#"{
    // comments and trailing commas are fine
    "inputs": [
        {"type": "promptString", "id": "api-key", "password": true},
        {"type": "pickString", "id": "region", "options": ["eu", "us"], "default": "eu"},
    ],
    "servers": {
        "a": {"type": "http", "url": "https://a/${input:region}", "headers": {"K": "${input:api-key}"}},
        "b": {"type": "stdio", "command": "${workspaceFolder}/b", "args": ["${userHome}", "${env:E}", "${workspaceFolderBasename}"],
              "envFile": "${workspaceFolder}/.env", "env": {"GONE": null}, "dev": {"watch": "x"}, "gallery": true, "version": "1"},
    },
}"#;

#[test]
fn vs_code_with_inputs() {
    let world = World::default().env("INPUT_API_KEY", "k").env("E", "e").file("/proj/p/.env", "F=f");
    let settings = world.parse("/proj/p/.vscode/mcp.json", VSCODE).expect("no fault");
    assert_eq!(lines(&settings), ["a http https://a/eu k: k", "b stdio /proj/p/b /home/ada e p F=f"]);

    let world = World::default().env("E", "e").file("/proj/p/.env", "F=f");
    let faults = world.parse("/proj/p/.vscode/mcp.json", VSCODE).expect_err("an input is missing").to_string();
    let expected = "/proj/p/.vscode/mcp.json:8:85: servers.a.headers.K: the input `api-key` has no value, and a gateway cannot ask for one; set the variable `INPUT_API_KEY`, or give the input a `default`";
    assert_eq!(faults, expected);

    let settings = good("settings.json", r#"{"editor.fontSize": 12, "mcp": {"servers": {"a": {"command": "a"}}}}"#);
    assert_eq!(lines(&settings), ["a stdio a"]);
}

#[test]
fn zed() {
    let settings = good(
        "settings.json",
        r#"{"theme": "One", "context_servers": {
            "a": {"source": "custom", "enabled": false, "command": "a", "args": ["1"], "env": {}},
            "b": {"command": {"path": "b", "args": ["2"], "env": {"K": "v"}}, "settings": {}},
            "c": {"source": "extension", "settings": {}},
            "d": {"settings": {"x": 1}}
        }}"#,
    );
    assert_eq!(lines(&settings), ["a stdio a 1 (disabled)", "b stdio b 2 K=v"]);
    assert_eq!(settings.notes.len(), 2, "{:?}", settings.notes);
}

#[test]
fn servers_nested_inside_a_gateways_entry() {
    for gateway in ["mcp-gateway", "toolgate", "/opt/bin/toolgate"] {
        let text = format!(
            r#"{{"mcpServers": {{
                "gateway": {{"command": "{gateway}", "args": ["x"], "env": {{"SECRET": "${{UNSET}}"}}, "servers": {{"n": {{"command": "n"}}}}}},
                "direct": {{"command": "d"}}
            }}}}"#
        );
        let settings = good("mcp.json", &text);
        assert_eq!(lines(&settings), ["n stdio n"], "{gateway}");
        assert_eq!(settings.notes.len(), 1, "the one that is left to the client is told: {:?}", settings.notes);
    }
}

#[test]
fn the_gateway_never_calls_itself() {
    let settings = good(
        "mcp.json",
        r#"{"mcpServers": {
            "gate": {"command": "C:\\bin\\toolgate.exe", "args": ["stdio"]},
            "toolgate": {"type": "http", "url": "http://127.0.0.1:8665/mcp"},
            "other": {"type": "http", "url": "http://127.0.0.1:9000/mcp"}
        }}"#,
    );
    assert_eq!(lines(&settings), ["other http http://127.0.0.1:9000/mcp"]);
    assert_eq!(settings.notes.len(), 2);
}

#[test]
fn our_own_keys_beside_a_clients_list() {
    let json = r#"{"listen": "127.0.0.1:1", "mcpServers": {"a": {"command": "a", "era": "legacy"}}}"#;
    let yaml = "listen: 127.0.0.1:1\nmcpServers: {a: {command: a, type: stdio, era: legacy}}";
    assert_eq!(good("x", json).listen, good("x", yaml).listen);
    assert_eq!(lines(&good("x", json)), lines(&good("x", yaml)));

    let expected = "x:1:27: lisen: unknown key; did you mean `listen`?";
    assert_eq!(bad("x", r#"{"names": "plain",        "lisen": 1, "mcpServers": {}}"#), expected);
    let expected = "x:2:1: mcpServers: `upstreams` is here as well as `mcpServers`; keep one of the two";
    assert_eq!(bad("x", "upstreams: {}\nmcpServers: {}"), expected);
}

#[test]
fn the_faults_of_a_clients_file_speak_its_words() {
    let cases = [
        (
            r#"{"mcpServers": {"a": {"comand": "x"}}}"#,
            "1:23: mcpServers.a.comand: unknown key; did you mean `command`?",
        ),
        (
            r#"{"mcpServers": {"a": {"severUrl": "x"}}}"#,
            "1:23: mcpServers.a.severUrl: unknown key; did you mean `serverUrl`?",
        ),
        (
            r#"{"mcpServers": {"a": {"command": "x", "qqqqqq": 1}}}"#,
            "1:39: mcpServers.a.qqqqqq: unknown key; no client that toolgate knows has it",
        ),
        (
            r#"{"mcpServers": {"a": {"type": "ws", "url": "ws://x"}}}"#,
            "1:31: mcpServers.a.type: no such transport: `ws`; known here: `stdio`, `http`, `sse`",
        ),
        (
            r#"{"mcpServers": {"a": {"command": "x", "disabled": "yes"}}}"#,
            "1:51: mcpServers.a.disabled: expected `true` or `false`, found `yes`",
        ),
        (r#"{"mcpServers": {"a": "npx"}}"#, "1:22: mcpServers.a: expected a map of keys and values, found `npx`"),
        (r#"{"mcpServers": [1]}"#, "1:16: mcpServers: expected a map of keys and values, found a list"),
        (
            r#"{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}"#,
            "1:40: mcpServers.a: `a` is given twice; first on line 1; remove one of the two",
        ),
        (
            r#"{"mcpServers": {"a": {}}}"#,
            "1:17: mcpServers.a: says nothing about how to reach it; give it a `command` to run, a `url` to call, or say which `builtin` it is",
        ),
        (
            r#"{"mcpServers": {"a": {"command": "a", "tools": {}, "excludeTools": []}}}"#,
            "1:52: mcpServers.a.excludeTools: `tools` is here as well; keep one of the two",
        ),
    ];
    for (text, expected) in cases {
        let faults = bad("mcp.json", text);
        let first = faults.lines().next().unwrap_or_default();
        assert_eq!(first, format!("mcp.json:{expected}"), "{text}");
    }
}
