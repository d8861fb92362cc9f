//! What is wrong with a config file: every fault at once, each with its place and a way out.
//!
//! A fault is collected as a message about a node (`Report`) and gets its line, column and path of keys at the end
//! (`Faults`), from the tree as it was written; so no step in between has to carry positions about.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::node::{Place, Spot, Tree};
use crate::show;

/// One fault in a config file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Where in the file; `None` when the file could not be read at all.
    pub place: Option<Place>,
    /// The keys that lead to the value, such as `upstreams.memory.comand`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The line of the file, with secrets masked, for the pretty form.
    pub line: Option<String>,
}

/// All faults of one config file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// Faults and notes as they are found, before they know their line.
#[derive(Debug, Default)]
pub(crate) struct Report {
    faults: Vec<Found>,
    notes: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    spot: Spot,
    /// The part of a text that the fault is about.
    needle: Option<String>,
    message: String,
    help: Option<String>,
}

/// What stands in the place of a file's name where something was set over the control API.
pub(crate) const SET_OVER_API: &str = "set over the control API";

/// More than this are counted, not kept: a file of a million commas is one mistake.
const MAX_FAULTS: usize = 200;

// === impl Report ===

impl Report {
    pub(crate) fn fault(&mut self, spot: Spot, message: impl Into<String>) {
        self.push(spot, None, message.into(), None);
    }

    pub(crate) fn fault_with_help(&mut self, spot: Spot, message: impl Into<String>, help: impl Into<String>) {
        self.push(spot, None, message.into(), Some(help.into()));
    }

    /// A fault about a part of a text: `needle` is what to point at on the line.
    pub(crate) fn fault_in_text(&mut self, spot: Spot, needle: &str, message: String, help: Option<String>) {
        self.push(spot, Some(needle.to_owned()), message, help);
    }

    /// Something that the operator may want to know, and that stops nothing.
    pub(crate) fn note(&mut self, spot: Spot, message: impl Into<String>) {
        if self.notes.len() < MAX_FAULTS {
            self.notes.push(Found { spot, needle: None, message: show::text(&message.into()), help: None });
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// The faults and the notes as words, for a text that has no places its reader would know.
    pub(crate) fn words(self) -> (Vec<String>, Vec<String>) {
        let words = |found: Found| match found.help {
            Some(help) => format!("{}; {}", show::text(&found.message), show::text(&help)),
            None => show::text(&found.message),
        };
        (self.faults.into_iter().map(words).collect(), self.notes.into_iter().map(words).collect())
    }

    fn push(&mut self, spot: Spot, needle: Option<String>, message: String, help: Option<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Found { spot, needle, message, help });
        }
    }

    /// The notes as lines, or all faults with their places.
    pub(crate) fn finish(self, file: &Path, text: &str, tree: &Tree) -> Result<Vec<String>, Faults> {
        let lines: Vec<&str> = text.lines().collect();
        let secrets = show::secrets_of(&tree.root);
        let place = |found: Found| {
            if tree.is_grafted(found.spot) {
                return Fault {
                    file: PathBuf::from(SET_OVER_API),
                    place: None,
                    path: tree.path(found.spot),
                    message: show::text(&found.message),
                    help: found.help.map(|help| show::text(&help)),
                    line: None,
                };
            }
            let mut place = tree.place(found.spot);
            let line = lines.get(place.line as usize - 1).copied();
            if let (Some(needle), Some(line)) = (&found.needle, line) {
                place.column = column_of(line, place.column, needle);
            }
            Fault {
                file: file.to_owned(),
                place: Some(place),
                path: tree.path(found.spot),
                message: show::text(&found.message),
                help: found.help.map(|help| show::text(&help)),
                line: line.and_then(|line| show::line(line, &secrets)),
            }
        };
        if self.faults.is_empty() {
            return Ok(self.notes.into_iter().map(|note| place(note).to_string()).collect());
        }
        let mut faults: Vec<Fault> = self.faults.into_iter().map(place).collect();
        faults.sort_by_key(|fault| fault.place);
        faults.dedup();
        Err(Faults(faults))
    }
}

/// The column of `needle` on the line, at or after the column where its value begins; else that column.
fn column_of(line: &str, from: u32, needle: &str) -> u32 {
    let skip = from.saturating_sub(1) as usize;
    let Some((start, _)) = line.char_indices().nth(skip) else { return from };
    match line[start..].find(needle) {
        Some(at) => from + u32::try_from(line[start..start + at].chars().count()).unwrap_or(0),
        None => from,
    }
}

// === impl Faults ===

impl Faults {
    /// A fault of the whole file: it cannot be read, is too large, is not text.
    pub(crate) fn of_file(file: &Path, message: impl Into<String>, help: Option<String>) -> Self {
        let fault = Fault {
            file: file.to_owned(),
            place: None,
            path: String::new(),
            message: show::text(&message.into()),
            help,
            line: None,
        };
        Faults(vec![fault])
    }

    /// A fault of syntax: there is no tree, only a place.
    pub(crate) fn of_syntax(file: &Path, text: &str, place: Place, message: String, help: Option<String>) -> Self {
        let line = text.lines().nth(place.line as usize - 1).and_then(|line| show::line(line, &[]));
        let message = show::text(&message);
        Faults(vec![Fault { file: file.to_owned(), place: Some(place), path: String::new(), message, help, line }])
    }

    /// The faults, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All faults, each with the line of the file and a caret below.
    pub fn pretty(&self) -> String {
        let shown: Vec<String> = self.0.iter().map(Fault::pretty).collect();
        shown.join("\n")
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

// === impl Fault ===

impl Fault {
    /// The fault, the line it is on, and a caret below: for a terminal, without colour.
    pub fn pretty(&self) -> String {
        let mut text = format!("{self}\n");
        if let (Some(place), Some(line)) = (self.place, &self.line) {
            let (line, column) = window(line, place.column as usize);
            let number = place.line.to_string();
            let margin = " ".repeat(number.len());
            text.push_str(&format!("{number} | {line}\n{margin} | {}^\n", " ".repeat(column)));
        }
        text
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(place) = self.place {
            write!(f, "{}:{}:", place.line, place.column)?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// At most 100 characters of a line around a column, with nothing a terminal would act upon, and the caret's offset.
fn window(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 100;
    let at = column.saturating_sub(1);
    let start = if at > WIDTH * 3 / 4 { at - WIDTH / 2 } else { 0 };
    let visible: String = line.chars().skip(start).take(WIDTH).map(show::harmless).collect();
    (visible.trim_end().to_owned(), at - start)
}
