//! What files mean.

use super::good;

#[test]
fn a_whole_file_of_ours() {
    let settings = good(
        "toolgate.yaml",
        r#"
listen: 127.0.0.1:8665
names: prefixed
upstreams:
  memory:
    command: npx
    args: [-y, "@modelcontextprotocol/server-memory", 8080]
    env: {KEY: "${VAR:-x}", PORT: 8080}
    cwd: ./dir
  remote:
    url: https://example.com/mcp
    transport: http
    headers: {Authorization: "Bearer ${TOKEN:-t}"}
    era: auto
    timeout: 60s
  clock: {builtin: time}
"#,
    );
    println!("{settings:#?}");
    assert_eq!(settings.upstreams.len(), 3);
}
