//! One HTTP/1.1 answer read off a connection: just what the load generator needs, with nothing hidden that costs time.
//!
//! One request is in flight on a connection at a time, so that bytes after an answer are a fault of the other side.

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest head taken, in bytes.
const HEAD: usize = 16 * 1024;
/// The longest answer taken, in bytes: four times the longest that is right.
const ANSWER: usize = 1024 * 1024;

/// A connection with its buffers, which are kept between answers.
pub(super) struct Wire {
    stream: TcpStream,
    raw: Vec<u8>,
    body: Vec<u8>,
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The status.
    pub(super) status: u16,
    /// `Content-Type`, empty where there is none.
    pub(super) content_type: String,
    /// `Mcp-Session-Id`, where there is one.
    pub(super) session: Option<String>,
    body: Framing,
}

/// How the end of the body is found.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

// === impl Wire ===

impl Wire {
    /// Connects to `address`.
    pub(super) async fn connect(address: std::net::SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, raw: Vec::with_capacity(64 * 1024), body: Vec::new() })
    }

    /// Sends one request and reads its answer whole.
    ///
    /// # Errors
    /// When the connection ends or breaks, and when the answer is not HTTP or is longer than the bounds above.
    pub(super) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<(Head, &[u8])> {
        self.stream.write_all(request).await.context("cannot send")?;
        self.raw.clear();
        self.body.clear();
        let end = self.head_end().await?;
        let head = head(&self.raw[..end])?;
        match head.body {
            Framing::Length(length) => {
                while self.raw.len() < end + length {
                    self.more().await?;
                }
                if self.raw.len() > end + length {
                    bail!("bytes after the end of the answer");
                }
                Ok((head, &self.raw[end..]))
            }
            Framing::Chunked => {
                let mut at = end;
                while !chunks(&self.raw, &mut at, &mut self.body)? {
                    self.more().await?;
                }
                Ok((head, &self.body))
            }
        }
    }

    async fn head_end(&mut self) -> anyhow::Result<usize> {
        loop {
            self.more().await?;
            if let Some(at) = find(&self.raw[..self.raw.len().min(HEAD)], b"\r\n\r\n") {
                return Ok(at + 4);
            }
            if self.raw.len() >= HEAD {
                bail!("the head of the answer is longer than {HEAD} bytes");
            }
        }
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.raw.len() > ANSWER {
            bail!("the answer is longer than {ANSWER} bytes");
        }
        self.raw.reserve(32 * 1024);
        if self.stream.read_buf(&mut self.raw).await.context("cannot receive")? == 0 {
            bail!("the connection was closed before the answer was complete");
        }
        Ok(())
    }
}

/// Where `needle` first stands.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|part| part == needle)
}

fn head(text: &[u8]) -> anyhow::Result<Head> {
    let text = std::str::from_utf8(text).context("the head of the answer is not text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..3));
    let status = status.and_then(|digits| digits.parse().ok()).context("the answer has no HTTP/1.1 status line")?;
    // 202 and 204 may say nothing about a body: there is none.
    let mut head = Head { status, content_type: String::new(), session: None, body: Framing::Length(0) };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.body = Framing::Length(value.parse().context("a bad Content-Length")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.body = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("content-type") {
            value.clone_into(&mut head.content_type);
        } else if name.eq_ignore_ascii_case("mcp-session-id") {
            head.session = Some(value.to_owned());
        }
    }
    Ok(head)
}

/// Moves the chunks that are there in full from `raw` to `body`; true when the last one was among them.
fn chunks(raw: &[u8], at: &mut usize, body: &mut Vec<u8>) -> anyhow::Result<bool> {
    loop {
        let rest = &raw[*at..];
        let Some(line) = find(rest, b"\r\n") else {
            return Ok(false);
        };
        let digits = std::str::from_utf8(&rest[..line]).context("a bad chunk length")?;
        let digits = digits.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16).context("a bad chunk length")?;
        if length > ANSWER {
            bail!("a chunk is longer than {ANSWER} bytes");
        }
        let start = line + 2;
        let Some(end) = rest.get(start + length..start + length + 2) else {
            return Ok(false);
        };
        if end != b"\r\n" {
            bail!("a chunk does not end where it says");
        }
        body.extend_from_slice(&rest[start..start + length]);
        *at += start + length + 2;
        if length == 0 {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_status_type_session_and_length() {
        let read = head(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMCP-SESSION-ID: s1\r\ncontent-length: 7\r\n\r\n",
        )
        .expect("a good head");
        let expected = Head {
            status: 200,
            content_type: "application/json".to_owned(),
            session: Some("s1".to_owned()),
            body: Framing::Length(7),
        };
        assert_eq!(read, expected);
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn chunks_are_joined_however_they_arrive() {
        let raw = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        let (mut at, mut body) = (0, Vec::new());
        for end in 0..raw.len() {
            assert!(!chunks(&raw[..end], &mut at, &mut body).expect("a good part"), "ended early at {end}");
        }
        assert!(chunks(raw, &mut at, &mut body).expect("good chunks"));
        assert_eq!(body, b"abcde");
        assert!(chunks(b"1\r\nabc\r\n", &mut 0, &mut Vec::new()).is_err());
    }
}
