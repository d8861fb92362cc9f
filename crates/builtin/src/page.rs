//! Long lists, one page at a time.
//!
//! A cursor is opaque to clients; ours holds the place of the next entry. A list that shrank meanwhile ends with an empty
//! page: whoever cares was told that it changed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use toolgate_protocol::{Json, Object};

use crate::call::Halt;

const PREFIX: &str = "from:";

/// The page of `entries` that `params` ask for, as the result of a list method. `member` is what the result calls them.
pub(crate) fn page(member: &str, entries: &[Json], size: usize, params: &Object) -> Result<Object, Halt> {
    let start = match params.get("cursor") {
        None => 0,
        Some(cursor) => read(cursor).ok_or_else(|| Halt::invalid("invalid `cursor`: it is not one of ours"))?,
    };
    let rest = entries.get(start..).unwrap_or_default();
    let shown = &rest[..rest.len().min(size)];
    let list = Json::of(shown).map_err(|error| Halt::internal(&error))?;
    let mut result = Object::new().with(member, list);
    if rest.len() > size {
        result.set("nextCursor", Json::string(&URL_SAFE_NO_PAD.encode(format!("{PREFIX}{}", start + size))));
    }
    Ok(result)
}

fn read(cursor: &Json) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor.as_string()?).ok()?).ok()?;
    text.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn following_the_cursors_gives_every_entry_once() {
        let entries: Vec<Json> = (0..7).map(Json::integer).collect();
        let mut seen = Vec::new();
        let mut params = Object::new();
        loop {
            let result = page("tools", &entries, 3, &params).unwrap();
            seen.extend(result.get("tools").unwrap().array().unwrap());
            match result.get("nextCursor") {
                Some(cursor) => params.set("cursor", cursor.clone()),
                None => break,
            }
        }
        assert_eq!(seen, entries);
    }

    #[test]
    fn a_foreign_cursor_is_refused_and_one_past_the_end_is_not() {
        for cursor in [r#""abc""#, r#""""#, "7", r#""ZnJvbTo""#] {
            let params = Object::new().with("cursor", Json::literal(cursor));
            assert!(matches!(page("tools", &[], 3, &params), Err(Halt::Error(_))), "{cursor}");
        }
        let params = Object::new().with("cursor", Json::string(&URL_SAFE_NO_PAD.encode("from:99")));
        assert_eq!(page("tools", &[], 3, &params).unwrap().to_json(), Json::literal(r#"{"tools":[]}"#));
    }
}
