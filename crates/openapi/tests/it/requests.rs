//! From arguments to requests: places, styles and bodies.

use serde_json::{Value, json};

use crate::{ask, input, one, refused, sent};

fn parameter(place: &str, extra: Value) -> Value {
    let mut parameter = json!({"name": "p", "in": place, "schema": {}});
    parameter.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!({"operationId": "do", "parameters": [parameter]})
}

#[test]
fn queries_are_written_in_every_style() {
    let (list, object) = (json!(["a b", "c&d"]), json!({"x": 1, "y": "é"}));
    for (style, value, query) in [
        (json!({}), json!("a&b=c#d"), "p=a%26b%3Dc%23d"),
        (json!({}), json!(12345678901234567890u64), "p=12345678901234567890"),
        (json!({}), json!(true), "p=true"),
        (json!({}), list.clone(), "p=a%20b&p=c%26d"),
        (json!({"explode": false}), list.clone(), "p=a%20b,c%26d"),
        (json!({"style": "spaceDelimited", "explode": false}), list.clone(), "p=a%20b%20c%26d"),
        (json!({"style": "pipeDelimited", "explode": false}), list.clone(), "p=a%20b%7Cc%26d"),
        (json!({}), object.clone(), "x=1&y=%C3%A9"),
        (json!({"explode": false}), object.clone(), "p=x,1,y,%C3%A9"),
        (json!({"style": "deepObject", "explode": true}), object.clone(), "p%5Bx%5D=1&p%5By%5D=%C3%A9"),
        (json!({"style": "deepObject"}), json!({"a": {"b": [1]}}), "p%5Ba%5D%5Bb%5D%5B0%5D=1"),
        (json!({"allowReserved": true}), json!("a/b:c&d"), "p=a/b:c%26d"),
        (json!({"content": {"application/json": {}}}), object.clone(), "p=%7B%22x%22%3A1%2C%22y%22%3A%22%C3%A9%22%7D"),
        (json!({}), json!([]), ""),
        (json!({}), json!(null), ""),
    ] {
        let api = one("get", "/q", parameter("query", style.clone()));
        let separator = if query.is_empty() { "" } else { "?" };
        let expected = format!("GET https://api.example.com/v1/q{separator}{query}");
        assert_eq!(sent(&api, &json!({"p": value})).0, expected, "{style}");
    }
}

#[test]
fn paths_are_written_in_every_style_and_never_left() {
    for (style, value, path) in [
        (json!({}), json!("a/b?c"), "/x/a%2Fb%3Fc/y"),
        (json!({}), json!(7), "/x/7/y"),
        (json!({}), json!(["a", "b"]), "/x/a,b/y"),
        (json!({"explode": true}), json!({"a": 1, "b": 2}), "/x/a=1,b=2/y"),
        (json!({"style": "label"}), json!("a"), "/x/.a/y"),
        (json!({"style": "matrix"}), json!("a"), "/x/;p=a/y"),
        (json!({"style": "matrix", "explode": true}), json!(["a", "b"]), "/x/;p=a;p=b/y"),
    ] {
        let api = one("get", "/x/{p}/y", parameter("path", style));
        assert_eq!(sent(&api, &json!({"p": value})).0, format!("GET https://api.example.com/v1{path}"));
    }
    let api = one("get", "/x/{p}/y", parameter("path", json!({})));
    for elsewhere in ["..", ".", "../admin", "a/../b", "a\\..\\b", "%2e%2e", "%2E%2e/x", "a\nb", "a%0d%0ab", ""] {
        let why = refused(&api, &json!({"p": elsewhere}));
        assert!(why.starts_with("the argument `p` "), "{elsewhere}: {why}");
    }
    assert!(refused(&api, &json!({"p": [".."]})).contains("`..`"));
    assert!(refused(&api, &json!({"p": []})).contains("is empty"));
    // Two places that make one segment.
    let api = one("get", "/x/{a}{b}", json!({"operationId": "do"}));
    assert!(refused(&api, &json!({"a": ".", "b": "."})).contains("`.` or `..`"));
    let api = one("get", "/x/.{a}", json!({"operationId": "do"}));
    assert_eq!(sent(&api, &json!({"a": "b"})).0, "GET https://api.example.com/v1/x/.b");
}

#[test]
fn headers_and_cookies_take_one_line() {
    let api = one("get", "/h", parameter("header", json!({"name": "X-Thing"})));
    let request = ask(&api.operations[0], &json!({"X-Thing": ["a", "b"]})).unwrap();
    assert_eq!(request.headers, [("x-thing".to_owned(), "a,b".to_owned())]);
    for bad in ["a\r\nEvil: 1", "ü", "\u{0}"] {
        assert!(refused(&api, &json!({"X-Thing": bad})).contains("one line of ASCII"), "{bad:?}");
    }
    let api = one("get", "/c", parameter("cookie", json!({})));
    let request = ask(&api.operations[0], &json!({"p": "a; b=c"})).unwrap();
    assert_eq!(request.headers, [("cookie".to_owned(), "p=a%3B%20b%3Dc".to_owned())]);
}

#[test]
fn what_the_gateway_sends_itself_is_no_argument() {
    let parameters: Vec<Value> = ["Authorization", "Accept", "X-Own", "Host", "X-Free", "bad name"]
        .iter()
        .map(|name| json!({"name": name, "in": "header", "required": true}))
        .collect();
    let api = one("get", "/h", json!({"parameters": parameters}));
    let properties = input(&api)["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(properties, ["X-Free"]);
    assert_eq!(api.faults.len(), 1, "{:?}", api.faults);
}

#[test]
fn arguments_are_checked_and_told_apart() {
    let operation = json!({
        "parameters": [
            {"name": "id", "in": "query", "schema": {"type": "integer"}},
            {"name": "page[size]", "in": "query"}, {"name": "$top", "in": "query"}, {"name": "page_size", "in": "header"}
        ],
        "requestBody": {"content": {"application/json": {"schema": {
            "type": "object", "required": ["id", "name"],
            "properties": {"id": {}, "name": {}, "made": {"readOnly": true}}
        }}}}
    });
    let api = one("put", "/things/{id}", operation);
    let schema = input(&api);
    let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "id_body", "id_query", "name", "page_size", "page_size_header", "top"]);
    assert_eq!(schema["required"], json!(["id", "id_body", "name"]));
    let arguments = json!({"id": 1, "id_query": 2, "id_body": 3, "page_size": 4, "top": 5, "name": "n"});
    let (line, body) = sent(&api, &arguments);
    assert_eq!(line, "PUT https://api.example.com/v1/things/1?id=2&page%5Bsize%5D=4&%24top=5");
    assert_eq!(body, r#"{"id":3,"name":"n"}"#);
    assert!(refused(&api, &json!({"id": 1, "id_body": 1})).contains("`name` is missing"));
    let lost = refused(&api, &json!({"id": 1, "id_body": 1, "name": "n", "nmae": 2}));
    assert!(lost.starts_with("there is no argument `nmae`; known: `id`, "), "{lost}");
}

#[test]
fn numbers_and_members_reach_the_body_as_they_were_given() {
    let schema = json!({"type": "object", "properties": {"n": {}}, "additionalProperties": {"type": "string"}});
    let api = one("post", "/b", json!({"requestBody": {"content": {"application/json": {"schema": schema}}}}));
    let text = r#"{"z": "more", "n": {"b": 1e400, "a": 0.10000000000000000001}}"#;
    let arguments = toolgate_protocol::Json::literal(text).object().unwrap();
    let request = api.operations[0].plan.request(&arguments).unwrap();
    assert_eq!(request.body, r#"{"n":{"b": 1e400, "a": 0.10000000000000000001},"z":"more"}"#);
    assert_eq!(request.content_type.as_deref(), Some("application/json"));
    assert_eq!(input(&api)["additionalProperties"], json!({"type": "string"}));
}

#[test]
fn bodies_that_are_no_objects_are_one_argument() {
    let body =
        |media: &str, schema: Value| json!({"requestBody": {"required": true, "content": {media: {"schema": schema}}}});
    let list = one("post", "/b", body("application/json", json!({"type": "array", "items": {"type": "integer"}})));
    assert_eq!(sent(&list, &json!({"body": [1, 2]})).1, "[1,2]");
    assert!(refused(&list, &json!({})).contains("`body` is missing"));
    let taken = json!({
        "parameters": [{"name": "body", "in": "query"}],
        "requestBody": {"content": {"application/json": {"schema": {"type": "array"}}}}
    });
    let taken = one("post", "/b", taken);
    let (line, body_sent) = sent(&taken, &json!({"body": "q", "body_request": [1]}));
    assert_eq!((line.ends_with("?body=q"), &*body_sent), (true, "[1]"));
    let text = one("post", "/b", body("text/csv", json!({"type": "string"})));
    assert_eq!(sent(&text, &json!({"body": "a,b\n"})).1, "a,b\n");
    let bytes = one("post", "/b", body("image/png", json!({"type": "string", "format": "binary"})));
    assert_eq!(sent(&bytes, &json!({"body": "aGVsbG8="})).1, "hello");
    assert!(refused(&bytes, &json!({"body": "no base64!"})).contains("base64"));
}

#[test]
fn forms_are_written_as_forms() {
    let content = json!({"application/x-www-form-urlencoded": {
        "schema": {"type": "object", "properties": {"a": {}, "l": {}, "o": {}, "d": {}}},
        "encoding": {"d": {"style": "deepObject", "explode": true}}
    }});
    let api = one("post", "/f", json!({"requestBody": {"content": content}}));
    let (_, body) = sent(&api, &json!({"a": "x&y=z +", "l": [1, 2], "o": {"k": 1}, "d": {"k": {"m": 1}, "l": ["x"]}}));
    assert_eq!(body, "a=x%26y%3Dz%20%2B&d%5Bk%5D%5Bm%5D=1&d%5Bl%5D%5B0%5D=x&l=1&l=2&o=%7B%22k%22%3A1%7D");
    let content = json!({"multipart/form-data": {
        "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}, "note": {}, "meta": {}}},
        "encoding": {"file": {"contentType": "image/png"}}
    }});
    let api = one("post", "/f", json!({"requestBody": {"content": content}}));
    let file = json!({"filename": "a\"\r\nb.png", "data": "aGVsbG8"});
    let request = ask(&api.operations[0], &json!({"file": file, "note": "n", "meta": {"k": 1}})).unwrap();
    let boundary = request.content_type.unwrap().split_once("boundary=").unwrap().1.to_owned();
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 5);
    assert_eq!(
        parts[1],
        "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22%0D%0Ab.png\"\r\nContent-Type: image/png\r\n\r\nhello\r\n"
    );
    assert_eq!(parts[3], "\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nn\r\n");
    assert!(parts[2].contains("Content-Type: application/json\r\n\r\n{\"k\":1}\r\n"), "{}", parts[2]);
    assert_eq!(parts[4], "--\r\n");
}

#[test]
fn tools_of_the_config_make_their_requests_too() {
    use toolgate_openapi::Node;
    use toolgate_openapi::tool::{Description, Sent};
    let description = Description {
        name: "post".into(),
        title: None,
        description: "Posts".into(),
        method: "POST".into(),
        url: "https://api.example.com/rooms/{room}?v=1&q={q}".into(),
        query: vec![("lang".into(), "{lang}".into())],
        headers: vec![("X-Why".into(), "because {why}".into())],
        body: Some(Sent::Json(Node::read(r#"{"n": "{n}", "t": "say {t}!", "css": "a {b: c}", "gone": "{lang}"}"#).unwrap())),
        input: Some(
            Node::read(r#"{"properties": {"room": {}, "q": {}, "lang": {}, "why": {}, "n": {}, "t": {}}, "required": ["room"]}"#)
                .unwrap(),
        ),
    };
    let operation = description.operation().unwrap();
    let request = ask(&operation, &json!({"room": "a/b", "q": [1, 2], "why": "x", "n": {"k": [1]}, "t": 5})).unwrap();
    assert_eq!(request.url, "https://api.example.com/rooms/a%2Fb?v=1&q=1&q=2");
    assert_eq!(request.headers, [("x-why".to_owned(), "because x".to_owned())]);
    assert_eq!(request.body, r#"{"n":{"k":[1]},"t":"say 5!","css":"a {b: c}"}"#);
    assert!(ask(&operation, &json!({})).unwrap_err().0.contains("`room` is missing"));
    for (url, why) in [
        ("https://{room}.example.com/", "a host without places"),
        ("ftp://example.com/", "must begin with"),
        ("https://example.com/{other}", "`{other}` is no property"),
    ] {
        let error = Description { url: url.into(), ..description.clone() }.operation().unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let derived = Description { input: None, body: Some(Sent::Text("{t}".into())), ..description };
    let definition: Value = derived.operation().unwrap().definition.read().unwrap();
    assert_eq!(definition["inputSchema"]["required"], json!(["room", "q", "lang", "why", "t"]));
}
