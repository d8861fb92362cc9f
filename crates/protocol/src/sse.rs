//! Server-sent events, read and written.
//!
//! Source: WHATWG HTML, "Server-sent events"; `transports/streamable-http` and 2024-11-05 `transports` (HTTP with SSE).

use bytes::{Buf, Bytes, BytesMut};

/// One event as received.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field; `None` means `message`.
    pub event: Option<String>,
    /// The `data` lines, joined. Empty for events that only carry an id.
    pub data: Bytes,
    /// The `id` field, if this event had one.
    pub id: Option<String>,
    /// The `retry` field in milliseconds, if this event had one.
    pub retry: Option<u64>,
}

/// Cuts a byte stream into events.
#[derive(Debug)]
pub struct SseDecoder {
    buffer: BytesMut,
    scanned: usize,
    max_len: usize,
    pending: SseEvent,
    data: BytesMut,
    data_lines: usize,
    after_cr: bool,
}

/// A line may be longer than its data by the field's name; what is refused must not depend on how a stream is cut.
const FIELD: usize = "event: ".len();

/// An event is longer than the bound.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("a server-sent event is longer than {0} bytes")]
pub struct EventTooLong(pub usize);

// === impl SseDecoder ===

impl SseDecoder {
    /// Events may have up to `max_len` bytes of data.
    pub fn new(max_len: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            scanned: 0,
            max_len,
            pending: SseEvent::default(),
            data: BytesMut::new(),
            data_lines: 0,
            after_cr: false,
        }
    }

    /// Takes what was received.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole event, if there is one. Events without any data are given too when they carry an id or a retry time.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, EventTooLong> {
        let max_line = self.max_len.saturating_add(FIELD);
        while let Some(line) = self.next_line() {
            if line.len() > max_line {
                return Err(EventTooLong(self.max_len));
            }
            if line.is_empty() {
                if let Some(event) = self.take_event() {
                    return Ok(Some(event));
                }
            } else {
                self.field(&line)?;
            }
        }
        if self.buffer.len() > max_line { Err(EventTooLong(self.max_len)) } else { Ok(None) }
    }

    /// A line ends with LF, CR or CRLF.
    fn next_line(&mut self) -> Option<Bytes> {
        if self.after_cr && !self.buffer.is_empty() {
            self.after_cr = false;
            if self.buffer[0] == b'\n' {
                self.buffer.advance(1);
            }
        }
        let Some(at) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.scanned..]).map(|at| at + self.scanned) else {
            self.scanned = self.buffer.len();
            return None;
        };
        self.scanned = 0;
        let line = self.buffer.split_to(at).freeze();
        self.after_cr = self.buffer[0] == b'\r';
        self.buffer.advance(1);
        Some(line)
    }

    fn field(&mut self, line: &Bytes) -> Result<(), EventTooLong> {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(0) => return Ok(()), // a comment
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (&line[..], &b""[..]),
        };
        let text = || String::from_utf8_lossy(value).into_owned();
        match name {
            b"data" => {
                if self.data.len() + value.len() > self.max_len {
                    return Err(EventTooLong(self.max_len));
                }
                if self.data_lines > 0 {
                    self.data.extend_from_slice(b"\n");
                }
                self.data_lines += 1;
                self.data.extend_from_slice(value);
            }
            b"event" => self.pending.event = Some(text()),
            b"id" if !value.contains(&0) => self.pending.id = Some(text()),
            b"retry" => self.pending.retry = text().parse().ok(),
            _ => {}
        }
        Ok(())
    }

    fn take_event(&mut self) -> Option<SseEvent> {
        let data = std::mem::take(&mut self.data).freeze();
        let had_data = std::mem::take(&mut self.data_lines) > 0;
        let event = SseEvent { data, ..std::mem::take(&mut self.pending) };
        (had_data || event.id.is_some() || event.retry.is_some()).then_some(event)
    }
}

/// One message event. `message` is one line of JSON.
pub fn encode(message: &[u8]) -> Bytes {
    encode_as(None, None, message)
}

/// One event with a type and an id. `data` is one line.
pub fn encode_as(event: Option<&str>, id: Option<&str>, data: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(data.len() + 32);
    if let Some(event) = event {
        text.extend_from_slice(b"event: ");
        text.extend_from_slice(event.as_bytes());
        text.push(b'\n');
    }
    if let Some(id) = id {
        text.extend_from_slice(b"id: ");
        text.extend_from_slice(id.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(b"data: ");
    text.extend_from_slice(data);
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// A comment that keeps a quiet connection open.
pub const KEEP_ALIVE: &[u8] = b":\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut decoder = SseDecoder::new(1000);
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(event) = decoder.next_event().unwrap() {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn an_event_is_the_same_however_it_is_cut_and_ended() {
        let whole = b"event: endpoint\r\nid: 7\r\ndata: a\r\ndata: b\r\n\r\n: note\n\ndata:{}\n\n";
        let expected = events(&[whole]);
        assert_eq!(expected.len(), 2);
        assert_eq!(expected[0].data, &b"a\nb"[..]);
        assert_eq!(expected[0].event.as_deref(), Some("endpoint"));
        for at in 1..whole.len() {
            assert_eq!(events(&[&whole[..at], &whole[at..]]), expected, "cut at {at}");
        }
    }

    #[test]
    fn a_priming_event_has_an_id_and_empty_data() {
        let primed = events(&[b"id: 1\nretry: 500\ndata:\n\n"]);
        assert_eq!(primed, [SseEvent { event: None, data: Bytes::new(), id: Some("1".into()), retry: Some(500) }]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut decoder = SseDecoder::new(10);
        decoder.push(b"data: 0123456789abcdef");
        assert_eq!(decoder.next_event(), Err(EventTooLong(10)));
    }
}
