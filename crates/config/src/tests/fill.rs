//! What `${…}` stands for.

use super::World;
use crate::Transport;

fn world() -> World {
    World::default()
        .env("A", "a")
        .env("EMPTY", "")
        .env("TRICKY", "${A}")
        .env("DIR", "keys")
        .file("/proj/keys/one", "line one\nline two\r\n")
        .file("/home/ada/two", "two")
        .file("/proj/binary", [0xff, 0xfe])
        .file("/proj/large", vec![b'x'; 70_000])
}

/// A text as the argument of an upstream: what becomes of it.
fn fill(text: &str) -> Result<String, String> {
    let file = format!("upstreams: {{a: {{command: a, args: [{}]}}}}", serde_json::to_string(text).expect("a string"));
    let settings = world().parse("toolgate.yaml", &file).map_err(|faults| faults.to_string())?;
    match &settings.upstreams[0].transport {
        Transport::Stdio { args, .. } => Ok(args[0].reveal().to_owned()),
        other => panic!("not a process: {other:?}"),
    }
}

#[test]
fn values() {
    let cases = [
        ("plain $A {A} $", "plain $A {A} $"),
        ("${A}", "a"),
        ("x${A}y${env:A}z", "xayaz"),
        ("${A:-b}", "a"),
        ("${NO:-b}", "b"),
        ("${NO:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-b}", "b"),
        ("${env:NO:-b}", "b"),
        ("${NO:-a:-b}", "a:-b"),
        ("${NO:-${ALSO_NO:-${A}}}", "a"),
        ("${NO:-{\"x\": 1}", "{\"x\": 1"),
        ("${TRICKY}", "${A}"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("${NO:-$${A}}", "${A}"),
        ("${file:keys/one}", "line one\nline two"),
        ("${file:~/two}", "two"),
        ("${file:/home/ada/two}", "two"),
        ("${file:${DIR}/one}", "line one\nline two"),
        ("${file:${NO:-keys}/one}", "line one\nline two"),
        ("${file:nowhere:-none}", "none"),
        ("${workspaceFolder}${/}x", "/proj/x"),
        ("${userHome}", "/home/ada"),
    ];
    for (text, expected) in cases {
        assert_eq!(fill(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn faults() {
    let cases = [
        ("ab${NO}", "39: upstreams.a.args[0]: the variable `NO` is not set; set it, or give a default: `${NO:-…}`"),
        ("${env:NO}", "the variable `NO` is not set"),
        ("${", "`${` without a `}`; write `$${` for a literal `${`"),
        ("${A", "`${` without a `}`"),
        ("${}", "`${}` names no variable"),
        ("${A B}", "`${A B}` names no variable"),
        ("${A-b}", "`${A-b}` names no variable; write `${NAME}` or `${NAME:-default}`; `$${` is a literal `${`"),
        ("${file:nowhere}", "the file `/proj/nowhere` cannot be read"),
        ("${file:binary}", "the file `/proj/binary` is not UTF-8 text"),
        ("${file:large}", "the file `/proj/large` is larger than 64 KiB"),
        ("${fle:x}", "`${fle:x}` is of no known kind; did you mean `file`?"),
        ("${command:x}", "only VS Code can answer this; use a variable in its place"),
        ("${input:x}", "there is no input `x`; add it to `inputs`, or set the variable `INPUT_X`"),
    ];
    for (text, expected) in cases {
        let faults = fill(text).expect_err(text);
        assert!(faults.contains(expected), "{text}: {faults}");
    }
    let nested = format!("{}x{}", "${NO:-".repeat(20), "}".repeat(20));
    assert!(fill(&nested).expect_err("too deep").contains("nested deeper than 8"));
}

#[test]
fn what_is_drawn_in_is_bounded() {
    let world = World::default().file("/proj/f", vec![b'x'; 60_000]);
    let many = "\"${file:f}\", ".repeat(300);
    let text = format!("upstreams: {{a: {{command: a, args: [{many}]}}}}");
    let faults = world.parse("toolgate.yaml", &text).expect_err("18 MB").to_string();
    assert!(faults.contains("all that is filled in comes to more than 16 MiB"), "{faults}");
}
