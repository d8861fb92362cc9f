//! Text to tree: decides by content whether it is JSON or YAML, and bounds what is read.

use std::borrow::Cow;
use std::path::Path;

use crate::fault::{Faults, Report};
use crate::node::{Place, Tree};
use crate::places::is_url;
use crate::{json, yaml};

/// The largest config file; a thousand upstreams with generous environments fit in half of it.
pub const MAX_BYTES: usize = 1 << 20;

/// A place, what is wrong there, and perhaps what to do.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) place: Place,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Bytes to the text they hold, or the fault that they are not text.
pub(crate) fn decode<'a>(file: &Path, bytes: &'a [u8]) -> Result<Cow<'a, str>, Faults> {
    if bytes.len() > MAX_BYTES {
        let message = format!("larger than {} MiB", MAX_BYTES >> 20);
        return Err(Faults::of_file(file, message, Some("is this the config file?".to_owned())));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(with_line_feeds(text.strip_prefix('\u{feff}').unwrap_or(text))),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            Err(Faults::of_file(file, format!("not UTF-8 text (line {line})"), Some("save it as UTF-8".to_owned())))
        }
    }
}

/// YAML, editors and `str::lines` count the lines of old line endings differently; with `\n` alone they agree.
fn with_line_feeds(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    }
}

/// The tree of a file, and whether it was JSON.
pub(crate) fn read(file: &Path, text: &str, report: &mut Report) -> Result<(Tree, Format), Faults> {
    read_as(file, named(file), text, report)
}

/// The tree of a text that is said to be in a format.
pub(crate) fn read_as(file: &Path, named: Format, text: &str, report: &mut Report) -> Result<(Tree, Format), Faults> {
    let faults = |error: SyntaxError| Faults::of_syntax(file, text, error.place, error.message, error.help);
    if !looks_like_json(text) {
        return yaml::read(text, report).map(|tree| (tree, Format::Yaml)).map_err(faults);
    }
    let error = match json::read(text, report) {
        Ok(tree) => return Ok((tree, Format::Json)),
        Err(error) => error,
    };
    // `{listen: …}` without quotes is YAML; it is taken as such only where the name says so.
    if named == Format::Yaml {
        *report = Report::default();
        return yaml::read(text, report).map(|tree| (tree, Format::Yaml)).map_err(faults);
    }
    Err(faults(error))
}

/// What the name of a file says of its syntax. A URL whose path says nothing is taken to be one of YAML, of which JSON is a part.
pub(crate) fn named(file: &Path) -> Format {
    let is_yaml = match file.to_str().filter(|_| is_url(file)) {
        Some(url) => {
            let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            !path.ends_with(".json") && !path.ends_with(".jsonc")
        }
        None => file.extension().is_some_and(|ext| ext == "yaml" || ext == "yml"),
    };
    if is_yaml { Format::Yaml } else { Format::Json }
}

/// Which syntax a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, with comments.
    Json,
    /// YAML.
    Yaml,
}

fn looks_like_json(text: &str) -> bool {
    let start = text.trim_start();
    start.starts_with('{') || start.starts_with("//") || start.starts_with("/*")
}
