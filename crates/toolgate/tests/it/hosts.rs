//! `import`, `connect` and `disconnect` as a person runs them, with a home folder that has the files of all clients.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use toolgate_testkit::process::run_with_input;
use toolgate_testkit::{Client, Era, Program, until};

use crate::commands::{Ran, TOOLGATE, fails, succeeds, toolgate};

/// Word, file below the home folder, and a file as the client has it.
const HOSTS: [(&str, &str, &str); 8] = [
    ("claude-desktop", ".config/Claude/claude_desktop_config.json", "claude_desktop_config.json"),
    ("claude-code", ".claude.json", "claude.json"),
    ("cursor", ".cursor/mcp.json", "cursor.json"),
    ("vscode", ".config/Code/User/mcp.json", "vscode.json"),
    ("windsurf", ".codeium/windsurf/mcp_config.json", "windsurf.json"),
    ("zed", ".config/zed/settings.json", "zed.json"),
    ("codex", ".codex/config.toml", "codex.toml"),
    ("gemini", ".gemini/settings.json", "gemini.json"),
];

fn sample(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hosts/tests/fixtures");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn put(home: &TempDir, file: &str, text: &str) {
    let path = home.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(home: &TempDir, file: &str) -> String {
    fs::read_to_string(home.path().join(file)).unwrap()
}

/// A home folder with the files of all clients.
fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    HOSTS.iter().for_each(|(_, file, name)| put(&home, file, &sample(name)));
    home
}

/// A home folder in which Cursor has a server that can be run, and a secret.
fn home_with_clock() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    // Under its own name it would be taken for the gateway.
    symlink(TOOLGATE, home.path().join("clock")).unwrap();
    let clock =
        json!({"command": home.path().join("clock"), "args": ["builtin", "time"], "env": {"API_KEY": "s3cret"}});
    put(&home, ".cursor/mcp.json", &json!({"mcpServers": {"clock": clock}}).to_string());
    home
}

#[tokio::test]
async fn what_import_wrote_is_accepted_and_serves() {
    let home = home_with_clock();
    put(&home, "toolgate.yaml", "# mine\nlisten: 127.0.0.1:0 # any\n");
    put(&home, "secrets.env", "# kept");
    let said = succeeds(home.path(), &["import", "--yes", "--secrets-to", "secrets.env"]).await;
    assert!(said.contains("+   clock:") && !said.contains("s3cret"), "{said}");
    let written = read(&home, "toolgate.yaml");
    assert!(written.starts_with("# mine\nlisten: 127.0.0.1:0 # any\nupstreams:\n  clock:\n"), "{written}");
    assert!(!written.contains("s3cret") && written.contains("API_KEY: \"${CLOCK_API_KEY}\""), "{written}");
    assert_eq!(read(&home, "secrets.env"), "# kept\nCLOCK_API_KEY='s3cret'\n");
    let mode = fs::metadata(home.path().join("secrets.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = succeeds(home.path(), &["check"]).await;
    assert!(said.ends_with("toolgate.yaml is fine: 1 upstreams\n  clock over stdio\n"), "{said}");
    let listed = succeeds(home.path(), &["tools", "--config", "toolgate.yaml"]).await;
    assert!(listed.contains("clock__current_time"), "{listed}");
    let said = succeeds(home.path(), &["import", "--yes", "--secrets-to", "secrets.env"]).await;
    assert!(said.contains("= clock is there already") && said.contains("nothing to add"), "{said}");
    assert_eq!(read(&home, "toolgate.yaml"), written);
}

#[tokio::test]
async fn a_gateway_that_runs_serves_what_is_taken_over() {
    let home = home_with_clock();
    put(&home, "toolgate.yaml", "listen: 127.0.0.1:0\nupstreams: {}\n");
    let folder = home.path().to_owned();
    let (_program, url) = Program::serve_in(TOOLGATE, home).await;
    let client = Client::connect(&url, Era::Modern).await;
    assert_eq!(client.tools().await, [""; 0]);
    succeeds(&folder, &["import", "--yes", "--secrets-to", "secrets.env"]).await;
    until("the server is there", || async {
        client.tools().await.contains(&"clock__current_time".to_owned()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn all_clients_at_once() {
    let home = home();
    let said = succeeds(home.path(), &["import", "--yes", "--json", "--secrets-to", "secrets.env"]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    let outcome = |client: &str, name: &str| {
        let servers = said["servers"].as_array().unwrap();
        let server = servers.iter().find(|server| server["client"] == client && server["name"] == name);
        server.unwrap_or_else(|| panic!("{client} {name}: {said:#}")).clone()
    };
    assert_eq!(outcome("claude-desktop", "github")["outcome"], "added");
    assert_eq!(outcome("vscode", "github")["as"], "github-vscode");
    assert_eq!(outcome("vscode", "perplexity")["unset"], json!(["INPUT_PERPLEXITY_KEY"]));
    assert_eq!(outcome("zed", "mcp-server-context7")["outcome"], "refused");
    assert_eq!(outcome("codex", "figma")["unset"], json!(["FIGMA_OAUTH_TOKEN"]));
    assert_eq!((&said["written"], &said["in_the_open"]), (&json!(true), &json!(0)));
    let said = succeeds(home.path(), &["check"]).await;
    assert!(said.contains("toolgate.yaml is fine: 18 upstreams\n"), "{said}");
    let written = read(&home, "toolgate.yaml");
    for secret in ["ghp_0123", "hunter2", "lin_api_", "your-api-token"] {
        assert!(!written.contains(secret) && read(&home, "secrets.env").contains(secret), "{secret}: {written}");
    }
}

#[tokio::test]
async fn nothing_is_written_unless_somebody_says_yes() {
    let home = home_with_clock();
    let answered = |input: &'static str| {
        let folder = home.path().to_owned();
        async move { Ran::from(run_with_input(TOOLGATE, &folder, &["import", "cursor"], input).await) }
    };
    for input in ["", "n\n", "what\n"] {
        let ran = answered(input).await;
        assert_eq!((ran.code, home.path().join("toolgate.yaml").exists()), (1, false), "{input:?}");
        assert!(ran.err.contains("nothing was written; answer `y`, or say --yes"), "{}", ran.err);
    }
    let said = succeeds(home.path(), &["import", "--json"]).await;
    assert!(said.contains("\"written\": false") && !said.contains("s3cret"), "{said}");
    assert!(!home.path().join("toolgate.yaml").exists());
    let ran = answered("y\n").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("1 values that look like secrets stay in the config"), "{}", ran.out);
    assert!(read(&home, "toolgate.yaml").contains("API_KEY: s3cret"));
}

#[tokio::test]
async fn import_says_what_is_wrong_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    fails(home.path(), &["import"], 1, "no file of a client was found. Looked for:").await;
    fails(home.path(), &["import", "emacs"], 2, "not known; there are: claude-desktop, claude-code, cursor").await;
    fails(home.path(), &["import", "--file", "x.json"], 1, "x.json: whose file is this? Say so").await;
    fails(home.path(), &["import", "cursor", "--file", "x.json"], 1, "x.json: there is no such file").await;
    put(&home, ".cursor/mcp.json", "{\"mcpServers\": {\"a\": }}");
    fails(home.path(), &["import"], 1, ".cursor/mcp.json: line 1, column 22: not JSON").await;
    fails(home.path(), &["import", "cursor"], 1, ".cursor/mcp.json: line 1, column 22: not JSON").await;
    put(&home, ".cursor/mcp.json", "{\"mcpServers\": {\"a\": {\"command\": \"x\"}}}");
    put(&home, "toolgate.yaml", "upstreams: [\n");
    fails(home.path(), &["import", "--yes"], 64, "toolgate.yaml:1:13: not YAML").await;
    assert_eq!(read(&home, "toolgate.yaml"), "upstreams: [\n");
    put(&home, "theirs.json", "{\"mcpServers\": {}}");
    fails(home.path(), &["import", "--yes", "--into", "theirs.json"], 64, "is in the words of a client").await;
    put(&home, "toolgate.yaml", "names: plain\n");
    fs::create_dir(home.path().join("secrets.env")).unwrap();
    fails(home.path(), &["import", "--yes", "--secrets-to", "secrets.env"], 1, "secrets.env: is not a file").await;
    assert_eq!(read(&home, "toolgate.yaml"), "names: plain\n");
    fails(
        home.path(),
        &["import", "--yes", "--secrets-to", "toolgate.yaml"],
        2,
        "secrets and config cannot be one file",
    )
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_does_not_keep_the_others_out() {
    let home = home_with_clock();
    put(&home, ".gemini/settings.json", "{");
    let ran = toolgate(home.path(), &["import", "--yes"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("settings.json: line 1, column 1: not JSON"), "{}", ran.err);
    assert!(read(&home, "toolgate.yaml").contains("  clock:\n"));
    let said = succeeds(home.path(), &["import", "--json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["unread"][0].as_str().unwrap().contains(".gemini/settings.json"), "{said}");
}

#[tokio::test]
async fn each_client_is_connected_and_gets_its_file_back() {
    let home = home();
    for (word, file, name) in HOSTS {
        let said = succeeds(home.path(), &["connect", word]).await;
        assert!(said.contains(&format!("back again: `toolgate disconnect {word}`")), "{said}");
        let by = if word == "claude-desktop" { "stdio" } else { "http://127.0.0.1:8665/mcp" };
        assert!(read(&home, file).contains(by), "{word}: {}", read(&home, file));
        let said = succeeds(home.path(), &["connect", word]).await;
        assert!(said.contains("already"), "{said}");
        let said = succeeds(home.path(), &["disconnect", word]).await;
        assert!(said.contains("is byte for byte what it was"), "{said}");
        assert_eq!(read(&home, file), sample(name), "{word}");
        fails(home.path(), &["disconnect", word], 1, "toolgate has not connected it").await;
    }
}

#[tokio::test]
async fn only_toolgate_takes_out_what_the_config_has() {
    let home = home_with_clock();
    let before = read(&home, ".cursor/mcp.json");
    let other = r#"{"url": "https://example.com/mcp"}"#;
    put(&home, ".cursor/mcp.json", &before.replace(r#"{"clock""#, &format!(r#"{{"other": {other}, "clock""#)));
    let before = read(&home, ".cursor/mcp.json");
    put(&home, ".vscode/mcp.json", "");
    succeeds(home.path(), &["import", "cursor", "--yes"]).await;
    let config = read(&home, "toolgate.yaml").replace("  other:\n", "  other:\n    enabled: false\n");
    put(&home, "toolgate.yaml", &config);
    let said = succeeds(home.path(), &["connect", "cursor", "--only-toolgate", "--json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["removed"], json!(["clock"]));
    assert_eq!(said["kept"], json!([{"name": "other", "why": "it is disabled in the config"}]));
    let mut file: Value = serde_json::from_str(&read(&home, ".cursor/mcp.json")).unwrap();
    assert_eq!(file["mcpServers"].as_object().unwrap().keys().collect::<Vec<_>>(), ["other", "toolgate"]);
    // Cursor writes its file: what was taken out comes back all the same, and what is new stays.
    file["mcpServers"]["new"] = json!({"url": "https://example.com/new"});
    put(&home, ".cursor/mcp.json", &file.to_string());
    let said = succeeds(home.path(), &["disconnect", "cursor"]).await;
    assert!(
        said.contains("was changed since; toolgate's entry was taken out") && said.contains("put back: clock"),
        "{said}"
    );
    let file: Value = serde_json::from_str(&read(&home, ".cursor/mcp.json")).unwrap();
    assert_eq!(file["mcpServers"].as_object().unwrap().keys().collect::<Vec<_>>(), ["clock", "new", "other"]);
    succeeds(home.path(), &["connect", "cursor"]).await;
    put(&home, ".cursor/mcp.json", &before);
    let said = succeeds(home.path(), &["disconnect", "cursor", "--force"]).await;
    assert!(said.contains("is byte for byte what it was"), "{said}");
}

#[tokio::test]
async fn the_command_that_a_client_gets_is_a_server() {
    let home = home_with_clock();
    succeeds(home.path(), &["import", "cursor", "--yes"]).await;
    put(&home, "toolgate.yaml", &(read(&home, "toolgate.yaml") + "namespaces:\n  travel: {}\n"));
    succeeds(home.path(), &["connect", "cursor", "--stdio", "--project", "--namespace", "travel", "--name", "trips"])
        .await;
    let file: Value = serde_json::from_str(&read(&home, ".cursor/mcp.json")).unwrap();
    let entry = &file["mcpServers"]["trips"];
    let args: Vec<&str> = entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
    assert_eq!((args[0], &args[3..]), ("stdio", &["--namespace", "travel"] as &[&str]));
    let elsewhere = tempfile::tempdir().unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "story", "version": "1"}
    }});
    let command = entry["command"].as_str().unwrap();
    let ran = Ran::from(run_with_input(command, elsewhere.path(), &args, &format!("{hello}\n")).await);
    assert!(ran.out.contains("\"serverInfo\""), "{}{}", ran.out, ran.err);
}

#[tokio::test]
async fn connect_says_what_is_wrong_and_changes_nothing() {
    let home = home();
    let bad: [(&[&str], i32, &str); 7] = [
        (&["connect"], 2, "required arguments were not provided"),
        (&["connect", "zed", "--project"], 1, "Zed has no file for single projects"),
        (
            &["connect", "claude-desktop", "--url", "http://a/mcp"],
            1,
            "Claude Desktop starts its servers itself and takes no URL",
        ),
        (&["connect", "zed", "--url", "a/mcp"], 1, "--url a/mcp: an endpoint begins with http:// or https://"),
        (&["connect", "zed", "--namespace", "nowhere"], 1, "the config has no such namespace"),
        (&["connect", "zed", "--name", "local-mcp-server"], 1, "another server is called `local-mcp-server` there"),
        (&["connect", "zed", "--config", "missing.yaml"], 64, "missing.yaml: cannot be read"),
    ];
    for (args, code, words) in bad {
        fails(home.path(), args, code, words).await;
    }
    put(&home, "toolgate.yaml", "listen: 127.0.0.1:0\n");
    fails(home.path(), &["connect", "zed"], 1, "listens on any free port; say which with --url, or use --stdio").await;
    put(&home, "toolgate.yaml", "listen: 0.0.0.0:7000\n");
    put(&home, ".config/zed/settings.json", "{");
    fails(home.path(), &["connect", "zed"], 1, "settings.json: line 1, column 1: not JSON").await;
    assert_eq!(read(&home, ".config/zed/settings.json"), "{");
    // Where what was there cannot be kept, nothing is changed.
    put(&home, ".local/state/toolgate/hosts", "in the way");
    let said = toolgate(home.path(), &["connect", "codex"]).await;
    assert_eq!(said.code, 1, "{}", said.out);
    assert_eq!(read(&home, ".codex/config.toml"), sample("codex.toml"));
    fs::remove_file(home.path().join(".local/state/toolgate/hosts")).unwrap();
    succeeds(home.path(), &["connect", "codex"]).await;
    assert!(
        read(&home, ".codex/config.toml").contains("[mcp_servers.toolgate]\nurl = \"http://127.0.0.1:7000/mcp\"\n")
    );
}
