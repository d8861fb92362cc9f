//! Law 5 as properties: what the gateway does not name comes out as the bytes that went in, in the same order.
//!
//! Documents are generated as text, not as trees, since spelling is what could be lost: numbers that no float holds,
//! escapes, white space, the order of members. The answers are read by a small scanner of this file's own, so that a fault
//! of the crate's reader cannot hide itself. Line breaks between tokens are the one thing that may change, into spaces,
//! because the stdio and SSE framings end a message at a line break.

use std::ops::Range;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use toolgate_protocol::line::{Line, LineDecoder};
use toolgate_protocol::sse::{SseDecoder, SseEvent, encode_as};
use toolgate_protocol::{Json, Message, meta};

/// A member as it is written: the key with its quotes, and the value.
type Member = (String, String);

// --- what is generated ---

/// Spellings that no float and no tree keeps.
const NUMBERS: [&str; 16] = [
    "0",
    "-0",
    "1.0",
    "1e2",
    "1E+2",
    "1e-7",
    "-0.0",
    "0e0",
    "1.50",
    "100",
    "9007199254740993",
    "1e400",
    "-1E-400",
    "123456789012345678901234567890",
    "0.10000000000000000001",
    "3.14159265358979323846264338327950288",
];

/// What strings are made of: every kind of escape, surrogate pairs, characters of one to four bytes.
const PIECES: [&str; 28] = [
    "a",
    "Z",
    "_",
    " ",
    "/",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "é",
    "\u{2028}",
    "😀",
    "\u{7f}",
    r"\u0041",
    r"\u00e9",
    r"\ud83d\ude00",
    r"\n",
    r"\r",
    r"\t",
    r"\/",
    r"\\",
    r#"\""#,
    r"\b",
    r"\u0000",
    "data:",
    "jsonrpc",
];

fn number() -> impl Strategy<Value = String> {
    let random = (any::<i64>(), any::<u32>(), any::<i16>());
    prop_oneof![select(&NUMBERS[..]).prop_map(str::to_owned), random.prop_map(|(a, b, c)| format!("{a}.{b}e{c}"))]
}

/// A string in quotes.
fn string() -> impl Strategy<Value = String> {
    vec(select(&PIECES[..]), 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\t"), 1 => Just("\n  "), 1 => Just("\r\n")]
}

fn value() -> BoxedStrategy<String> {
    let literal = select(&["null", "true", "false", "[]", "{}", "[ ]", "{\n}", "\"\""][..]).prop_map(str::to_owned);
    let leaf = prop_oneof![number(), string(), literal];
    let nested = leaf.prop_recursive(5, 40, 5, |inner| {
        let array = (vec(inner.clone(), 0..5), space(), space())
            .prop_map(|(elements, before, after)| format!("[{before}{}]", elements.join(&format!("{after},{before}"))));
        prop_oneof![array, object(members_of(inner, 0..5))]
    });
    nested.boxed()
}

/// Members with keys that mean different things, none of them a name that MCP or JSON-RPC gives to anything.
fn members_of(value: impl Strategy<Value = String> + 'static, count: Range<usize>) -> BoxedStrategy<Vec<Member>> {
    let keyed = |(at, (key, value)): (usize, (String, String))| (format!("\"x{at}{}", &key[1..]), value);
    vec((string(), value), count).prop_map(move |members| members.into_iter().enumerate().map(keyed).collect()).boxed()
}

fn members(count: Range<usize>) -> BoxedStrategy<Vec<Member>> {
    members_of(value(), count)
}

/// The text of an object with these members in this order.
fn object(members: impl Strategy<Value = Vec<Member>> + 'static) -> BoxedStrategy<String> {
    written(members).prop_map(|(text, _)| text).boxed()
}

/// The same, with the members beside it.
fn written(members: impl Strategy<Value = Vec<Member>> + 'static) -> BoxedStrategy<(String, Vec<Member>)> {
    let write = |(members, a, b, c): (Vec<Member>, &str, &str, &str)| {
        let texts: Vec<String> = members.iter().map(|(key, value)| format!("{a}{key}{b}:{c}{value}{a}")).collect();
        (format!("{{{}{b}}}", texts.join(",")), members)
    };
    (members, space(), space(), space()).prop_map(write).boxed()
}

/// Members that have a name among others that have none, in any order.
fn mixed(
    named: impl Strategy<Value = Vec<Member>> + 'static,
    others: impl Strategy<Value = Vec<Member>> + 'static,
) -> BoxedStrategy<Vec<Member>> {
    (named, others).prop_map(|(named, others)| [named, others].concat()).prop_shuffle().boxed()
}

fn named(key: &str, value: impl Into<String>) -> Member {
    (format!("\"{key}\""), value.into())
}

/// A message of any kind with members that nobody knows at every level; its text and the members of its envelope.
fn message() -> BoxedStrategy<(String, Vec<Member>)> {
    let params = object(members(0..6)).prop_map(|params| named("params", params));
    let method = select(&[r#""tools/call""#, r#""ping""#, r#""x/\u0079""#, r#""notifications/progress""#][..])
        .prop_map(|method| named("method", method));
    let id = prop_oneof![number(), string()].prop_map(|id| named("id", id)).boxed();
    let result = value().prop_map(|result| named("result", result));
    let error = (-40_000..40_000_i64, string(), value()).prop_map(|(code, message, data)| {
        vec![named("code", code.to_string()), named("message", message), named("data", data)]
    });
    let error = object(mixed(error, members(0..4))).prop_map(|error| named("error", error));
    let kinds = prop_oneof![
        (id.clone(), method.clone(), params.clone()).prop_map(|(id, method, params)| vec![id, method, params]),
        (method, params).prop_map(|(method, params)| vec![method, params]),
        (id.clone(), result).prop_map(|(id, result)| vec![id, result]),
        (id, error).prop_map(|(id, error)| vec![id, error]),
    ];
    let envelope = kinds.prop_map(|kind| [kind, vec![named("jsonrpc", "\"2.0\"")]].concat());
    written(mixed(envelope, members(0..4)))
}

/// The members of a tool call's parameters, with a name and `_meta` among them; and the members of the latter.
fn call() -> BoxedStrategy<(Vec<Member>, Vec<Member>)> {
    let hop = vec![named(meta::REVISION, "\"2025-11-25\""), named("progressToken", "1e0")];
    let own_meta = written(mixed(Just(hop), members(0..6)));
    let params = (own_meta, members(0..6)).prop_map(|((meta, inner), others)| {
        let known = vec![named("name", r#""\u0061""#), named("_meta", meta)];
        ([known, others].concat(), inner)
    });
    params.prop_flat_map(|(params, inner)| (Just(params).prop_shuffle(), Just(inner))).boxed()
}

/// Lengths to cut a stream by.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(1..12_usize, 1..8)
}

// --- what is expected ---

/// The text as a framing may carry it.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// The members of an object, by a scanner that knows strings and brackets and nothing else.
fn scan(text: &str) -> Vec<Member> {
    let inside = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).expect("an object");
    let pieces = split(inside, ',');
    let whole = pieces.iter().filter(|piece| !piece.trim().is_empty());
    whole
        .map(|piece| {
            let halves = split(piece, ':');
            assert_eq!(halves.len(), 2, "{piece}");
            (halves[0].trim().to_owned(), halves[1].trim().to_owned())
        })
        .collect()
}

/// Splits at `at` where it stands outside of strings and brackets.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut depth, mut quoted, mut escaped, mut start) = (0_i32, false, false, 0);
    let mut pieces = Vec::new();
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            c if c == at && depth == 0 => {
                pieces.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    pieces
}

fn find<'m>(members: &'m [Member], name: &str) -> Option<&'m str> {
    members.iter().find(|(key, _)| *key == format!("\"{name}\"")).map(|(_, value)| value.as_str())
}

/// The members but those of these names, as a framing may carry them.
fn without(members: &[Member], names: &[&str]) -> Vec<Member> {
    let is_named = |key: &str| names.iter().any(|name| key == format!("\"{name}\""));
    let others = members.iter().filter(|(key, _)| !is_named(key));
    others.map(|(key, value)| (key.clone(), one_line(value))).collect()
}

fn parse(text: &str) -> Message {
    match Message::parse(Bytes::copy_from_slice(text.as_bytes())) {
        Ok(message) => message,
        Err(error) => panic!("refused: {error}: {text}"),
    }
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).expect("JSON is UTF-8")
}

const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// What must be true of a message that went in as `members` and came out as `encoded`.
fn is_carried(members: &[Member], encoded: &str) {
    assert!(!encoded.contains(['\n', '\r']), "more than one line: {encoded}");
    let carried = scan(encoded);
    assert_eq!(without(&carried, &ENVELOPE), without(members, &ENVELOPE), "members without a name");
    for name in ["id", "result"] {
        assert_eq!(find(&carried, name).map(str::to_owned), find(members, name).map(one_line), "{name}");
    }
    let inside = |members: &[Member], name, names: &[&str]| {
        find(members, name).map_or_else(Vec::new, |text| without(&scan(text), names))
    };
    assert_eq!(inside(&carried, "params", &[]), inside(members, "params", &[]), "params");
    let own = ["code", "message"];
    assert_eq!(sorted(inside(&carried, "error", &own)), sorted(inside(members, "error", &own)), "error");
    let others = ["code", "message", "data"];
    assert_eq!(inside(&carried, "error", &others), inside(members, "error", &others), "error, in order");
}

fn sorted(mut members: Vec<Member>) -> Vec<Member> {
    members.sort();
    members
}

// --- what holds ---

proptest! {
    #[test]
    fn what_has_no_name_is_carried((text_in, members) in message()) {
        let encoded = parse(&text_in).encode();
        is_carried(&members, text(&encoded));
        prop_assert_eq!(parse(text(&encoded)).encode(), encoded, "the second time");
    }

    #[test]
    fn a_batch_is_its_messages(messages in vec(message(), 1..5)) {
        let batch = format!("[{}]", messages.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" ,\n"));
        let elements = Json::parse(batch.into_bytes().into()).unwrap().array().unwrap();
        prop_assert_eq!(elements.len(), messages.len());
        for (element, (_, members)) in elements.iter().zip(&messages) {
            is_carried(members, text(&Message::from_json(element).unwrap().encode()));
        }
    }

    #[test]
    fn an_edit_changes_what_it_names(
        (params, own_meta) in call(),
        public_name in string(),
    ) {
        let body: Vec<String> = params.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        let sent = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{}}}}}"#, body.join(","));
        let Message::Request(mut request) = parse(&sent) else { panic!("a request") };
        let new_name = Json::parse(public_name.clone().into_bytes().into()).unwrap();
        request.params.set("name", new_name);
        meta::edit(&mut request.params, |own| {
            own.retain(|member| !meta::is_per_hop(member.name()));
            own.set(meta::REVISION, Json::string("2026-07-28"));
        });

        let encoded = request.encode();
        let edited = scan(find(&scan(text(&encoded)), "params").unwrap());
        let keys = |members: &[Member]| members.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        prop_assert_eq!(keys(&edited), keys(&params), "the order, edited members included");
        prop_assert_eq!(without(&edited, &["name", "_meta"]), without(&params, &["name", "_meta"]));
        prop_assert_eq!(find(&edited, "name"), Some(public_name.as_str()));
        let edited_meta = scan(find(&edited, "_meta").unwrap());
        prop_assert_eq!(without(&edited_meta, &[meta::REVISION]), without(&own_meta, &[meta::REVISION]));
        prop_assert_eq!(find(&edited_meta, meta::REVISION), Some("\"2026-07-28\""));
    }

    #[test]
    fn meta_that_ends_up_empty_leaves_no_trace(others in members(0..5)) {
        let known = [named("_meta", format!(r#"{{"{}":{{}}}}"#, meta::CAPABILITIES))];
        let body: Vec<String> = known.iter().chain(&others).map(|(key, value)| format!("{key}:{value}")).collect();
        let mut params = Json::parse(format!("{{{}}}", body.join(",")).into_bytes().into()).unwrap().object().unwrap();
        meta::edit(&mut params, |own| own.retain(|member| !meta::is_per_hop(member.name())));
        prop_assert_eq!(without(&scan(params.to_json().as_str()), &[]), without(&others, &[]));
    }

    #[test]
    fn messages_survive_the_line_framing(
        messages in vec((message(), select(&["\n", "\r\n", "\n\n", "\n \t\r\n"][..])), 0..6),
        cuts in cuts(),
    ) {
        let lines: Vec<Bytes> = messages.iter().map(|((text, _), _)| parse(text).encode()).collect();
        let ends = messages.iter().map(|(_, end)| end.as_bytes());
        let stream: Vec<u8> = lines.iter().zip(ends).flat_map(|(line, end)| [line, end].concat()).collect();
        let longest = lines.iter().map(|line| line.len() + 2).max().unwrap_or(0);

        let mut decoder = LineDecoder::new(longest);
        let mut received = Vec::new();
        for piece in cut(&stream, &cuts) {
            decoder.buffer().extend_from_slice(piece);
            received.extend(std::iter::from_fn(|| decoder.next_line()));
            prop_assert!(decoder.buffer().len() <= longest);
        }
        prop_assert_eq!(received, lines.into_iter().map(Line::Text).collect::<Vec<_>>());
    }

    #[test]
    fn messages_survive_the_event_framing(
        messages in vec((message(), name_of_event(), name_of_event(), select(&["", ":\n\n", ": note\r\n", "\n"][..])), 0..6),
        end in select(&["\n", "\r\n", "\r"][..]),
        cuts in cuts(),
    ) {
        let mut sent = Vec::new();
        let mut stream = String::new();
        for ((message, _), event, id, noise) in &messages {
            let data = parse(message).encode();
            stream.push_str(text(&encode_as(event.as_deref(), id.as_deref(), &data)));
            stream.push_str(noise);
            sent.push(SseEvent { event: event.clone(), data, id: id.clone(), retry: None });
        }
        // Other servers end their lines in other ways.
        let stream = stream.replace("\r\n", "\n").replace('\n', end);
        prop_assert_eq!(events(stream.len(), cut(stream.as_bytes(), &cuts)), sent);
    }

    #[test]
    fn data_of_several_lines_is_joined(lines in vec(select(&["", " ", "a", "{\"a\":", "data:b", ": c"][..]), 1..6), cuts in cuts()) {
        let stream: String = lines.iter().map(|line| format!("data: {line}\n")).collect();
        let joined = SseEvent { data: lines.join("\n").into_bytes().into(), ..SseEvent::default() };
        prop_assert_eq!(events(stream.len() + 1, cut(format!("{stream}\n").as_bytes(), &cuts)), [joined]);
    }
}

/// What an event may be called, and what its id may be: any one line.
fn name_of_event() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(
        vec(select(&["message", "endpoint", ":", " ", "7", "é", "-"][..]), 1..4).prop_map(|parts| parts.concat()),
    )
}

fn events<'a>(max_len: usize, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<SseEvent> {
    let mut decoder = SseDecoder::new(max_len);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        events.extend(std::iter::from_fn(|| decoder.next_event().expect("the bound is the whole stream")));
    }
    events
}

/// The stream in pieces of these lengths, over and over.
fn cut<'a>(stream: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = stream;
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let length = *lengths.next()?;
        let (piece, later) = rest.split_at(length.min(rest.len()));
        rest = later;
        (!piece.is_empty()).then_some(piece)
    })
}
