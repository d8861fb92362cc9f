//! Files of `NAME=value` lines, as `docker --env-file`, VS Code and Cursor read them.

use std::path::Path;

use crate::fault::Report;
use crate::node::Spot;
use crate::secret::Secret;
use crate::sources::Sources;

/// The largest such file.
pub(crate) const MAX_BYTES: usize = 64 << 10;

/// A file as a config names it.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) file: &'a str,
    /// Where it is named.
    pub(crate) spot: Spot,
    /// The folder that relative paths begin at.
    pub(crate) base: &'a Path,
}

/// The variables of a file; what is wrong with it is a fault of the key that names it.
pub(crate) fn read(file: Named<'_>, sources: &Sources<'_>, report: &mut Report) -> Vec<(String, Secret)> {
    let path = sources.resolve(file.base, file.file);
    let shown = path.display();
    let bytes = match (sources.read)(&path, MAX_BYTES) {
        Ok(bytes) if bytes.len() <= MAX_BYTES => bytes,
        Ok(_) => {
            report.fault(file.spot, format!("the file `{shown}` is larger than {} KiB", MAX_BYTES >> 10));
            return Vec::new();
        }
        Err(error) => {
            report.fault(file.spot, format!("the file `{shown}` cannot be read: {error}"));
            return Vec::new();
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        report.fault(file.spot, format!("the file `{shown}` is not UTF-8 text"));
        return Vec::new();
    };
    let mut variables: Vec<(String, Secret)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match variable(line) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                variables.retain(|(other, _)| *other != name);
                variables.push((name, Secret::new(value)));
            }
            Err(()) => {
                report.fault(file.spot, format!("line {} of `{shown}` is not `NAME=value`", index + 1));
            }
        }
    }
    variables
}

/// The variables that a text sets, or the number of the first line that sets none.
pub(crate) fn variables(text: &str) -> Result<Vec<(String, Secret)>, usize> {
    let lines = text.lines().enumerate().map(|(index, line)| variable(line).map_err(|()| index + 1));
    let set = lines.filter_map(Result::transpose);
    set.map(|set| set.map(|(name, value)| (name, Secret::new(value)))).collect()
}

/// The variable of a line, if it is not empty or a comment.
fn variable(line: &str) -> Result<Option<(String, String)>, ()> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or(())?;
    let (name, value) = (name.trim(), value.trim());
    let legal = !name.is_empty() && !name.contains(char::is_whitespace) && !line.contains('\0');
    legal.then(|| Some((name.to_owned(), unquote(value)))).ok_or(())
}

fn unquote(value: &str) -> String {
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match (quoted('"'), quoted('\'')) {
        (Some(inner), _) => inner.replace("\\n", "\n").replace("\\\"", "\""),
        (None, Some(inner)) => inner.to_owned(),
        (None, None) => value.split(" #").next().unwrap_or_default().trim_end().to_owned(),
    }
}

/// The line that sets a variable to this value; `None` where no line can.
pub(crate) fn line(name: &str, value: &str) -> Option<String> {
    let line = match value.contains('\n') {
        false => format!("{name}='{value}'"),
        true => format!("{name}=\"{}\"", value.replace('"', "\\\"").replace('\n', "\\n")),
    };
    let read = variable(&line).ok()??;
    (read == (name.to_owned(), value.to_owned()) && !line.contains('\n')).then_some(line)
}
