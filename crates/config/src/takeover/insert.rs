//! Upstreams put into the text of a file, which else stays byte for byte as it is.
//!
//! Where a block or a pair of braces ends is not always plain to see, so there are several ways to put something in; the first
//! counts that reads back as what was there and what was added, and nothing else. Where none does, nothing is changed.

use std::path::Path;

use saphyr_parser::{Event, Parser};

use super::candidate::same;
use super::{Target, map, write};
use crate::fault::{Faults, Report};
use crate::node::{Node, Tree, Value};
use crate::sources::Sources;
use crate::syntax::{self, Format};

/// Where upstreams can be put in.
pub(super) struct Place<'a> {
    file: &'a Path,
    text: &'a str,
    root: Node,
    /// The lines of `upstreams:` and of the key after it, from 0.
    lines: Option<(usize, Option<usize>)>,
    /// How far the upstreams that are there are indented.
    indent: usize,
    /// The byte of the `}` of the map of upstreams, and of that of the file.
    braces: (Option<usize>, Option<usize>),
    has_upstreams: bool,
    /// The file of secrets, as it has to be named; `None` if it is named already.
    env_file: Option<String>,
}

// === impl Place ===

impl<'a> Place<'a> {
    /// # Errors
    /// The file names another file of secrets, or its upstreams are none.
    pub(super) fn new(
        target: &Target<'a>,
        tree: &Tree,
        format: Format,
        base: &Path,
        sources: &Sources<'_>,
    ) -> Result<Self, Faults> {
        let (root, text) = (&tree.root, target.text.unwrap_or_default());
        let wrong = |message: &str, help: &str| Err(Faults::of_file(target.file, message, Some(help.to_owned())));
        let env_file = match (target.secrets, root.get("env_file").and_then(Node::as_text)) {
            (None, _) => None,
            (Some((path, _)), Some(named)) if sources.resolve(base, named) == sources.cwd.join(path) => None,
            (Some(_), Some(named)) => {
                return wrong("names another `env_file` already", &format!("use it: `--secrets-to {named}`"));
            }
            (Some((path, _)), None) => {
                let whole = sources.cwd.join(path);
                let near = whole.strip_prefix(base).map(|rest| format!("./{}", rest.display()));
                Some(near.unwrap_or_else(|_| whole.display().to_string()))
            }
        };
        let pair = root.pairs().iter().position(|(key, _)| key.as_text() == Some("upstreams"));
        let upstreams = pair.map(|at| &root.pairs()[at]);
        if !matches!(root.value, Value::Map(_) | Value::Null)
            || upstreams.is_some_and(|(_, value)| !matches!(value.value, Value::Map(_) | Value::Null))
        {
            return wrong("has no map of `upstreams`", "see `toolgate check`");
        }
        let line = |node: &Node| tree.place(node.spot).line as usize - 1;
        let next = pair.and_then(|at| root.pairs().get(at + 1)).map(|(key, _)| line(key));
        let first = upstreams.and_then(|(_, map)| map.pairs().first()).map(|(key, _)| tree.place(key.spot));
        let brace = |node: &Node| {
            let place = tree.place(node.spot);
            closing(text, format, (place.line as usize, place.column as usize - 1))
        };
        Ok(Self {
            file: target.file,
            text,
            root: root.clone(),
            lines: upstreams.map(|(key, _)| (line(key), next)),
            indent: first.map_or(2, |place| place.column as usize - 1),
            braces: (upstreams.and_then(|(_, map)| brace(map)), brace(root)),
            has_upstreams: upstreams.is_some(),
            env_file,
        })
    }

    /// The text with these upstreams.
    ///
    /// # Errors
    /// There is no way that leaves the rest alone.
    pub(super) fn insert(&self, added: &[(String, Node)], with_env_file: bool) -> Result<String, Faults> {
        let env_file = self.env_file.as_deref().filter(|_| with_env_file);
        let wanted = self.wanted(added, env_file);
        let ways =
            [self.at_the_end(added), self.at_the_start(added), self.in_braces(added, ", "), self.in_braces(added, "")];
        let mut tops = [Top::LastLine, Top::FirstLine, Top::InBraces(", "), Top::InBraces("")];
        if self.text.is_empty() {
            // Comments at the top of a file are mostly about the whole of it; a new one has none.
            tops.swap(0, 1);
        }
        for way in ways.into_iter().flatten() {
            let whole = match env_file {
                None => vec![way],
                Some(file) => tops.iter().filter_map(|top| self.with_env_file(&way, file, *top)).collect(),
            };
            if let Some(text) = whole.into_iter().find(|text| self.says(text, &wanted)) {
                return Ok(text);
            }
        }
        let message = "is written in a way that nothing can be put into without changing the rest";
        Err(Faults::of_file(self.file, message, Some("add what is shown by hand".to_owned())))
    }

    /// What is added, as lines.
    pub(super) fn shown(&self, added: &[(String, Node)], with_env_file: bool) -> Vec<String> {
        let mut text = String::new();
        if let Some(file) = self.env_file.as_deref().filter(|_| with_env_file) {
            text.push_str(&format!("env_file: {}\n", write::scalar(file)));
        }
        if !self.has_upstreams {
            text.push_str("upstreams:\n");
        }
        self.blocks(added, &mut text);
        text.lines().map(str::to_owned).collect()
    }

    fn blocks(&self, added: &[(String, Node)], text: &mut String) {
        added.iter().for_each(|(name, entry)| write::block(name, entry, self.indent.max(1), text));
    }

    /// Behind the last upstream, before blank lines and comments that belong to what follows.
    fn at_the_end(&self, added: &[(String, Node)]) -> Option<String> {
        let mut block = String::new();
        let lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        let Some((key, next)) = self.lines else {
            block.push_str("upstreams:\n");
            self.blocks(added, &mut block);
            return Some(self.with_block(self.text.len(), &block));
        };
        self.blocks(added, &mut block);
        let mut end = next.unwrap_or(lines.len());
        let is_idle = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        while end > key + 1 && is_idle(lines[end - 1]) {
            end -= 1;
        }
        // A comment that is indented as upstreams are belongs to them.
        while next.unwrap_or(lines.len()) > end
            && lines[end].trim_start().starts_with('#')
            && lines[end].starts_with(' ')
        {
            end += 1;
        }
        let at = lines[..end].iter().map(|line| line.len()).sum();
        Some(self.with_block(at, &block))
    }

    /// Right below `upstreams:`.
    fn at_the_start(&self, added: &[(String, Node)]) -> Option<String> {
        let (key, _) = self.lines?;
        let at = self.text.split_inclusive('\n').take(key + 1).map(str::len).sum();
        let mut block = String::new();
        self.blocks(added, &mut block);
        Some(self.with_block(at, &block))
    }

    fn in_braces(&self, added: &[(String, Node)], comma: &str) -> Option<String> {
        let pair = |(name, entry): &(String, Node)| format!("{}: {}", write::quoted(name), write::json(entry));
        let pairs = added.iter().map(pair).collect::<Vec<_>>().join(", ");
        let (at, pairs) = match (self.has_upstreams, self.braces) {
            (true, (at, _)) => (at?, pairs),
            (false, (_, at)) => (at?, format!("\"upstreams\": {{{pairs}}}")),
        };
        Some(format!("{}{comma}{pairs}{}", &self.text[..at], &self.text[at..]))
    }

    fn with_env_file(&self, text: &str, file: &str, top: Top) -> Option<String> {
        match top {
            Top::LastLine => {
                Some(put(text, text.len(), &format!("env_file: {}\n", write::scalar(file)), self.ending()))
            }
            Top::FirstLine => Some(put(text, 0, &format!("env_file: {}\n", write::scalar(file)), self.ending())),
            Top::InBraces(comma) => {
                let at = text.rfind('}')?;
                Some(format!("{}{comma}\"env_file\": {}{}", &text[..at], write::quoted(file), &text[at..]))
            }
        }
    }

    fn with_block(&self, at: usize, block: &str) -> String {
        put(self.text, at, block, self.ending())
    }

    fn ending(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// The file as it is to be: what it said, and what is added.
    fn wanted(&self, added: &[(String, Node)], env_file: Option<&str>) -> Node {
        let root = &self.root;
        let mut pairs = root.pairs().to_vec();
        let mut upstreams = root.get("upstreams").map(|map| map.pairs().to_vec()).unwrap_or_default();
        upstreams.extend(added.iter().map(|(name, entry)| (root.text_like(name), entry.clone())));
        pairs.retain(|(key, _)| key.as_text() != Some("upstreams"));
        pairs.push((root.text_like("upstreams"), map(root, upstreams)));
        pairs.extend(env_file.map(|file| (root.text_like("env_file"), root.text_like(file))));
        map(root, pairs)
    }

    fn says(&self, text: &str, wanted: &Node) -> bool {
        let mut report = Report::default();
        let Ok(text) = syntax::decode(self.file, text.as_bytes()) else { return false };
        let read = syntax::read(self.file, &text, &mut report);
        report.is_clean() && read.is_ok_and(|(tree, _)| same(&tree.root, wanted))
    }
}

/// Where a key of the file itself goes.
#[derive(Clone, Copy)]
enum Top {
    LastLine,
    FirstLine,
    InBraces(&'static str),
}

/// Whole lines put in at a byte, on lines of their own.
fn put(text: &str, at: usize, block: &str, ending: &str) -> String {
    let (before, after) = text.split_at(at);
    let break_first = !before.is_empty() && !before.ends_with('\n') && before != "\u{feff}";
    let block = block.replace('\n', ending);
    format!("{before}{}{block}{after}", if break_first { ending } else { "" })
}

/// The byte of the `}` that ends the map in braces that begins at a line (from 1) and column (from 0).
fn closing(text: &str, format: Format, start: (usize, usize)) -> Option<usize> {
    if format == Format::Json {
        return closing_in_json(text, start);
    }
    let mut open = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        match event {
            Event::MappingStart(..) => open.push((span.start.line(), span.start.col())),
            Event::MappingEnd if open.pop() == Some(start) => {
                let (line, column) = (span.start.line(), span.start.col());
                return byte_at(text, line, column).filter(|at| text[*at..].starts_with('}'));
            }
            _ => {}
        }
    }
    None
}

fn closing_in_json(text: &str, start: (usize, usize)) -> Option<usize> {
    use jsonc_parser::ast::Value as Ast;
    use jsonc_parser::common::Ranged;
    let parsed = jsonc_parser::parse_to_ast(text, &Default::default(), &Default::default()).ok()?;
    let at = byte_at(text, start.0, start.1)?;
    let Some(Ast::Object(root)) = parsed.value else { return None };
    let inner = root.properties.iter().map(|property| &property.value);
    let inner = inner.filter_map(|value| value.as_object()).map(|object| object.range());
    { inner }.chain([root.range()]).find(|range| range.start == at).map(|range| range.end - 1)
}

fn byte_at(text: &str, line: usize, column: usize) -> Option<usize> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(start..)?;
    rest.char_indices()
        .nth(column)
        .map(|(at, _)| start + at)
        .or_else(|| (rest.chars().count() == column).then_some(text.len()))
}
