//! A Rust file with its comments and texts told apart from its code, and its tests from the rest.
//!
//! A law about code must not be broken by a comment that speaks of it, nor by a text that quotes it. A lexer of a hundred
//! lines is enough for that; it knows no grammar.

use super::repository::File;

/// A file, taken apart.
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    /// The text with everything blank that is comment or inside a literal, byte for byte in the same places.
    code: String,
    /// Where each string literal's content lies in the text.
    strings: Vec<std::ops::Range<usize>>,
    /// Where test modules lie in the text.
    tests: Vec<std::ops::Range<usize>>,
    /// Where each line break lies in the text.
    breaks: Vec<usize>,
}

/// A word of code, or the content of a string, with its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
    pub(super) in_test: bool,
}

// === impl Source ===

impl<'a> Source<'a> {
    pub(super) fn read(file: &'a File) -> Self {
        let Masked { code, strings } = Masked::of(&file.text);
        let tests = test_modules(&code);
        let breaks = file.text.match_indices('\n').map(|(at, _)| at).collect();
        Self { path: &file.path, text: &file.text, code, strings, tests, breaks }
    }

    /// Whether all of the file is for tests.
    pub(super) fn is_test(&self) -> bool {
        let folder = |name: &str| self.path.split('/').any(|part| part == name);
        self.path.ends_with("/tests.rs") || folder("tests") || folder("benches") || folder("testkit")
    }

    /// The identifiers and keywords of the code.
    pub(super) fn words(&self) -> impl Iterator<Item = Token<'_>> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        let bytes = self.code.as_bytes();
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = at + bytes[at..].iter().position(|byte| is_part(*byte))?;
            at = start + bytes[start..].iter().position(|byte| !is_part(*byte)).unwrap_or(bytes.len() - start);
            Some(self.token(start..at))
        })
    }

    /// The contents of string literals.
    pub(super) fn strings(&self) -> impl Iterator<Item = Token<'_>> {
        self.strings.iter().map(|range| self.token(range.clone()))
    }

    /// Where the code says `needle`.
    pub(super) fn code_matches(&self, needle: &str) -> impl Iterator<Item = Token<'_>> {
        self.code.match_indices(needle).map(|(at, found)| self.token(at..at + found.len()))
    }

    /// How many lines stand outside of test modules.
    pub(super) fn lines_without_tests(&self) -> usize {
        let lines = |text: &str| text.lines().count();
        let in_tests: usize = self.tests.iter().map(|range| lines(&self.text[range.clone()])).sum();
        lines(self.text) - in_tests
    }

    fn token(&self, range: std::ops::Range<usize>) -> Token<'_> {
        let in_test = self.is_test() || self.tests.iter().any(|test| test.contains(&range.start));
        let line = self.breaks.partition_point(|at| *at < range.start) + 1;
        Token { line, in_test, text: &self.text[range] }
    }
}

/// Test modules with a body: from their attribute to their closing brace.
fn test_modules(code: &str) -> Vec<std::ops::Range<usize>> {
    let starts = ["#[cfg(test)]", "#[cfg(all(test"].into_iter().flat_map(|start| code.match_indices(start));
    starts.filter_map(|(start, _)| body_end(code, start).map(|end| start..end)).collect()
}

/// The end of the body of the module whose attributes begin at `start`; `None` if what follows is something else.
fn body_end(code: &str, start: usize) -> Option<usize> {
    let mut rest = code[start..].trim_start();
    while rest.starts_with("#[") {
        rest = rest[rest.find(']')? + 1..].trim_start();
    }
    let module = rest.strip_prefix("pub(crate) ").unwrap_or(rest).strip_prefix("mod ")?;
    let open = module.find(['{', ';']).filter(|at| module[*at..].starts_with('{'))?;
    let body = code.len() - module.len() + open;
    let mut depth = 0_usize;
    for (at, byte) in code[body..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(body + at + 1),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A text with comments and literals blanked out.
struct Masked {
    code: String,
    strings: Vec<std::ops::Range<usize>>,
}

// === impl Masked ===

impl Masked {
    fn of(text: &str) -> Self {
        let mut code = text.as_bytes().to_vec();
        let mut strings = Vec::new();
        let mut at = 0;
        while at < code.len() {
            let (blank, next) = match lexeme(text, at) {
                Lexeme::Code(length) => (at..at, at + length),
                Lexeme::Comment(length) => (at..at + length, at + length),
                Lexeme::Text { open, content, close } => {
                    let inside = at + open..at + open + content;
                    strings.push(inside.clone());
                    (inside.clone(), inside.end + close)
                }
                Lexeme::Character(length) => (at + 1..at + length - 1, at + length),
            };
            code[blank].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            at = next;
        }
        let code = String::from_utf8(code).expect("whole characters were replaced by spaces");
        Self { code, strings }
    }
}

/// What begins at a place, and how long it is.
enum Lexeme {
    Code(usize),
    Comment(usize),
    Text { open: usize, content: usize, close: usize },
    Character(usize),
}

fn lexeme(text: &str, at: usize) -> Lexeme {
    let rest = &text[at..];
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let inside_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return Lexeme::Comment(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Lexeme::Comment(block_comment(rest));
    }
    if rest.starts_with('"') {
        return string(rest);
    }
    if rest.starts_with('r') && (!inside_word || text[..at].ends_with(['b', 'c'])) {
        return raw_string(rest).unwrap_or(Lexeme::Code(1));
    }
    if rest.starts_with('\'') {
        return character(rest).map_or(Lexeme::Code(1), Lexeme::Character);
    }
    Lexeme::Code(first)
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn string(rest: &str) -> Lexeme {
    let mut at = 1;
    while let Some(found) = rest[at..].find(['"', '\\']) {
        at += found;
        if rest.as_bytes()[at] == b'"' {
            return Lexeme::Text { open: 1, content: at - 1, close: 1 };
        }
        // The escaped character may have several bytes.
        at += 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8);
    }
    Lexeme::Text { open: 1, content: rest.len() - 1, close: 0 }
}

/// `r"…"` with any number of `#`; `None` for a raw identifier or a word that begins with `r`.
fn raw_string(rest: &str) -> Option<Lexeme> {
    let fences = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    let open = 1 + fences + 1;
    rest[1 + fences..].starts_with('"').then_some(())?;
    let end = format!("\"{}", "#".repeat(fences));
    let content = rest[open..].find(&end)?;
    Some(Lexeme::Text { open, content, close: end.len() })
}

/// The length of a character literal; `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inside = &rest[1..];
    if inside.starts_with('\\') {
        return inside[2..].find('\'').map(|end| end + 4);
    }
    let length = inside.chars().next()?.len_utf8();
    inside[length..].starts_with('\'').then_some(length + 2)
}
