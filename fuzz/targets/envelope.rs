//! Any bytes as a JSON-RPC message: refused with the right code, or carried so that nothing unnamed changes.
//!
//! The message as it was is read a second time as plain members, and held against what the envelope writes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use toolgate_protocol::{Json, Message, Object, code};

/// The members that the envelope reads; all others are carried.
const NAMED: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

fuzz_target!(|input: &[u8]| {
    let text = Bytes::copy_from_slice(input);
    let message = match Message::parse(text.clone()) {
        Ok(message) => message,
        Err(error) => {
            assert!([code::PARSE_ERROR, code::INVALID_REQUEST, code::INVALID_PARAMS].contains(&error.code), "{error}");
            return;
        }
    };
    let encoded = message.encode();
    assert!(!encoded.iter().any(|byte| matches!(byte, b'\n' | b'\r')), "a message is one line");
    let again = Message::parse(encoded.clone()).expect("what was written can be read");
    assert_eq!(again.encode(), encoded, "written, read and written again");

    let before = Json::parse(text).expect("a message is JSON").object().expect("and an object");
    let after = Json::parse(encoded).expect("a message is JSON").object().expect("and an object");
    assert_eq!(unnamed(&before), unnamed(&after), "members that JSON-RPC does not name");
    if let Some(id) = before.get("id") {
        assert_eq!(Some(id), after.get("id"), "the id");
    }
    if let Some(params) = before.child("params") {
        let kept = |params: Object| one_line(&params.to_json());
        assert_eq!(kept(params), kept(after.child("params").unwrap_or_default()), "the params");
    }
    match message {
        Message::Response(response) if response.outcome.is_ok() => {
            let kept = |object: &Object| one_line(object.get("result").expect("a result has this member"));
            assert_eq!(kept(&before), kept(&after), "the result");
        }
        Message::Response(_) => {
            let details = |object: &Object| {
                let error = object.child("error").expect("an error has this member");
                (error.get("data").map(one_line), rest_of_error(error))
            };
            assert_eq!(details(&before), details(&after), "the error's data and its other members");
        }
        Message::Request(_) | Message::Notification(_) => {}
    }
});

/// Name and value of each member that JSON-RPC does not name, in order.
fn unnamed(object: &Object) -> Vec<(String, Bytes)> {
    members(object).into_iter().filter(|(name, _)| !NAMED.contains(&name.as_str())).collect()
}

/// The members of an error that JSON-RPC does not name, as text.
fn rest_of_error(mut error: Object) -> Bytes {
    error.retain(|member| !["code", "message", "data"].contains(&member.name()));
    one_line(&error.to_json())
}

fn members(object: &Object) -> Vec<(String, Bytes)> {
    object.members().map(|member| (member.name().to_owned(), one_line(&member.value))).collect()
}

/// A value as it may be framed: white space between tokens may change from a line break to a space.
fn one_line(json: &Json) -> Bytes {
    Json::single_line(json.text().clone())
}
