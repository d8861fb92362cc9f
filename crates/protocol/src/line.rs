//! The stdio framing: one message a line, bounded.
//!
//! Source: `transports/stdio` of every revision. A line beyond the bound is skipped to its end without being kept, so a
//! server that writes 100 MB without a line break costs a warning and no memory.

use bytes::{Buf, Bytes, BytesMut};

/// Cuts a byte stream into lines.
#[derive(Debug)]
pub struct LineDecoder {
    buffer: BytesMut,
    /// Up to here the buffer is known to hold no line break.
    scanned: usize,
    max_len: usize,
    skipping: bool,
}

/// What a byte stream holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its line break; never blank.
    Text(Bytes),
    /// A line longer than the bound began; its bytes are dropped.
    TooLong,
}

// === impl LineDecoder ===

impl LineDecoder {
    /// Lines may have up to `max_len` bytes.
    pub fn new(max_len: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, max_len, skipping: false }
    }

    /// The buffer to read into.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole line, if there is one.
    pub fn next_line(&mut self) -> Option<Line> {
        loop {
            let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..]).map(|at| at + self.scanned) else {
                self.scanned = self.buffer.len();
                if self.buffer.len() <= self.max_len {
                    return None;
                }
                self.buffer.clear();
                self.scanned = 0;
                return (!std::mem::replace(&mut self.skipping, true)).then_some(Line::TooLong);
            };
            let line = self.buffer.split_to(at).freeze();
            self.buffer.advance(1);
            self.scanned = 0;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if line.len() > self.max_len {
                return Some(Line::TooLong);
            }
            let text = line.trim_ascii();
            if !text.is_empty() {
                return Some(Line::Text(line.slice_ref(text)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(max_len: usize, chunks: &[&[u8]]) -> Vec<Line> {
        let mut decoder = LineDecoder::new(max_len);
        let mut lines = Vec::new();
        for chunk in chunks {
            decoder.buffer().extend_from_slice(chunk);
            lines.extend(std::iter::from_fn(|| decoder.next_line()));
        }
        lines
    }

    fn text(text: &'static str) -> Line {
        Line::Text(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn lines_are_cut_wherever_the_chunks_fall() {
        assert_eq!(lines(99, &[b"{\"a\"", b":1}\r\n\n  \n{}", b"\n"]), [text("{\"a\":1}"), text("{}")]);
    }

    #[test]
    fn a_line_beyond_the_bound_is_skipped_and_the_next_is_read() {
        assert_eq!(lines(4, &[b"123456", b"789", b"0\nab\n"]), [Line::TooLong, text("ab")]);
        assert_eq!(lines(4, &[b"123456\nab\n"]), [Line::TooLong, text("ab")]);
    }
}
