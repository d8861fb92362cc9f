//! Parameters of requests, spelled as a story wants them.

use serde_json::{Value, json};

/// The parameters of a request, as text, so that a story can say how they are spelled.
#[derive(Clone, Debug, Default)]
pub struct Params {
    /// Members without the braces; `_meta` is not among them.
    pub(super) members: String,
    /// Members of `_meta`, likewise.
    pub(super) meta: String,
}

// === impl Params ===

impl Params {
    /// From texts of members, without braces.
    pub fn written(members: &str, meta: &str) -> Self {
        Self { members: members.to_owned(), meta: meta.to_owned() }
    }

    pub(super) fn add(into: &mut String, members: &str) {
        if !into.is_empty() && !members.is_empty() {
            into.push(',');
        }
        into.push_str(members);
    }
}

impl From<Value> for Params {
    fn from(mut value: Value) -> Self {
        let members = value.as_object_mut().expect("parameters are an object");
        let meta = members.remove("_meta").unwrap_or_else(|| json!({}));
        let bare = |value: &Value| {
            let text = value.to_string();
            text[1..text.len() - 1].to_owned()
        };
        Self { meta: bare(&meta), members: bare(&value) }
    }
}
