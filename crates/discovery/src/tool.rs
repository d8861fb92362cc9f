//! What comes in: an entry of the catalog, as far as showing it to a model needs it.

use toolgate_protocol::{Json, Kind};

/// A description is cut down to a line from its first bytes alone, however long it is.
const MAX_READ: usize = 4 << 10;
/// The longest line, in characters; 25 tokens of English.
const MAX_LINE: usize = 120;

/// A tool, or another entry that a search can find.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its public name, or the URI of a resource.
    pub name: &'a str,
    /// Whose it is.
    pub server: &'a str,
    /// Its definition as clients see it.
    pub definition: &'a Json,
}

// === impl Tool ===

impl<'a> Tool<'a> {
    /// A tool.
    pub fn new(name: &'a str, server: &'a str, definition: &'a Json) -> Self {
        Self { kind: Kind::Tool, name, server, definition }
    }

    /// The schema of its arguments, if the definition has one that is no mere `{}`.
    pub fn input_schema(&self) -> Option<Json> {
        let schema = self.definition.object().ok()?.get("inputSchema")?.clone();
        schema.object().is_ok_and(|schema| !schema.is_empty()).then_some(schema)
    }

    /// The arguments of a prompt: each name, and whether it must be there.
    pub(crate) fn prompt_arguments(&self) -> Vec<(String, bool)> {
        let Ok(definition) = self.definition.object() else { return Vec::new() };
        let arguments = definition.get("arguments").and_then(|arguments| arguments.array().ok()).unwrap_or_default();
        let read = |argument: &Json| {
            let argument = argument.object().ok()?;
            Some((
                argument.string("name")?,
                argument.get("required").is_some_and(|required| required.as_str() == "true"),
            ))
        };
        arguments.iter().take(100).filter_map(read).collect()
    }

    /// Whether a model may be shown it. MCP Apps mark the tools that only their own pages call with
    /// `_meta.ui.visibility`, a list that then lacks `model` (SEP-1865).
    pub fn is_for_model(&self) -> bool {
        is_for_model(self.definition)
    }

    /// What it does, in one line: the first sentence of its description, else its title, else nothing.
    pub fn line(&self) -> String {
        let Ok(definition) = self.definition.object() else { return String::new() };
        let words = |name: &str| {
            definition.get(name).and_then(opening).map(|text| first_sentence(&text)).filter(|line| !line.is_empty())
        };
        words("description").or_else(|| words("title")).unwrap_or_default()
    }
}

/// Whether a model may be shown the tool of this definition; see [`Tool::is_for_model`].
pub fn is_for_model(definition: &Json) -> bool {
    // Nearly every definition lacks the word, and a look at the text is enough to know.
    if !definition.as_str().contains("visibility") {
        return true;
    }
    let visibility = || definition.object().ok()?.child("_meta")?.child("ui")?.get("visibility")?.array().ok();
    visibility().is_none_or(|who| who.iter().any(|one| one.as_string().as_deref() == Some("model")))
}

/// The beginning of a string, without unescaping all of what may be a megabyte.
pub(crate) fn opening(text: &Json) -> Option<String> {
    if text.text().len() <= MAX_READ {
        return text.as_string();
    }
    // Some cut close to the bound does not fall into an escape or a character.
    (MAX_READ - 16..MAX_READ).rev().filter(|end| text.as_str().is_char_boundary(*end)).find_map(|end| {
        let cut = format!("{}\"", text.as_str().get(..end)?);
        serde_json::from_str(&cut).ok()
    })
}

/// The first sentence of a description as one line of plain text, cut at a word where it is long.
pub fn first_sentence(text: &str) -> String {
    let mut line = String::new();
    for paragraph in text.lines().map(plain).filter(|paragraph| !paragraph.is_empty()) {
        line = sentence(&paragraph).to_owned();
        // A heading or a lone word is followed by what it heads.
        if line.chars().count() > 3 {
            break;
        }
    }
    cut(&line, MAX_LINE)
}

/// A line without the marks of Markdown and with single spaces.
fn plain(line: &str) -> String {
    let bare = line.trim().trim_start_matches(['#', '*', '-', '>', '=', '_', '`', ' ']);
    let mut text = String::with_capacity(bare.len());
    for word in bare.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(word.replace("**", "").replace('`', "").chars().filter(|c| !c.is_control()));
    }
    text
}

/// Up to the first end of a sentence that is no abbreviation.
fn sentence(text: &str) -> &str {
    let mut ends = text.char_indices().peekable();
    while let Some((at, c)) = ends.next() {
        if matches!(c, '。' | '！' | '？') {
            return &text[..at];
        }
        let follows = ends.peek().map(|(_, c)| *c);
        if matches!(c, '.' | '!' | '?') && follows.is_none_or(char::is_whitespace) && !is_abbreviation(&text[..at]) {
            return text[..at].trim_end();
        }
    }
    text
}

fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit([' ', '(', ',']).next().unwrap_or_default();
    let known = ["eg", "ie", "etc", "vs", "approx", "incl", "no", "st", "mr", "dr", "inc"];
    let plain = word.replace('.', "").to_lowercase();
    // A sentence of one letter is none.
    word.chars().count() <= 1 || (known.contains(&&*plain) && before.len() > word.len())
}

/// At most `max` characters, cut at a word.
pub(crate) fn cut(text: &str, max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max) else { return text.to_owned() };
    let head = &text[..end];
    // Languages without spaces are cut anywhere.
    let head = head.rfind(' ').filter(|at| *at > end / 2).map_or(head, |at| &head[..at]);
    format!("{}…", head.trim_end_matches([' ', ',', ';', ':', '(']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(definition: &'static str) -> String {
        Tool::new("t", "s", &Json::literal(definition)).line()
    }

    #[test]
    fn a_line_is_the_first_sentence() {
        assert_eq!(
            line(r#"{"description":"\n  ## Create an issue (e.g. a bug). Then more.\n"}"#),
            "Create an issue (e.g. a bug)"
        );
        assert_eq!(
            line(r#"{"description":"Reads v1.2 files etc. from disk\nArgs:\n  x"}"#),
            "Reads v1.2 files etc. from disk"
        );
        assert_eq!(line(r#"{"description":"使用必应搜索。返回列表"}"#), "使用必应搜索");
        assert_eq!(line(r#"{"title":"A title","description":" "}"#), "A title");
        assert_eq!(line("{}"), "");
    }

    #[test]
    fn a_megabyte_is_cut_without_being_read() {
        let definition = Json::of(&serde_json::json!({"description": "ab\u{1F600}\n".repeat(300_000)})).unwrap();
        assert_eq!(Tool::new("t", "s", &definition).line().chars().take(2).collect::<String>(), "ab");
        let words = Json::of(&serde_json::json!({"description": "word ".repeat(300_000)})).unwrap();
        let line = Tool::new("t", "s", &words).line();
        assert!(line.chars().count() <= MAX_LINE + 1 && line.ends_with("word…"), "{line}");
    }

    #[test]
    fn tools_for_apps_alone_are_not_for_the_model() {
        assert!(is_for_model(&Json::literal(r#"{"name":"x"}"#)));
        assert!(is_for_model(&Json::literal(r#"{"_meta":{"ui":{"visibility":["model","app"]}}}"#)));
        assert!(!is_for_model(&Json::literal(r#"{"_meta":{"ui":{"visibility":["app"]}}}"#)));
        assert!(is_for_model(&Json::literal(r#"{"description":"visibility"}"#)));
    }
}
