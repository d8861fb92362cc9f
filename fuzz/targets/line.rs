//! Any bytes as lines: held against the plainest way of cutting them, under a bound, however they arrive.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use toolgate_fuzz::Stream;
use toolgate_protocol::line::{Line, LineDecoder};

fuzz_target!(|input: &[u8]| {
    let Some(stream) = Stream::of(input) else { return };
    let expected = plainly(stream.bound, stream.bytes);
    assert_eq!(lines(stream.bound, [stream.bytes]), expected, "at once");
    assert_eq!(lines(stream.bound, stream.pieces()), expected, "cut");
    assert_eq!(lines(stream.bound, stream.bytes.chunks(1)), expected, "byte by byte");
});

fn lines<'a>(max_len: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Line> {
    let mut decoder = LineDecoder::new(max_len);
    let mut lines = Vec::new();
    for piece in pieces {
        decoder.buffer().extend_from_slice(piece);
        lines.extend(std::iter::from_fn(|| decoder.next_line()));
        assert!(decoder.buffer().len() <= max_len, "more is held than the bound allows");
    }
    lines
}

/// What the lines are, with all of the stream at hand.
fn plainly(max_len: usize, bytes: &[u8]) -> Vec<Line> {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let unfinished = lines.pop().filter(|line| line.len() > max_len);
    let judge = |line: &[u8]| match line.trim_ascii() {
        _ if line.len() > max_len => Some(Line::TooLong),
        [] => None,
        text => Some(Line::Text(Bytes::copy_from_slice(text))),
    };
    lines.into_iter().chain(unfinished).filter_map(judge).collect()
}
