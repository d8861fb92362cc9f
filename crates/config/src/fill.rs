//! Fills in `${…}`: variables, files, and VS Code's inputs and folders.
//!
//! | written | means |
//! | --- | --- |
//! | `${VAR}`, `${env:VAR}` | the variable; a fault if it is not set |
//! | `${VAR:-default}` | the same, or the default if it is not set or empty; a default may hold `${…}` |
//! | `${file:path}` | what the file holds, without the line break at its end; relative to the config file |
//! | `${input:id}` | VS Code's input: the variable `INPUT_<ID>`, or the input's own default |
//! | `${workspaceFolder}`, `${userHome}`, `${/}` … | as in VS Code and Cursor |
//! | `$${` | `${` itself |
//!
//! What a variable holds is taken as it is and not looked at again.

use std::path::{MAIN_SEPARATOR_STR, Path};

use crate::fault::Report;
use crate::node::{Node, Spot, Value};
use crate::sources::Sources;
use crate::suggest;

/// The largest `${file:…}`: keys and certificates, not data.
const MAX_FILE: usize = 64 << 10;

/// All that one config may draw in, over all texts.
const MAX_FILLED: usize = 16 << 20;

/// Defaults within defaults.
const MAX_DEPTH: usize = 8;

/// Fills the texts of one config.
pub(crate) struct Filler<'a> {
    sources: &'a Sources<'a>,
    /// The folder that relative paths begin at.
    base: &'a Path,
    inputs: Option<&'a Node>,
    report: &'a mut Report,
    /// Bytes drawn in so far.
    filled: usize,
    /// Whether what cannot be filled in is left as written, and no fault.
    lenient: bool,
}

/// Why a text could not be filled in.
struct Unfilled {
    /// What to point at.
    needle: String,
    message: String,
    help: Option<String>,
}

// === impl Filler ===

impl<'a> Filler<'a> {
    pub(crate) fn new(
        sources: &'a Sources<'a>,
        base: &'a Path,
        inputs: Option<&'a Node>,
        report: &'a mut Report,
    ) -> Self {
        Filler { sources, base, inputs, report, filled: 0, lenient: false }
    }

    /// One that leaves what cannot be filled in as it is written.
    pub(crate) fn lenient(sources: &'a Sources<'a>, base: &'a Path, report: &'a mut Report) -> Self {
        Filler { lenient: true, ..Filler::new(sources, base, None, report) }
    }

    /// Fills all texts of a config in our words. An upstream that is disabled may lack its variables: that is often
    /// why it is disabled.
    pub(crate) fn fill_config(&mut self, root: &mut Node) {
        let Value::Map(pairs) = &mut root.value else { return };
        for (key, value) in pairs {
            match (&mut value.value, key.as_text()) {
                (Value::Map(upstreams), Some("upstreams")) => {
                    upstreams.iter_mut().for_each(|(_, upstream)| self.fill_upstream(upstream));
                }
                _ => self.fill(value),
            }
        }
    }

    fn fill_upstream(&mut self, upstream: &mut Node) {
        if let Value::Map(pairs) = &mut upstream.value
            && let Some((_, enabled)) = pairs.iter_mut().find(|(key, _)| key.as_text() == Some("enabled"))
        {
            self.fill(enabled);
            self.lenient = enabled.as_bool() == Some(false) || enabled.as_text() == Some("false");
        }
        self.fill(upstream);
        self.lenient = false;
    }

    pub(crate) fn fill(&mut self, node: &mut Node) {
        let spot = node.spot;
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Map(pairs) => pairs.iter_mut().for_each(|(_, value)| self.fill(value)),
            // A text that was filled already is a variable's value: `${` in it means nothing.
            Value::Text(text) if text.contains("${") && node.written.is_none() => {
                let filled = self.expand(text, 0);
                match filled {
                    Ok(filled) => node.written = Some(std::mem::replace(text, filled)),
                    Err(_) if self.lenient => {}
                    Err(wrong) => {
                        self.tell(spot, wrong);
                        node.value = Value::Hole;
                    }
                }
            }
            _ => {}
        }
    }

    fn tell(&mut self, spot: Spot, wrong: Unfilled) {
        self.report.fault_in_text(spot, &wrong.needle, wrong.message, wrong.help);
    }

    fn expand(&mut self, text: &str, depth: usize) -> Result<String, Unfilled> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, reference) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                filled.push_str(before);
                filled.push_str("${");
                rest = &reference[2..];
                continue;
            }
            filled.push_str(before);
            let Some(end) = closing_brace(reference) else {
                return Err(unfilled("${", "`${` without a `}`", Some("write `$${` for a literal `${`")));
            };
            let value = self.reference(&reference[2..end], depth)?;
            self.spend(value.len())?;
            filled.push_str(&value);
            rest = &reference[end + 1..];
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Unfilled> {
        self.filled += bytes;
        if self.filled > MAX_FILLED {
            let message = format!("all that is filled in comes to more than {} MiB", MAX_FILLED >> 20);
            return Err(unfilled("${", &message, None));
        }
        Ok(())
    }

    /// The value of what stands between `${` and `}`.
    fn reference(&mut self, inner: &str, depth: usize) -> Result<String, Unfilled> {
        let (name, default) = split_default(inner);
        let value = match name.split_once(':') {
            None => match self.folder(name) {
                Some(folder) => Ok(folder),
                None => self.variable(name),
            },
            Some(("env", variable)) => self.variable(variable),
            Some(("file", _)) if depth >= MAX_DEPTH => return Err(too_deep()),
            Some(("file", path)) => self.expand(path, depth + 1).and_then(|path| self.file(&path)),
            Some(("input", id)) => self.input(id),
            Some((source, _)) => Err(unknown_source(name, source)),
        };
        match (value, default) {
            (Ok(value), None) => Ok(value),
            (Ok(value), Some(_)) if !value.is_empty() => Ok(value),
            (Err(wrong), None) => Err(wrong),
            (_, Some(_)) if depth >= MAX_DEPTH => Err(too_deep()),
            (_, Some(default)) => self.expand(default, depth + 1),
        }
    }

    fn variable(&self, name: &str) -> Result<String, Unfilled> {
        if !is_variable(name) {
            let message = format!("`${{{}}}` names no variable", crate::show::brief(name));
            let help = "write `${NAME}` or `${NAME:-default}`; `$${` is a literal `${`";
            return Err(unfilled(&format!("${{{name}"), &message, Some(help)));
        }
        (self.sources.env)(name).ok_or_else(|| {
            let help = format!("set it, or give a default: `${{{name}:-…}}`");
            Unfilled { needle: needle(name), message: format!("the variable `{name}` is not set"), help: Some(help) }
        })
    }

    fn file(&self, path: &str) -> Result<String, Unfilled> {
        let file = self.sources.resolve(self.base, path);
        let wrong = |what: &str| {
            let message = format!("the file `{}` {what}", file.display());
            unfilled(&format!("${{file:{path}"), &message, None)
        };
        let bytes = (self.sources.read)(&file, MAX_FILE).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        if bytes.len() > MAX_FILE {
            return Err(wrong(&format!("is larger than {} KiB", MAX_FILE >> 10)));
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text"))?;
        let text = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text);
        Ok(text.to_owned())
    }

    /// A client would ask its user; a gateway has nobody to ask.
    fn input(&self, id: &str) -> Result<String, Unfilled> {
        let variable = input_variable(id);
        if let Some(value) = (self.sources.env)(&variable) {
            return Ok(value);
        }
        let inputs = self.inputs.map(Node::items).unwrap_or_default();
        let ids = inputs.iter().filter_map(|input| input.get("id")?.as_text());
        let Some(input) = inputs.iter().find(|input| input.get("id").and_then(Node::as_text) == Some(id)) else {
            let help = suggest::closest(id, ids).map(|near| format!("did you mean `${{input:{near}}}`?"));
            let help = help.unwrap_or_else(|| format!("add it to `inputs`, or set the variable `{variable}`"));
            return Err(unfilled(&format!("${{input:{id}"), &format!("there is no input `{id}`"), Some(&help)));
        };
        match input.get("default").and_then(Node::as_text) {
            Some(default) => Ok(default.to_owned()),
            None => {
                let message = format!("the input `{id}` has no value, and a gateway cannot ask for one");
                let help = format!("set the variable `{variable}`, or give the input a `default`");
                Err(unfilled(&format!("${{input:{id}"), &message, Some(&help)))
            }
        }
    }

    /// The names for folders that VS Code and Cursor have.
    fn folder(&self, name: &str) -> Option<String> {
        let base = self.base;
        match name {
            "workspaceFolder" | "workspaceRoot" | "cwd" => Some(base.display().to_string()),
            "workspaceFolderBasename" => Some(base.file_name()?.to_string_lossy().into_owned()),
            "userHome" => Some(self.sources.home.as_ref()?.display().to_string()),
            "pathSeparator" | "/" => Some(MAIN_SEPARATOR_STR.to_owned()),
            _ => None,
        }
    }
}

/// The variable that stands in for an input: `INPUT_` and the id in capitals, `_` for what is no letter or digit.
pub(crate) fn input_variable(id: &str) -> String {
    let word = id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    format!("INPUT_{}", word.collect::<String>())
}

pub(crate) fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The `}` that belongs to the `${` at the start.
pub(crate) fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'$' if bytes.peek().is_some_and(|(_, next)| *next == b'{') => {
                bytes.next();
                depth += 1;
            }
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// What comes before and after the first `:-` that is not within a `${…}` of its own.
pub(crate) fn split_default(inner: &str) -> (&str, Option<&str>) {
    let mut depth = 0usize;
    for (at, byte) in inner.bytes().enumerate() {
        let rest = &inner.as_bytes()[at..];
        match byte {
            b'$' if rest.starts_with(b"${") => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && rest.starts_with(b":-") => return (&inner[..at], Some(&inner[at + 2..])),
            _ => {}
        }
    }
    (inner, None)
}

fn unknown_source(name: &str, source: &str) -> Unfilled {
    let name = crate::show::brief(name);
    let help = match source {
        "command" | "config" => "only VS Code can answer this; use a variable in its place".to_owned(),
        _ => suggest::instead(source, ["env", "file", "input"].into_iter()).unwrap_or_default(),
    };
    unfilled(&format!("${{{source}:"), &format!("`${{{name}}}` is of no known kind"), Some(&help))
}

fn too_deep() -> Unfilled {
    unfilled("${", &format!("`${{…}}` nested deeper than {MAX_DEPTH}"), None)
}

fn needle(name: &str) -> String {
    format!("${{{name}")
}

fn unfilled(needle: &str, message: &str, help: Option<&str>) -> Unfilled {
    Unfilled { needle: needle.to_owned(), message: message.to_owned(), help: help.map(str::to_owned) }
}
