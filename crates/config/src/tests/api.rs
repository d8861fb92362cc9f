//! HTTP APIs in the config: what they mean, and what is said about those that are wrong.

use super::{bad, good};
use crate::{DocumentPlace, OperationFilter, Sent, Transport};

fn transport(upstream: &str) -> Transport {
    let settings = good("toolgate.yaml", &format!("upstreams:\n  api: {upstream}\n"));
    settings.upstreams[0].transport.clone()
}

#[test]
fn a_document_is_a_file_beside_the_config_or_a_url() {
    let Transport::OpenApi { document: DocumentPlace::File(file), base_url, .. } =
        transport("{openapi: ./apis/pets.yaml, base_url: 'https://pets.example.com/v1'}")
    else {
        panic!()
    };
    assert_eq!(file.to_str(), Some("/proj/apis/pets.yaml"));
    assert_eq!(base_url.unwrap().reveal(), "https://pets.example.com/v1");
    let Transport::OpenApi { document: DocumentPlace::Url(url), headers, .. } =
        transport("{openapi: 'https://pets.example.com/openapi.json', headers: {X-Key: s3cret}}")
    else {
        panic!()
    };
    assert_eq!((url.reveal(), headers[0].1.reveal()), ("https://pets.example.com/openapi.json", "s3cret"));
    let shown = format!("{:?}", transport("{openapi: ./a.yaml, headers: {X-Key: s3cret}}"));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_client_s_file_may_have_one_too() {
    let settings =
        good("mcp.json", r#"{"mcpServers": {"pets": {"openapi": "./p.json", "baseUrl": "https://x.example.com"}}}"#);
    assert_eq!(settings.upstreams[0].transport.kind(), "openapi");
}

#[test]
fn operations_are_chosen_by_id_tag_path_and_method() {
    let filter = |allow: &[&str], deny: &[&str]| OperationFilter {
        allow: (!allow.is_empty()).then(|| allow.iter().map(|text| (*text).to_owned()).collect()),
        deny: deny.iter().map(|text| (*text).to_owned()).collect(),
    };
    let ask = |filter: &OperationFilter| filter.permits(&["repos/get", "repos_get"], &["repos"], "GET", "/repos/{id}");
    for allowed in
        ["repos/get", "repos_*", "tag:repos", "tag:re*", "/repos/*", "GET /repos/*", "get /*", "* /repos/{id}"]
    {
        assert!(ask(&filter(&[allowed], &[])), "{allowed}");
        assert!(!ask(&filter(&[], &[allowed])), "{allowed}");
    }
    for other in ["repos", "tag:issues", "/users/*", "DELETE /repos/*", "tag:"] {
        assert!(!ask(&filter(&[other], &[])), "{other}");
    }
    assert!(ask(&filter(&[], &[])) && !ask(&filter(&["repos/get"], &["GET /*"])));
}

#[test]
fn a_tool_keeps_the_order_and_the_types_of_what_it_sends() {
    let upstream = "{http: [{name: post, description: d, url: 'https://x.example.com/{id}', \
                    body: {z: '{a}', y: [1, -5, 0.5, null, true], x: {n: deep}}, \
                    input: {properties: {id: {type: integer}, a: {}}}}]}";
    let Transport::Tools { tools, .. } = transport(upstream) else { panic!() };
    let tool = &tools[0];
    let Some(Sent::Body(body)) = &tool.sent else { panic!() };
    assert_eq!(body.reveal(), r#"{"z":"{a}","y":[1,-5,0.5,null,true],"x":{"n":"deep"}}"#);
    assert_eq!(tool.input.as_deref(), Some(r#"{"properties":{"id":{"type":"integer"},"a":{}}}"#));
    assert_eq!(tool.method.as_str(), "POST");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let faults = bad(
        "toolgate.yaml",
        r#"
upstreams:
  both: {openapi: ./a.yaml, url: https://x.example.com/}
  stray: {url: https://x.example.com/, base_url: https://y.example.com/}
  odd: {openapi: ftp://x.example.com/a, operations: {deny: ["FETCH /x", "get pets"]}}
  tools:
    headers: {X-Key: k}
    http:
      - {name: a b, description: d, url: "https://x.example.com/"}
      - {name: bare, url: "https://x.example.com/"}
      - {name: host, description: d, url: "https://{host}/x"}
      - {name: lost, description: d, url: "https://x.example.com/{id}", input: {properties: {}}}
      - {name: lost, description: d, url: "https://x.example.com/", query: {q: "{q}"}, input: {properties: {}}}
      - {name: get, description: d, url: "https://x.example.com/", method: GET, body: x}
      - {name: two, description: d, url: "https://x.example.com/", body: x, form: {a: b}}
      - {name: odd, description: d, url: "https://x.example.com/", input: [1]}
      - {name: none, description: d}
"#,
    );
    assert!(faults.lines().count() >= 12, "{faults}");
    for words in [
        "toolgate.yaml:3:19: upstreams.both.openapi: both `url` and `openapi`; an upstream has one of them",
        "upstreams.stray.base_url: `base_url` means nothing without `openapi`",
        "upstreams.odd.openapi: `ftp://x.example.com/a` is not the URL of a server",
        "`FETCH /x` matches no operation",
        "`get pets` matches no operation",
        "upstreams.tools.headers.X-Key: its tools are at several hosts",
        "toolgate.yaml:9:16: upstreams.tools.http[0].name: `a b` is not a name for a tool",
        "this tool has no `description`; say in a sentence what it does",
        "the host of a URL cannot be an argument",
        "`{id}` is no property of this tool's `input`",
        "`{q}` is no property of this tool's `input`",
        "another tool is called `lost`",
        "servers ignore what a GET sends",
        "both `body` and `form`; a request has one of them",
        "its `input` is not the JSON Schema of an object",
        "this tool has no `url`",
    ] {
        assert!(faults.contains(words), "missing: {words}\n{faults}");
    }
}
