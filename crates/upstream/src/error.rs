//! How an upstream fails, whose fault that is, and whether it may be asked again.
//!
//! A [`Failure`] has one text that is safe for both readers, the client and the log: it names no secret and quotes nothing
//! that the upstream sent. What an upstream answers in proper form, errors included, is no failure.

use std::time::Duration;

use toolgate_protocol::{Json, Object, RpcError, UpstreamName, code};

/// Why an upstream did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not be reached; nothing was sent.
    #[error("cannot be reached: {0}")]
    Unavailable(String),
    /// It could not be reached lately, and is not tried again for this call; what went wrong.
    #[error("is down: {0}")]
    Down(String),
    /// The connection was lost, or the session forgotten, before the request was taken; it certainly did not run.
    #[error("did not take the request: {0}")]
    NotTaken(String),
    /// The connection ended in mid-call; whether the request ran is unknown, so it is not sent again.
    #[error("ended the connection before it answered: {0}; whether the request took effect is unknown")]
    Closed(String),
    /// No sign of life for this long.
    #[error("gave no sign of life for {} s; the request was cancelled. If it needs longer, raise `timeout`", .0.as_secs_f32())]
    Timeout(Duration),
    /// More bytes than accepted in one message.
    #[error("sent a message of more than {0} bytes, which is the limit")]
    TooLarge(usize),
    /// Something that is no MCP message where one was due.
    #[error("sent something that is no MCP answer: {0}")]
    Garbage(String),
    /// It declined, below MCP.
    #[error("refused the request: {0}")]
    Refused(String),
    /// Too many calls at a time.
    #[error("has {0} calls in flight, which is the limit; try again later")]
    Busy(usize),
    /// Too many connections that are not shared.
    #[error(
        "has {0} connections of single callers or sessions in use, which is the limit (`limits.isolated`); try again later"
    )]
    Crowded(usize),
    /// It was taken out of service.
    #[error("was stopped")]
    Stopped,
}

// === impl Failure ===

impl Failure {
    /// Whether the request certainly did not run, so that sending it again cannot run it twice.
    pub fn did_not_run(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Down(_) | Self::NotTaken(_))
    }

    /// One word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) | Self::Down(_) => "unavailable",
            Self::NotTaken(_) => "not_taken",
            Self::Closed(_) => "closed",
            Self::Timeout(_) => "timeout",
            Self::TooLarge(_) => "too_large",
            Self::Garbage(_) => "garbage",
            Self::Refused(_) => "refused",
            Self::Busy(_) | Self::Crowded(_) => "busy",
            Self::Stopped => "stopped",
        }
    }

    /// What the client is told.
    pub fn to_rpc(&self, upstream: &UpstreamName) -> RpcError {
        let data =
            Object::new().with("upstream", Json::string(upstream.as_str())).with("reason", Json::string(self.reason()));
        RpcError::new(code::INTERNAL_ERROR, format!("upstream `{upstream}` {self}")).with_data(data.to_json())
    }
}

/// The innermost cause, in its own words; the outer ones only say that something failed.
pub(crate) fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    neutral(&cause.to_string(), 200)
}

/// A text from outside, made fit for a log line: no control characters, not long.
pub(crate) fn neutral(text: &str, longest: usize) -> String {
    let mut clean: String = text.chars().take(longest).map(|c| if is_harmless(c) { c } else { '\u{fffd}' }).collect();
    if text.chars().nth(longest).is_some() {
        clean.push('…');
    }
    clean
}

/// Control characters move the cursor; bidirectional and zero-width ones make a line read as something else.
fn is_harmless(c: char) -> bool {
    c == '\t'
        || !(c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_upstream_and_what_to_do() {
        let error = Failure::Timeout(Duration::from_secs(60)).to_rpc(&UpstreamName::new("slow").unwrap());
        assert_eq!(error.code, code::INTERNAL_ERROR);
        assert!(error.message.starts_with("upstream `slow` gave no sign of life for 60 s"), "{}", error.message);
        assert_eq!(error.data.unwrap().as_str(), r#"{"upstream":"slow","reason":"timeout"}"#);
    }

    #[test]
    fn a_line_from_outside_cannot_write_on_the_terminal() {
        assert_eq!(neutral("\u{1b}[2Jred\rx", 99), "\u{fffd}[2Jred\u{fffd}x");
        assert_eq!(neutral("abcdef", 3), "abc…");
    }
}
