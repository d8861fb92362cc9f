//! Which patterns every reader of a schema understands.
//!
//! Documents hold patterns of Java, PCRE and .NET. A client that compiles one and fails refuses the whole tool, so what is
//! not plainly portable is left out: it is a hint for the model, and the API checks its input anyway.

use regex_syntax::ast::parse::Parser;

const MAX: usize = 500;

/// Whether a pattern means the same to ECMAScript with its `u` flag and to common engines.
pub(crate) fn is_portable(pattern: &str) -> bool {
    pattern.len() <= MAX
        && !pattern.contains("(?")
        && !["[:", "&&", "~~", "\\Q", "\\z", "\\A"].iter().any(|odd| pattern.contains(odd))
        && has_known_escapes(pattern)
        && Parser::new().parse(pattern).is_ok()
}

/// With the `u` flag, only what needs to be escaped may be.
fn has_known_escapes(pattern: &str) -> bool {
    let mut in_class = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '[' => in_class = true,
            ']' => in_class = false,
            '\\' => match chars.next() {
                Some('-') if in_class => {}
                Some(c) if "dDwWsStnrfv^$\\.*+?()[]{}|/".contains(c) => {}
                Some('b' | 'B') if !in_class => {}
                _ => return false,
            },
            _ => {}
        }
    }
    !in_class
}

#[cfg(test)]
mod tests {
    use super::is_portable;

    #[test]
    fn only_what_every_engine_reads_the_same_is_kept() {
        for good in [r"^\d{4}-\d{2}$", "^[a-z0-9][a-z0-9-]*$", r"^[\w\-.]+$", "^(a|b)$"] {
            assert!(is_portable(good), "{good}");
        }
        for bad in [r"(?i)x", r"\p{Alpha}", r"a\_b", r"[[:alpha:]]", "(", "[a", r"\Z", r"a\-b", r"^(?=.*\d).+$"] {
            assert!(!is_portable(bad), "{bad}");
        }
    }
}
