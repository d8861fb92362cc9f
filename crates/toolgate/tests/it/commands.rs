//! The program as a person runs it: what each command prints, where, and what it exits with.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use toolgate_testkit::process::{Signal, is_gone, run, run_with_input, signal};
use toolgate_testkit::{Call, Era, Gate, Program, Script, soon};

pub(crate) const TOOLGATE: &str = env!("CARGO_BIN_EXE_toolgate");

/// Everything that can be wrong at once; each fault is on a line of its own.
const FAULTY: &str = "\
lisen: 127.0.0.1:8665
names: prefxed
timeouts: {call: 60}
upstreams:
  memory:
    comand: npx
  remote:
    url: htp://example.com/mcp
    headers: {Authorization: \"Bearer ${TOKEN}\"}
";
const ITS_FAULTS: &str = "\
toolgate.yaml:1:1: lisen: unknown key; did you mean `listen`?
toolgate.yaml:2:8: names: expected one of `prefixed`, `plain`, `transparent`, found `prefxed`; did you mean `prefixed`?
toolgate.yaml:3:18: timeouts.call: expected a duration such as `60s`, found the number 60; add the unit, as in `60s`
toolgate.yaml:6:5: upstreams.memory.comand: unknown key; did you mean `command`?
toolgate.yaml:8:10: upstreams.remote.url: `htp://example.com/mcp` is not the URL of a server; it begins with `https://` or `http://` and names a host
toolgate.yaml:9:38: upstreams.remote.headers.Authorization: the variable `TOKEN` is not set; set it, or give a default: `${TOKEN:-…}`
";

pub(crate) fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("toolgate.yaml"), config).unwrap();
    folder
}

/// What a command wrote, and its exit code. Nothing is coloured where there is no terminal.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains('\x1b'), "colour where there is no terminal: {text}");
            text
        };
        let code = output.status.code().expect("it was not killed");
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

pub(crate) async fn toolgate(folder: &Path, args: &[&str]) -> Ran {
    run(TOOLGATE, folder, args).await.into()
}

/// What must come of a command that does what was asked.
pub(crate) async fn succeeds(folder: &Path, args: &[&str]) -> String {
    let ran = toolgate(folder, args).await;
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// What must come of one that does not.
pub(crate) async fn fails(folder: &Path, args: &[&str], code: i32, words: &str) {
    let ran = toolgate(folder, args).await;
    assert_eq!(ran.code, code, "{args:?}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(words), "{args:?} says {}", ran.err);
    assert_eq!(ran.out, "", "{args:?} says on stdout what belongs on stderr");
}

#[tokio::test]
async fn check_tells_all_faults_at_once() {
    let faulty = folder(FAULTY);
    for args in [&["check"] as &[&str], &["check", "toolgate.yaml"], &["check", "--config", "toolgate.yaml"]] {
        let ran = toolgate(faulty.path(), args).await;
        let said = ran.err.replace(&format!("{}/", faulty.path().display()), "");
        assert_eq!((ran.code, ran.out.as_str(), said.as_str()), (64, "", ITS_FAULTS), "{args:?}");
    }
    fails(faulty.path(), &["check", "missing.yaml"], 64, "missing.yaml: cannot be read: No such file").await;
}

#[tokio::test]
async fn check_says_what_a_good_config_means() {
    let good = folder("upstreams:\n  clock: {builtin: time}\n  far: {url: https://example.com/mcp, enabled: false}\n");
    let said = succeeds(good.path(), &["check", "toolgate.yaml"]).await;
    assert_eq!(said, "toolgate.yaml is fine: 2 upstreams\n  clock over builtin\n  far over http (disabled)\n");
    let theirs =
        r#"{"mcpServers": {"memory": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"]}}}"#;
    std::fs::write(good.path().join("claude_desktop_config.json"), theirs).unwrap();
    let said = succeeds(good.path(), &["check", "claude_desktop_config.json"]).await;
    assert_eq!(said, "claude_desktop_config.json is fine: 1 upstreams\n  memory over stdio\n");
    let nothing = tempfile::tempdir().unwrap();
    let said = succeeds(nothing.path(), &["check"]).await;
    assert!(
        said.starts_with("no config file was found; the compiled-in servers would be started. Looked for:\n"),
        "{said}"
    );
    assert!(said.contains(".mcp.json\n") && said.contains("/.config/toolgate/toolgate.yaml\n"), "{said}");
}

#[tokio::test]
async fn what_check_accepts_can_be_started() {
    let config = folder(&format!("upstreams:\n  {}: {{builtin: time}}\n", "long-".repeat(12)));
    succeeds(config.path(), &["check"]).await;
    let listed = succeeds(config.path(), &["tools", "--config", "toolgate.yaml"]).await;
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(
        !names.is_empty() && names.iter().all(|name| name.len() <= 64 && name.starts_with("long-long-")),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_faulty_config_starts_and_binds_nothing() {
    // Whoever tried to bind this would fail with another exit code.
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let upstream = "command: touch, args: [started]";
    let faulty = folder(&format!("listen: {address}\nupstreams:\n  a: {{{upstream}}}\n  b: {{comand: x}}\n"));
    for args in [&["serve"] as &[&str], &[], &["stdio"], &["tools"], &["call", "a__b"], &["status"]] {
        fails(faulty.path(), args, 64, ":4:7: upstreams.b.comand: unknown key; did you mean `command`?").await;
    }
    assert!(!faulty.path().join("started").exists());
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_and_nothing_stays_behind() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let upstream = Script::echo(Era::Legacy).that_stays().over_stdio().await;
    let config = folder(&format!("listen: {address}\nupstreams:\n  up: {}\n", upstream.config()));
    let ran = toolgate(config.path(), &["serve"]).await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    let words = format!(
        "toolgate: cannot listen on {address}: Address already in use (os error 98); another program has this port"
    );
    assert!(ran.err.contains(&words), "{}", ran.err);
    for pid in upstream.pids() {
        is_gone(pid).await;
    }
}

#[tokio::test]
async fn schema_and_defaults_describe_the_config() {
    let empty = tempfile::tempdir().unwrap();
    let schema: Value = serde_json::from_str(&succeeds(empty.path(), &["schema"]).await).unwrap();
    assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(false)));
    let properties = schema["properties"].as_object().unwrap();
    let defaults = succeeds(empty.path(), &["defaults"]).await;
    for key in properties.keys() {
        let stands = ["", "#"].iter().any(|mark| defaults.contains(&format!("\n{mark}{key}:")));
        assert!(stands, "`{key}` stands in the default file");
    }
    assert!(properties["listen"]["description"].as_str().unwrap().contains("Port 0 takes a free port"));
    std::fs::write(empty.path().join("toolgate.yaml"), &defaults).unwrap();
    let said = succeeds(empty.path(), &["check", "toolgate.yaml"]).await;
    assert!(said.starts_with("toolgate.yaml is fine: 0 upstreams\n"), "{said}");
}

/// The first five minutes: no config, no arguments but a free port.
#[tokio::test]
async fn without_a_config_the_compiled_in_servers_are_there() {
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(TOOLGATE);
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(empty.path()).env_clear().env("HOME", empty.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("toolgate stdio`") {
        said += &soon("the next line", lines.next_line()).await.unwrap().expect("it goes on");
        said.push('\n');
    }
    let url =
        said.lines().find_map(|line| line.strip_prefix("toolgate serves MCP at ")).expect("it says where it serves");
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/mcp"), "{url}");
    assert!(
        said.starts_with("No config file was found; the compiled-in servers are started instead. Looked for:\n"),
        "{said}"
    );
    for place in ["toolgate.yaml", ".mcp.json", ".config/toolgate/toolgate.yaml"] {
        assert!(said.contains(&format!("  {}\n", empty.path().join(place).display())), "{place}: {said}");
    }
    for upstream in ["time      ", "memory    ", "everything"] {
        let row = said.lines().find(|line| line.starts_with(&format!("  {upstream}  ready "))).expect(upstream);
        assert!(
            row.contains("  modern 2026-07-28  ") && row.contains(" tools, ") && !row.contains("  0 tools"),
            "{row}"
        );
    }
    for line in [
        format!("Claude Code  claude mcp add --transport http toolgate {url}\n"),
        format!("Cursor       {{\"mcpServers\": {{\"toolgate\": {{\"url\": \"{url}\"}}}}}}   in ~/.cursor/mcp.json\n"),
        format!("VS Code      code --add-mcp '{{\"name\":\"toolgate\",\"type\":\"http\",\"url\":\"{url}\"}}'\n"),
        format!("any client   {{\"mcpServers\": {{\"toolgate\": {{\"type\": \"http\", \"url\": \"{url}\"}}}}}}"),
    ] {
        assert!(said.contains(&line), "{line}: {said}");
    }
    let called = succeeds(empty.path(), &["call", "time__current_time", "zone=Europe/Rome", "--url", url]).await;
    assert!(called.contains("Europe/Rome"), "{called}");
    signal(child.id().unwrap(), Signal::TERM);
    let ended = soon("it ends", child.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("stopped (SIGTERM)"));
}

/// A tool with an argument of every type; it answers with what it was given.
fn typed() -> Script {
    let definition = r#"{"name":"typed","description":"Says what it was given.\nAt length.","inputSchema":{"type":"object","properties":{
        "text":{"type":"string"},"whole":{"type":"integer"},"yes":{"type":"boolean"},"list":{"type":"array"},"map":{"type":"object"},"any":{}}}}"#;
    Script::echo(Era::Modern)
        .entry("tools", definition)
        .on("tools/call typed", async |call: Call| {
            let given = call.params["arguments"].to_string();
            call.text(&given);
        })
        .tool("broken", async |call: Call| call.answer(json!({"content": [{"type": "text", "text": "no luck"}], "isError": true})))
        .tool("refused", async |call: Call| call.fail(-32050, "not \u{1b}[31mtoday"))
        .tool("show", async |call: Call| {
            call.answer(json!({"content": [
                {"type": "text", "text": "a\u{1b}[2Jb"}, {"type": "image", "mimeType": "image/png", "data": "AAAA"},
                {"type": "resource_link", "uri": "doc://one", "name": "One"},
                {"type": "resource", "resource": {"uri": "doc://two", "text": "Two"}}, {"type": "hologram"},
            ]}));
        })
        .tool("asks", async |call: Call| {
            let question = json!({"method": "elicitation/create", "params": {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}});
            call.answer(json!({"resultType": "input_required", "inputRequests": {"q": question}, "requestState": "s"}));
        })
}

#[tokio::test]
async fn tools_and_calls_against_a_running_gateway_and_from_a_config() {
    let upstream = typed().over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let config = folder(&format!("upstreams:\n  up: {}\n", upstream.config()));
    let url = format!("{}/mcp", gate.url());
    for endpoint in [["--url", &*url], ["--config", "toolgate.yaml"]] {
        let toolgate = async |args: &[&str]| toolgate(config.path(), &[args, &endpoint].concat()).await;
        let listed = toolgate(&["tools"]).await;
        assert_eq!((listed.code, listed.err.trim_end().lines().last()), (0, Some("6 tools")), "{}", listed.err);
        assert!(listed.out.contains("up__typed    Says what it was given.\n"), "{}", listed.out);
        assert_eq!(listed.out.lines().count(), 6);
        let whole: Value = serde_json::from_str(&toolgate(&["tools", "--json"]).await.out).unwrap();
        let typed = whole.as_array().unwrap().iter().find(|tool| tool["name"] == "up__typed").unwrap();
        assert_eq!(typed["inputSchema"]["properties"]["whole"]["type"], "integer");

        let pairs = ["text=7", "whole=7", "yes=true", "list=[1]", "map={\"a\":null}", "any=x=y"];
        let called = toolgate(&[&["call", "up__typed"] as &[&str], &pairs].concat()).await;
        let given = r#"{"any":"x=y","list":[1],"map":{"a":null},"text":"7","whole":7,"yes":true}"#;
        assert_eq!((called.code, called.out.trim_end()), (0, given), "{}", called.err);
        let called = toolgate(&["call", "up__typed", "--args", r#"{"whole": "not checked here"}"#]).await;
        assert_eq!((called.code, called.out.trim_end()), (0, r#"{"whole":"not checked here"}"#), "{}", called.err);
        let args = ["call", "up__typed", "--args", "-", endpoint[0], endpoint[1]];
        let called: Ran = run_with_input(TOOLGATE, config.path(), &args, "{\"text\": \"in\"}\n").await.into();
        assert_eq!((called.code, called.out.trim_end()), (0, r#"{"text":"in"}"#), "{}", called.err);
        let called = toolgate(&["call", "up__typed", "--json"]).await;
        let result: Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!(result["content"], json!([{"type": "text", "text": "{}"}]), "{}", called.err);

        let shown = toolgate(&["call", "up__show"]).await.out;
        let expected = "a[2Jb\n[image, image/png, 4 characters of Base64; --json shows them]\n[resource doc://one One]\nTwo\n[hologram; --json shows it]\n";
        assert_eq!(shown, expected);

        let broken = toolgate(&["call", "up__broken"]).await;
        assert_eq!((broken.code, broken.out.as_str()), (1, "no luck\n"), "{}", broken.err);
        for (args, words) in [
            (&["call", "up__refused"] as &[&str], "toolgate: not [31mtoday"),
            (&["call", "up__asks"], "asks its client something"),
            (&["call", "up__nothing"], "toolgate: unknown tool: up__nothing"),
            (&["call", "up__nothing", "a=b"], "there is no tool `up__nothing`; `toolgate tools` lists those there are"),
            (&["call", "up__typed", "whole=x"], "`whole` must be of type integer, written as JSON"),
            (
                &["call", "up__typed", "hole=1"],
                "the tool has no argument `hole`; it has text, whole, yes, list, map, any",
            ),
            (&["call", "up__typed", "whole"], "`whole`: arguments are given as key=value"),
            (&["call", "up__typed", "--args", "{"], "--args: not valid JSON"),
            (&["call", "up__typed", "--args", "[]"], "--args must be a JSON object"),
        ] {
            fails(config.path(), &[args, &endpoint].concat(), 1, words).await;
        }
    }
}

#[tokio::test]
async fn without_an_address_the_config_says_whom_to_ask() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let address = gate.url().trim_start_matches("http://");
    let config = folder(&format!("listen: {address}\nupstreams: {{}}\n"));
    assert!(succeeds(config.path(), &["tools"]).await.contains("up__echo"), "of the gateway that runs there");
    assert_eq!(succeeds(config.path(), &["call", "up__echo", "text=hello"]).await, "hello\n");
    assert!(succeeds(config.path(), &["status"]).await.contains("\nup        ready  modern 2026-07-28  1"));
}

#[tokio::test]
async fn status_shows_every_upstream() {
    let up = Script::echo(Era::Legacy).over_stdio().await;
    let plan = Gate::of("up", &up)
        .and_config("off", json!({"command": "none", "enabled": false}))
        .and_config("bad", json!({"command": "no-such-program"}));
    // One try only, so that what failed stays failed.
    let plan = plan.config("restart: {first_wait: 1h, max_wait: 1h}");
    let gate = plan.start().await.settled().await;
    let empty = tempfile::tempdir().unwrap();
    for url in
        [gate.url().to_owned(), format!("{}/mcp", gate.url()), gate.url().trim_start_matches("http://").to_owned()]
    {
        let said = succeeds(empty.path(), &["status", "--url", &url]).await;
        let first = said.lines().next().unwrap();
        assert!(
            first.starts_with("toolgate ") && first.contains(&format!(" at {}/mcp, up for ", gate.url())),
            "{said}"
        );
        assert!(said.contains("\nup        ready     legacy 2025-11-25  1"), "{said}");
        assert!(said.contains("\noff       disabled  ?"), "{said}");
        assert!(
            said.contains("\nbad       failed    ?") && said.contains("`no-such-program` could not be started"),
            "{said}"
        );
    }
    let status: Value =
        serde_json::from_str(&succeeds(empty.path(), &["status", "--json", "--url", gate.url()]).await).unwrap();
    let states: Vec<&str> =
        status["upstreams"].as_array().unwrap().iter().filter_map(|one| one["state"].as_str()).collect();
    assert_eq!(states, ["ready", "failed", "disabled"]);
}

#[tokio::test]
async fn where_nothing_answers_the_exit_code_says_so() {
    let empty = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{free}/mcp");
    fails(
        empty.path(),
        &["status", "--url", &url],
        69,
        &format!("no gateway answers at {free}; is `toolgate serve` running?"),
    )
    .await;
    fails(empty.path(), &["tools", "--url", &url], 69, &format!("no MCP server answers at {url}")).await;
    fails(empty.path(), &["call", "a__b", "--url", &url], 69, &format!("no MCP server answers at {url}")).await;
    // Something answers, but it is no toolgate.
    let other = Script::echo(Era::Modern).over_http().await;
    let url = other.config()["url"].as_str().unwrap().to_owned();
    fails(empty.path(), &["status", "--url", &url], 69, "it answers 405").await;
}

#[tokio::test]
async fn wrong_usage_teaches_the_right_one() {
    let empty = tempfile::tempdir().unwrap();
    for args in [
        &["frobnicate"] as &[&str],
        &["serve", "--port", "1"],
        &["call"],
        &["serve", "--listen", "here"],
        &["completions", "dos"],
    ] {
        fails(empty.path(), args, 2, "error: ").await;
    }
    fails(empty.path(), &["call", "a", "b=c", "--args", "{}"], 2, "cannot be used with").await;
    fails(empty.path(), &["tools", "--url", "x", "--config", "y"], 2, "cannot be used with").await;
    fails(empty.path(), &["serve", "--log-level", "loud"], 1, "choose error, warn, info, debug or trace").await;
    fails(empty.path(), &["builtin", "nothing"], 1, "nothing").await;
    let help = succeeds(empty.path(), &["--help"]).await;
    for part in [
        "Without a command, `toolgate` serves",
        "Examples:",
        "toolgate serve --config",
        "  stdio ",
        "  check ",
        "  call ",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(!help.contains("atchdog"), "{help}");
    assert!(succeeds(empty.path(), &["call", "--help"]).await.contains("Arguments as key=value"));
    assert!(succeeds(empty.path(), &["--version"]).await.starts_with("toolgate "));
    for (shell, part) in
        [("bash", "complete -F _toolgate"), ("zsh", "#compdef toolgate"), ("fish", "complete -c toolgate")]
    {
        let script = succeeds(empty.path(), &["completions", shell]).await;
        assert!(script.contains(part) && script.contains("serve") && script.contains("log-level"), "{shell}");
    }
}

fn is_notification(message: &Value) -> bool {
    !message["method"].is_null() && message["id"].is_null()
}

/// One client over stdin and stdout: in front of a server of ours over HTTP and one compiled in.
#[tokio::test]
async fn stdio_serves_one_client_of_either_era() {
    let upstream = typed().over_http().await;
    for era in Era::BOTH {
        let plan = Gate::of("up", &upstream).and_config("clock", json!({"builtin": "time"}));
        let mut program = Program::start(TOOLGATE, "stdio", &plan);
        let mut client = program.client(era).open().await;
        let listed = client.request("tools/list", json!({})).await.unwrap();
        let names: Vec<&str> =
            listed["tools"].as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str()).collect();
        assert!(names.contains(&"up__typed") && names.contains(&"clock__current_time"), "{names:?}");
        assert_eq!(listed["resultType"].is_null(), era == Era::Legacy);
        let said = client.call("up__echo", json!({"text": "line\nbreak\u{2028}"})).await.unwrap();
        assert_eq!(said["content"][0]["text"], "line\nbreak\u{2028}");
        let said = client.call("clock__current_time", json!({"zone": "UTC"})).await.unwrap();
        assert!(said["content"][0]["text"].as_str().unwrap().contains("UTC"), "{said}");
        let fault = client.call("up__refused", json!({})).await.unwrap_err();
        assert_eq!(fault.code, -32050);
        // Its input ends, and with it the program.
        assert!(client.close().await.iter().all(is_notification));
        assert!(program.ended().await.success());
    }
}
