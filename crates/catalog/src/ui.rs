//! The pages that tools bring with them (MCP Apps, SEP-1865): a tool names a resource, and the host reads it.
//!
//! Where a resource has another URI for clients than for its upstream, the tool must name it by that one. A page need not be
//! listed to be read, so whose it is, the tools say.

use std::collections::HashMap;
use std::sync::Arc;

use toolgate_protocol::{Json, Object, Subject, UpstreamName};

use crate::naming;

/// The extension, as tools speak of it in `_meta`.
const UI: &str = "ui";
/// The member that names the page.
const PAGE: &str = "resourceUri";
/// The same as earlier drafts had it, beside `ui` in `_meta`.
const FLAT: &str = "ui/resourceUri";

/// Whose the pages are that nobody lists, by the URI that clients know.
#[derive(Debug, Default)]
pub(crate) struct Pages(HashMap<Arc<str>, UpstreamName>);

/// The page that a tool names, by its upstream's URI.
pub(crate) fn page(definition: &Json) -> Option<String> {
    // Few tools have one, and a look at the text is enough to know.
    memchr::memmem::find(definition.text(), PAGE.as_bytes())?;
    let meta = definition.object().ok()?.child("_meta")?;
    meta.child(UI).and_then(|ui| ui.string(PAGE)).or_else(|| meta.string(FLAT))
}

/// Puts the clients' URI of its page into the definition of a tool.
pub(crate) fn name_page(definition: &mut Object, public: &str) {
    let Some(mut meta) = definition.child("_meta") else { return };
    if let Some(mut ui) = meta.child(UI)
        && ui.get(PAGE).is_some()
    {
        ui.set(PAGE, Json::string(public));
        meta.set(UI, ui.to_json());
    }
    if meta.get(FLAT).is_some() {
        meta.set(FLAT, Json::string(public));
    }
    definition.set("_meta", meta.to_json());
}

// === impl Pages ===

impl Pages {
    /// The clients' URI of a page that its upstream does not list. `is_listed` says whether another upstream lists one of
    /// that URI.
    pub(crate) fn add(&mut self, tool: &Subject, native: &str, is_listed: bool) -> Arc<str> {
        let is_free = !is_listed && self.0.get(native).is_none_or(|owner| *owner == tool.upstream);
        let public: Arc<str> =
            if is_free { native.into() } else { naming::prefixed_uri(&tool.upstream, native).into() };
        self.0.insert(public.clone(), tool.upstream.clone());
        public
    }

    /// Whose page has this URI.
    pub(crate) fn owner(&self, public: &str) -> Option<&UpstreamName> {
        self.0.get(public)
    }
}

#[cfg(test)]
mod tests {
    use toolgate_protocol::Kind;

    use super::*;

    #[test]
    fn both_forms_of_naming_a_page_are_read_and_written() {
        for (native, expected) in [
            (
                r#"{"name":"t","_meta":{"ui":{"resourceUri":"ui://a","visibility":["app"]},"ui/resourceUri":"ui://a","v":1}}"#,
                r#"{"name":"t","_meta":{"ui":{"resourceUri":"ui://b","visibility":["app"]},"ui/resourceUri":"ui://b","v":1}}"#,
            ),
            (r#"{"_meta":{"ui/resourceUri":"ui://a"}}"#, r#"{"_meta":{"ui/resourceUri":"ui://b"}}"#),
        ] {
            let native = Json::literal(native);
            assert_eq!(page(&native).as_deref(), Some("ui://a"));
            let mut object = native.object().unwrap();
            name_page(&mut object, "ui://b");
            assert_eq!(object.to_json().as_str(), expected);
        }
        assert_eq!(page(&Json::literal(r#"{"description":"resourceUri"}"#)), None);
    }

    #[test]
    fn a_page_belongs_to_the_first_who_names_it() {
        let tool =
            |upstream| Subject { upstream: UpstreamName::new(upstream).unwrap(), kind: Kind::Tool, native: "t".into() };
        let mut pages = Pages::default();
        assert_eq!(&*pages.add(&tool("a"), "ui://x", false), "ui://x");
        assert_eq!(&*pages.add(&tool("a"), "ui://x", false), "ui://x");
        assert_eq!(&*pages.add(&tool("b"), "ui://x", false), "ui://toolgate+b/x");
        assert_eq!(&*pages.add(&tool("b"), "ui://y", true), "ui://toolgate+b/y");
        assert_eq!(pages.owner("ui://x").unwrap().as_str(), "a");
    }
}
