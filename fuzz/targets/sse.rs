//! Any bytes as server-sent events: cutting changes nothing, and what is held is bounded. What we write, we read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolgate_fuzz::Stream;
use toolgate_protocol::sse::{SseDecoder, SseEvent, encode_as};

fuzz_target!(|input: &[u8]| {
    let Some(stream) = Stream::of(input) else { return };

    let (whole, broke_off) = events(stream.bytes.len(), [stream.bytes]);
    assert!(!broke_off, "nothing in a stream is longer than the stream");
    assert_eq!(events(stream.bytes.len(), stream.pieces()), (whole.clone(), false), "cut");
    assert_eq!(events(stream.bytes.len(), stream.bytes.chunks(1)), (whole.clone(), false), "byte by byte");

    // Under a bound that may be too small a stream may break off, but only after events that are right, and where it
    // does must not depend on the cuts either.
    let (bounded, broke_off) = events(stream.bound, stream.pieces());
    assert_eq!(events(stream.bound, [stream.bytes]), (bounded.clone(), broke_off), "under a bound, at once");
    assert!(whole.starts_with(&bounded), "{bounded:?} under a bound, {whole:?} without");
    assert!(broke_off || bounded.len() == whole.len(), "events were left out without an error");
    // Lines of data are joined by a line break each.
    assert!(bounded.iter().all(|event| event.data.len() <= stream.bound + 1), "longer than the bound");

    round_trip(stream.bytes);
});

/// All events, and whether the decoder refused to go on.
fn events<'a>(max_len: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<SseEvent>, bool) {
    let mut decoder = SseDecoder::new(max_len);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    (events, false)
}

/// One event of the three lines that the input begins with.
fn round_trip(input: &[u8]) {
    let mut lines = input.split(|byte| matches!(byte, b'\n' | b'\r'));
    let data = lines.next().unwrap_or_default();
    let mut text = || lines.next().map(|line| String::from_utf8_lossy(line).replace('\0', " "));
    let (event, id) = (text(), text());
    let written = encode_as(event.as_deref(), id.as_deref(), data);
    let (read, _) = events(written.len(), [&written[..]]);
    assert_eq!(read, [SseEvent { event, data: data.to_vec().into(), id, retry: None }]);
}
