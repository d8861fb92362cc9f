//! Which era an upstream is of, judged by what it answers to `server/discover`.
//!
//! Source: 2026-07-28 `basic/versioning`. Only what a server says about itself is evidence: wanting credentials, failing and
//! being silent are not.

use toolgate_protocol::{Era, Json, JsonError, Object, Outcome, Revision, RpcError, code, meta};

/// What is known of an upstream once connected.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its era.
    pub era: Era,
    /// The revision spoken with it.
    pub revision: Revision,
    /// What it says it is.
    pub server_info: Json,
    /// What it offers.
    pub capabilities: Object,
    /// How it wants to be used.
    pub instructions: Option<String>,
    /// One more with each connection.
    pub generation: u64,
}

/// What an answer to `server/discover` shows.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// A modern server.
    Modern(Peer),
    /// No modern server, or none that speaks a revision of ours.
    Legacy,
    /// A modern server that will not speak with us; why.
    Unwilling(String),
}

/// Judges an answer to `server/discover`.
pub(crate) fn judge(outcome: &Outcome) -> Verdict {
    match outcome {
        Ok(result) => discovered(result).map_or(Verdict::Legacy, Verdict::Modern),
        Err(error) if error.code == code::UNSUPPORTED_REVISION => {
            let supported = supported(error);
            if supported.is_empty() || supported.iter().any(|revision| revision.era() == Era::Legacy) {
                Verdict::Legacy
            } else {
                Verdict::Unwilling("it supports no protocol revision that toolgate speaks".to_owned())
            }
        }
        // These codes exist in the modern era only.
        Err(error) if matches!(error.code, code::HEADER_MISMATCH | code::MISSING_CAPABILITY) => {
            Verdict::Unwilling(format!("it answered server/discover with error {}", error.code))
        }
        Err(_) => Verdict::Legacy,
    }
}

/// Whether the upstream turned down the very revision that it says it supports, which is worth asking again, once.
pub(crate) fn contradicts_itself(outcome: &Outcome) -> bool {
    matches!(outcome, Err(error) if error.code == code::UNSUPPORTED_REVISION
        && supported(error).iter().any(|revision| Revision::MODERN.contains(revision)))
}

fn supported(error: &RpcError) -> Vec<Revision> {
    let data = error.data.as_ref().and_then(|data| data.object().ok());
    data.map(|data| versions(&data, "supported")).unwrap_or_default()
}

/// The revisions of ours among those listed.
fn versions(object: &Object, member: &str) -> Vec<Revision> {
    let listed = object.get(member).and_then(|list| list.array().ok()).unwrap_or_default();
    listed.iter().filter_map(|version| Revision::parse(&version.as_string()?)).collect()
}

fn discovered(result: &Json) -> Option<Peer> {
    let result = result.object().ok()?;
    let mutual =
        versions(&result, "supportedVersions").into_iter().filter(|revision| Revision::MODERN.contains(revision));
    let revision = mutual.max()?;
    let meta = result.child("_meta").unwrap_or_default();
    Some(Peer {
        era: Era::Modern,
        revision,
        // The body is where drafts of the revision had it.
        server_info: meta.get(meta::SERVER_INFO).or_else(|| result.get("serverInfo")).cloned().unwrap_or(NOTHING),
        capabilities: result.child("capabilities").unwrap_or_default(),
        instructions: result.string("instructions"),
        generation: 0,
    })
}

const NOTHING: Json = Json::literal("{}");

/// Reads a result of `initialize`. The error says what is wrong with it.
pub(crate) fn initialized(result: &Json) -> Result<Peer, String> {
    let result = result.object().map_err(|error: JsonError| error.to_string())?;
    let version = result.string("protocolVersion").ok_or("its result of initialize names no protocol revision")?;
    let revision = Revision::parse(&version)
        .filter(|revision| revision.era() == Era::Legacy)
        .ok_or("its result of initialize names a protocol revision that toolgate does not speak")?;
    Ok(Peer {
        era: Era::Legacy,
        revision,
        server_info: result.get("serverInfo").cloned().unwrap_or(NOTHING),
        capabilities: result.child("capabilities").unwrap_or_default(),
        instructions: result.string("instructions"),
        generation: 0,
    })
}

// === impl Peer ===

impl Peer {
    /// Whether the capability `path` (such as `["resources", "subscribe"]`) is declared: present, and not `false`.
    pub fn can(&self, path: &[&str]) -> bool {
        let mut at = self.capabilities.to_json();
        for name in path {
            let Some(next) = at.object().ok().and_then(|object| object.get(name).cloned()) else { return false };
            at = next;
        }
        !matches!(at.as_str(), "false" | "null")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i64, data: &'static str) -> Outcome {
        Err(RpcError::new(code, "no").with_data(Json::literal(data)))
    }

    #[test]
    fn a_modern_result_names_a_revision_of_ours() {
        let result = r#"{"resultType":"complete","supportedVersions":["2027-01-01","2026-07-28"],"capabilities":{"tools":{"listChanged":true}},"instructions":"be nice","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}"#;
        let Verdict::Modern(peer) = judge(&Ok(Json::literal(result))) else { panic!() };
        assert_eq!(peer.revision, Revision::V2026_07_28);
        assert_eq!(peer.server_info.as_str(), r#"{"name":"s"}"#);
        assert!(peer.can(&["tools", "listChanged"]) && !peer.can(&["tools", "other"]) && !peer.can(&["prompts"]));
    }

    #[test]
    fn what_is_no_sign_of_a_modern_server_means_legacy() {
        for outcome in [
            Ok(Json::literal(r#"{"supportedVersions":["2025-11-25"]}"#)),
            Ok(Json::literal("[]")),
            error(code::METHOD_NOT_FOUND, "null"),
            error(-32000, "{}"),
            error(code::UNSUPPORTED_REVISION, r#"{"supported":["2025-11-25"],"requested":"2026-07-28"}"#),
            error(code::UNSUPPORTED_REVISION, "{}"),
        ] {
            assert!(matches!(judge(&outcome), Verdict::Legacy), "{outcome:?}");
        }
    }

    #[test]
    fn modern_servers_that_will_not_speak_with_us_are_not_taken_for_legacy() {
        let strangers = error(code::UNSUPPORTED_REVISION, r#"{"supported":["2026-07-28"]}"#);
        assert!(matches!(judge(&strangers), Verdict::Unwilling(_)));
        assert!(matches!(judge(&error(code::MISSING_CAPABILITY, "{}")), Verdict::Unwilling(_)));
    }

    #[test]
    fn initialize_is_answered_with_a_legacy_revision() {
        assert!(initialized(&Json::literal(r#"{"protocolVersion":"2024-11-05","capabilities":{}}"#)).is_ok());
        assert!(initialized(&Json::literal(r#"{"protocolVersion":"2026-07-28"}"#)).is_err());
        assert!(initialized(&Json::literal(r"{}")).is_err());
    }
}
