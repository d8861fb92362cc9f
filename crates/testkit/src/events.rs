//! Server-sent events as a reader sees them who knows nothing of toolgate.

/// Collects bytes into events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    text: Vec<u8>,
    /// The id that came last, also of an event without data.
    pub(crate) last_id: Option<String>,
}

/// One event.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: String,
}

// === impl Events ===

impl Events {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.text.extend(bytes.iter().filter(|byte| **byte != b'\r'));
    }

    /// The next whole event; comments are none.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.text.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.text.drain(..end + 2).collect();
            let block = String::from_utf8(block).expect("events are UTF-8");
            let mut event = Event::default();
            for line in block.lines() {
                if let Some(data) = line.strip_prefix("data: ") {
                    event.data.push_str(data);
                } else if let Some(kind) = line.strip_prefix("event: ") {
                    event.kind = kind.to_owned();
                } else if let Some(id) = line.strip_prefix("id: ") {
                    self.last_id = Some(id.to_owned());
                } else if let Some(millis) = line.strip_prefix("retry: ") {
                    millis.parse::<u64>().expect("a time in milliseconds");
                } else {
                    assert!(line.is_empty() || line.starts_with(':'), "a line that no client expects: {line:?}");
                }
            }
            if !event.data.is_empty() {
                return Some(event);
            }
        }
    }
}
