//! What is said about files that are wrong.

use super::bad;

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
    println!("{faults}");
    assert!(faults.contains("toolgate.yaml:7:5: upstreams.memory.comand: unknown key; did you mean `command`?"), "{faults}");
}
