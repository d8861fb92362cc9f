//! The parts of a description: what it is for in one sentence, the rest of the prose, and a list of arguments after it.

/// A description, cut.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Prose<'t> {
    pub(crate) first: &'t str,
    pub(crate) rest: &'t str,
    /// From `Args:` or a heading like it on; says what parameters' descriptions say elsewhere.
    pub(crate) arguments: &'t str,
}

/// Headings after which a text no longer says what a tool is for.
const HEADINGS: [&str; 12] = [
    "args",
    "arguments",
    "parameters",
    "params",
    "returns",
    "return",
    "raises",
    "example",
    "examples",
    "input",
    "output",
    "yields",
];

// === impl Prose ===

impl<'t> Prose<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let text = text.trim();
        let (prose, arguments) = text.split_at(list_of_arguments(text).unwrap_or(text.len()));
        let (first, rest) = prose.split_at(end_of_sentence(prose));
        Self { first, rest, arguments }
    }
}

/// Where a line is only such a heading, or begins with it and a colon.
fn list_of_arguments(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim().trim_matches(['*', '#', ' ', '-']);
        let word = bare.split([':', ' ', '*']).next().unwrap_or_default();
        let heading = HEADINGS.iter().any(|heading| word.eq_ignore_ascii_case(heading));
        if at > 0
            && heading
            && (bare.len() == word.len() || bare[word.len()..].trim_start_matches('*').starts_with(':'))
        {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// After the full stop and before the space; an empty line ends a sentence too.
fn end_of_sentence(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let ends = match c {
            '.' | '!' | '?' => next.is_none_or(char::is_whitespace) && !abbreviation(&text[..at]),
            '\n' => true,
            '\u{3002}' | '\u{FF01}' | '\u{FF1F}' => true,
            _ => false,
        };
        if ends {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// `e.g.` and its like end with a full stop and no sentence.
fn abbreviation(before: &str) -> bool {
    let word = before.rsplit([' ', '(', '\n']).next().unwrap_or_default();
    ["e.g", "i.e", "etc", "vs", "approx", "incl"].iter().any(|short| word.eq_ignore_ascii_case(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_cut_into_first_sentence_rest_and_arguments() {
        let prose = Prose::of(" Reads a file, e.g. a log. It must exist.\n\nArgs:\n  path: where\n");
        assert_eq!(prose.first, "Reads a file, e.g. a log.");
        assert_eq!(prose.rest.trim(), "It must exist.");
        assert_eq!(prose.arguments, "Args:\n  path: where");
    }

    #[test]
    fn a_line_or_a_full_stop_of_another_script_ends_a_sentence() {
        assert_eq!(Prose::of("List files\nand folders").first, "List files\n");
        assert_eq!(Prose::of("查询天气。返回温度。").first, "查询天气。");
        assert_eq!(Prose::of("Uses v1.2 of x.y").first, "Uses v1.2 of x.y");
    }

    #[test]
    fn headings_are_recognized_in_their_dress() {
        for heading in ["Parameters", "**Returns**:", "### Example:", "- args: none"] {
            let text = format!("Does it.\n{heading}\nmore");
            assert_eq!(Prose::of(&text).rest.trim(), "", "{heading}");
        }
        assert_eq!(Prose::of("Returns the weather").first, "Returns the weather");
        assert_eq!(Prose::of("Does it.\nReturns the weather").arguments, "");
        assert_eq!(Prose::of(""), Prose::default());
    }
}
