//! What a document offers: its operations as tools, and what is left out, with the reason.

use std::collections::HashSet;

use crate::document::{Document, brief};
use crate::inline::Closed;
use crate::names::Names;
use crate::operation::{Operation, Place, read};
use crate::schema::Schemas;
use crate::tree::Node;

/// What is made into tools; `options` and `trace` are HTTP's own business.
const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];
/// The longest text that the model is told about the whole API.
const MAX_INSTRUCTIONS: usize = 2_000;

/// An HTTP API as its document describes it.
#[derive(Debug)]
pub struct Api {
    /// What it is called.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What it says of itself, not longer than fits into a prompt.
    pub description: Option<String>,
    /// Its operations, in the order of the document.
    pub operations: Vec<Operation>,
    /// What is left out though it was wanted.
    pub skipped: Vec<Skipped>,
    /// What is faulty in what is offered, in words.
    pub faults: Vec<String>,
}

/// How a document is read.
pub struct Options<'a> {
    /// Where requests go, instead of where the document says: absolute, perhaps with a query that every request gets.
    pub base_url: Option<&'a str>,
    /// Where the document is from, if that is a URL: relative servers begin there, and others are not believed.
    pub document_url: Option<&'a str>,
    /// Headers that are sent with every request, in lower case: they are no arguments.
    pub headers: &'a [String],
    /// Which operations are wanted.
    pub permits: &'a dyn Fn(&Facts<'_>) -> bool,
}

/// What an operation can be chosen by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The name of its tool.
    pub name: &'a str,
    /// Its `operationId`, if it has one.
    pub id: Option<&'a str>,
    /// Its tags.
    pub tags: &'a [&'a str],
    /// The verb in capitals.
    pub method: &'a str,
    /// The path as the document has it.
    pub path: &'a str,
}

/// An operation that is no tool, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The verb and the path.
    pub operation: String,
    /// Why.
    pub reason: String,
}

// === impl Api ===

impl Api {
    /// Reads the operations of a document.
    ///
    /// # Errors
    /// Why none of it can be called.
    pub fn read(document: &Document, options: &Options<'_>) -> Result<Self, String> {
        let root = document.root();
        let info = root.get("info").unwrap_or(&Node::Null);
        let place = Place::of(root, options)?;
        let mut reading = Reading {
            document,
            schemas: Schemas::new(document),
            closed: Closed::default(),
            names: Names::default(),
            fixed: fixed(options, &place),
            place,
            operations: Vec::new(),
            skipped: Vec::new(),
            faults: Vec::new(),
        };
        for (path, item) in root.get("paths").into_iter().flat_map(Node::pairs) {
            reading.path(path, item, options);
        }
        let mut faults = reading.faults;
        faults.extend(reading.schemas.faults);
        Ok(Self {
            title: info.text_of("title").map_or_else(|| "HTTP API".to_owned(), |title| brief(title, 100)),
            version: match info.get("version") {
                Some(Node::Text(version)) => brief(version, 60),
                Some(Node::Number(version)) => version.to_string(),
                _ => "0".to_owned(),
            },
            description: info.text_of("description").map(|text| cut_text(text.trim(), MAX_INSTRUCTIONS)),
            operations: reading.operations,
            skipped: reading.skipped,
            faults,
        })
    }
}

/// A document that is being read.
struct Reading<'d> {
    document: &'d Document,
    schemas: Schemas<'d>,
    closed: Closed,
    names: Names,
    fixed: HashSet<String>,
    place: Place,
    operations: Vec<Operation>,
    skipped: Vec<Skipped>,
    faults: Vec<String>,
}

impl<'d> Reading<'d> {
    fn path(&mut self, path: &'d str, item: &'d Node, options: &Options<'_>) {
        if path.starts_with("x-") {
            return;
        }
        let item = match self.document.resolve(item) {
            Ok(item) => item,
            Err(reason) => return self.skipped.push(Skipped { operation: brief(path, 200), reason }),
        };
        for (word, operation) in item.pairs() {
            let word = word.to_ascii_lowercase();
            if METHODS.contains(&&*word) {
                self.operation(&word.to_ascii_uppercase(), path, item, operation, options);
            }
        }
    }

    fn operation(&mut self, method: &str, path: &'d str, item: &'d Node, operation: &'d Node, options: &Options<'_>) {
        let id = operation.text_of("operationId").filter(|id| !id.trim().is_empty());
        // Every operation takes its name, wanted or not, so that no name depends on the filter.
        let name = self.names.unique(&id.map_or_else(|| format!("{method} {path}"), str::to_owned));
        let tags: Vec<&str> =
            operation.get("tags").into_iter().flat_map(Node::items).filter_map(Node::as_text).collect();
        if !(options.permits)(&Facts { name: &name, id, tags: &tags, method, path }) {
            return;
        }
        let place = self.place.for_operation(item, operation);
        let read = place.and_then(|place| {
            let wire = crate::operation::Wire { method, path, item, operation, name: &name };
            read(self.document, &mut self.schemas, &mut self.closed, &self.fixed, &place, &wire)
        });
        match read {
            Ok((operation, faults)) => {
                let of = |fault: String| format!("`{}`: {fault}", operation.name);
                let room = 50usize.saturating_sub(self.faults.len());
                self.faults.extend(faults.into_iter().map(of).take(room));
                self.operations.push(operation);
            }
            Err(reason) => self.skipped.push(Skipped { operation: brief(&format!("{method} {path}"), 200), reason }),
        }
    }
}

/// What the gateway sends itself: headers by their names, queries with a `?` before them.
fn fixed(options: &Options<'_>, place: &Place) -> HashSet<String> {
    let query = place.query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty());
    let query = query.map(|name| format!("?{}", percent_encoding::percent_decode_str(name).decode_utf8_lossy()));
    options.headers.iter().cloned().chain(query).collect()
}

/// The beginning of a text; the cut is seen.
pub(crate) fn cut_text(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
    }
}
