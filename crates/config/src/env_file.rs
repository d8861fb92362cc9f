//! Files of `NAME=value` lines, as `docker --env-file`, VS Code and Cursor read them.

use crate::fault::Report;
use crate::resolve::Context;
use crate::secret::Secret;
use crate::written::Text;

/// The largest such file.
const MAX_BYTES: usize = 64 << 10;

/// The variables of a file; what is wrong with it is a fault of the key that names it.
pub(crate) fn read(file: &Text, context: &Context<'_>, report: &mut Report) -> Vec<(String, Secret)> {
    let path = context.sources.resolve(context.base, &file.value);
    let shown = path.display();
    let bytes = match (context.sources.read)(&path, MAX_BYTES) {
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
