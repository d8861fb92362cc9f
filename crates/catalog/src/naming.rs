//! Public names: made once, here, so that they are legal for every client and never change because of a neighbour.
//!
//! `<upstream>__<native>` always, so that adding an upstream never renames another's tools. Model APIs accept letters,
//! digits, `_` and `-`, at most 64 (OpenAI function names; Anthropic tool names); what does not fit is shortened or
//! replaced, and a mark made of the whole name keeps two such names apart.

use sha2::{Digest, Sha256};
use toolgate_discovery::surface::Surface;
use toolgate_protocol::{Kind, UpstreamName};

/// The longest public name of a tool or prompt, in characters.
pub const MAX_LEN: usize = 64;
/// Stands between the upstream's name and the native name.
pub const SEPARATOR: &str = "__";
/// Hexadecimal digits of the mark that a changed name ends with.
const MARK_LEN: usize = 6;

/// How public names are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// `<upstream>__<native>`.
    #[default]
    Prefixed,
    /// The native name; a name already taken by an earlier upstream is prefixed.
    Plain,
    /// One upstream, nothing renamed or rewritten: toolgate looks like that upstream.
    Transparent,
}

/// Whether a name belongs to a tool of the surface, so that no upstream's tool can have it by itself.
pub(crate) fn is_reserved(kind: Kind, name: &str) -> bool {
    kind == Kind::Tool && Surface { split: true }.find(name).is_some()
}

/// The prefixed public name.
pub fn prefixed(upstream: &UpstreamName, native: &str) -> String {
    legal(&format!("{upstream}{SEPARATOR}{native}"))
}

/// `name` as every client accepts it: itself where it is legal, else a legal form with a mark of the original.
pub fn legal(name: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.len() <= MAX_LEN && name.chars().all(is_legal) {
        return name.to_owned();
    }
    let head: String = name.chars().map(|c| if is_legal(c) { c } else { '_' }).take(MAX_LEN - MARK_LEN - 1).collect();
    let mark: String = Sha256::digest(name).iter().take(MARK_LEN / 2).map(|byte| format!("{byte:02x}")).collect();
    format!("{head}_{mark}")
}

/// How the pages of tools begin (MCP Apps); hosts refuse a page whose URI does not.
const PAGE: &str = "ui://";

/// The URI under which a resource is offered when an earlier upstream already offers one of that URI.
pub fn prefixed_uri(upstream: &UpstreamName, native: &str) -> String {
    match native.strip_prefix(PAGE) {
        Some(rest) => format!("{PAGE}toolgate+{upstream}/{rest}"),
        None => format!("toolgate+{upstream}:{native}"),
    }
}

/// The upstream's own URI of what [`prefixed_uri`] made; `None` where it made no such thing.
pub fn native_uri(upstream: &UpstreamName, public: &str) -> Option<String> {
    let page = |rest: &str| Some(format!("{PAGE}{}", rest.strip_prefix(&format!("toolgate+{upstream}/"))?));
    match public.strip_prefix(PAGE) {
        Some(rest) => page(rest),
        None => public.strip_prefix(&format!("toolgate+{upstream}:")).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream() -> UpstreamName {
        UpstreamName::new("files").unwrap()
    }

    #[test]
    fn a_legal_name_is_prefixed_and_nothing_else() {
        assert_eq!(prefixed(&upstream(), "read-file_2"), "files__read-file_2");
    }

    #[test]
    fn a_moved_uri_leads_back_and_a_page_stays_one() {
        for (native, public) in [
            ("doc://a/b?c", "toolgate+files:doc://a/b?c"),
            ("ui://app/main.html", "ui://toolgate+files/app/main.html"),
            ("ui://page", "ui://toolgate+files/page"),
        ] {
            assert_eq!(prefixed_uri(&upstream(), native), public);
            assert_eq!(native_uri(&upstream(), public).as_deref(), Some(native));
            assert_eq!(native_uri(&upstream(), native), None);
        }
        assert_eq!(native_uri(&upstream(), "ui://toolgate+filesystem/page"), None);
    }

    #[test]
    fn an_illegal_or_long_name_gets_a_mark_of_its_own() {
        let dotted = prefixed(&upstream(), "read.file");
        assert!(dotted.starts_with("files__read_file_"), "{dotted}");
        assert_ne!(dotted, prefixed(&upstream(), "read/file"));
        let long = prefixed(&upstream(), &"x".repeat(100));
        assert_eq!(long.len(), MAX_LEN);
        assert_ne!(long, prefixed(&upstream(), &"x".repeat(101)));
        assert_eq!(long, prefixed(&upstream(), &"x".repeat(100)));
    }
}
