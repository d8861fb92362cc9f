//! Servers of clients' files taken over into a `toolgate.yaml`: what would be added to its text, and to its file of secrets.
//!
//! An entry goes the same way as when a client's file is the config (`entry`), is then written out in YAML, and is put into
//! the text of the file, which else stays byte for byte as it is. What comes out is read again and held against what was
//! meant. An entry that is at fault is refused by itself; one whose variables are not set is taken over as disabled, so that
//! a gateway that runs with this file goes on.

mod candidate;
mod insert;
mod secrets;
mod write;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::clients;
use crate::env_file;
use crate::fault::{Faults, Report};
use crate::fill::Filler;
use crate::load::{base_folder, parse, variables};
use crate::node::{Node, Value};
use crate::secret::Secret;
use crate::slug::{MAX_NAME, slug};
use crate::sources::Sources;
use crate::syntax;

use candidate::{Read, same};
use secrets::Keeper;

/// The mark that some editors of Windows begin a file with.
const BOM: char = '\u{feff}';

/// A server as a client's file has it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name there.
    pub name: &'a str,
    /// Its entry, as JSON with comments.
    pub json: &'a str,
    /// The word for the client, which is put behind a name that is taken.
    pub client: &'a str,
    /// The file that it is from.
    pub file: &'a Path,
    /// The folder of the project that it belongs to; it runs there.
    pub project: Option<&'a Path>,
    /// What the client makes of `$` in it.
    pub dollar: Dollar,
    /// The inputs that the client asks for: ids, and defaults.
    pub inputs: &'a [(String, Option<String>)],
}

/// What a client makes of `$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dollar {
    /// Nothing.
    Literal,
    /// `${VAR}` and its kin, as here.
    Braces,
    /// `$VAR` too.
    Bare,
}

/// The file to take servers over into.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its path.
    pub file: &'a Path,
    /// What it says; `None` if it is to be made.
    pub text: Option<&'a str>,
    /// Where secrets go, as it is to be named in the file, and what that file says so far.
    pub secrets: Option<(&'a Path, &'a str)>,
}

/// What became of one candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken over.
    Added {
        /// Its name here.
        name: String,
        /// The variables that have to be set before it can be enabled; if there are any, it is disabled.
        unset: Vec<String>,
    },
    /// It is there already.
    Present {
        /// Its name here.
        name: String,
        /// Whether it is enabled here.
        enabled: bool,
    },
    /// It leads to toolgate itself.
    Ourselves,
    /// It cannot be taken over, and why.
    Refused(String),
}

/// What taking over comes to. Nothing is written by it.
#[derive(Debug, Clone, Default)]
pub struct Takeover {
    /// For each candidate, in their order: what becomes of it, and what its user should know.
    pub verdicts: Vec<(Verdict, Vec<String>)>,
    /// The new text of the file; `None` if nothing is added.
    pub text: Option<String>,
    /// What is added, line by line, with secrets masked.
    pub shown: Vec<String>,
    /// The new text of the file of secrets; `None` if nothing goes there.
    pub secrets: Option<Secret>,
    /// The names of the variables that hold what was moved to it.
    pub moved: Vec<String>,
    /// How many values that look like secrets stay in the file itself.
    pub in_the_open: usize,
}

/// What is there, and what has been added so far.
struct Ledger {
    /// By slug, in lower case.
    taken: HashSet<String>,
    known: Vec<Known>,
    added: Vec<(String, Node)>,
}

/// An upstream that is there.
struct Known {
    name: String,
    enabled: bool,
    /// Filled in, and without `enabled`: a server that is switched off is there.
    entry: Node,
}

/// What taking these servers over into the file comes to.
///
/// # Errors
/// The file cannot be read as a config of ours.
pub fn take_over(candidates: &[Candidate<'_>], target: &Target<'_>, sources: &Sources<'_>) -> Result<Takeover, Faults> {
    let whole = target.text.unwrap_or_default();
    let text = whole.strip_prefix(BOM).unwrap_or(whole);
    let mark = &whole[..whole.len() - text.len()];
    let target = &Target { text: target.text.map(|_| text), ..*target };
    let mut report = Report::default();
    let (mut tree, format) = syntax::read(target.file, text, &mut report)?;
    report.finish(target.file, text, &tree)?;
    if clients::is_theirs(&tree.root) {
        let message = "is in the words of a client; servers are taken over into a file of toolgate's own";
        return Err(Faults::of_file(target.file, message, Some("name one with `--into toolgate.yaml`".to_owned())));
    }
    let base = base_folder(target.file, sources);
    let place = insert::Place::new(target, &tree, format, &base, sources)?;
    let mut unheard = Report::default();
    let mut variables = variables(&mut tree.root, &base, sources, &mut unheard);
    let kept = match target.secrets {
        Some((path, text)) => env_file::variables(text).map_err(|line| {
            let help = Some("name a file of such lines, or a new one".to_owned());
            Faults::of_file(path, format!("line {line} is not `NAME=value`"), help)
        })?,
        None => Vec::new(),
    };
    variables.extend(kept.iter().cloned());
    let env = |name: &str| (sources.env)(name).or_else(|| variables.get(name).map(|value| value.reveal().to_owned()));
    let sources = &Sources { env: &env, ..sources.clone() };
    let mut ledger = Ledger::new(tree.root.get("upstreams"), &base, sources);
    let mut keeper = Keeper::new(target.secrets.is_some(), sources, kept);
    let mut takeover = Takeover::default();
    for candidate in candidates {
        takeover.verdicts.push(ledger.judge(candidate, &base, sources));
    }
    if ledger.added.is_empty() {
        return Ok(takeover);
    }
    let plain = ledger.added.clone();
    ledger.added.iter_mut().for_each(|(name, entry)| keeper.keep(name, entry));
    let masked: Vec<(String, Node)> =
        plain.iter().zip(&ledger.added).map(|((name, _), (_, kept))| (name.clone(), secrets::masked(kept))).collect();
    takeover.text = Some(format!("{mark}{}", place.insert(&ledger.added, !keeper.moved.is_empty())?));
    takeover.shown = place.shown(&masked, !keeper.moved.is_empty());
    takeover.in_the_open = keeper.in_the_open;
    if let Some((_, text)) = target.secrets.filter(|_| !keeper.moved.is_empty()) {
        takeover.secrets = Some(Secret::new(keeper.file(text)));
    }
    check_whole(&takeover, target, sources)?;
    takeover.moved = keeper.moved.into_iter().map(|(name, _)| name).collect();
    Ok(takeover)
}

/// The file as it is to be has no fault, unless it had some already.
fn check_whole(takeover: &Takeover, target: &Target<'_>, sources: &Sources<'_>) -> Result<(), Faults> {
    let secrets = target.secrets.map(|(path, _)| sources.cwd.join(path));
    let kept = takeover.secrets.as_ref().map(Secret::reveal);
    let read = |path: &Path, limit: usize| match (&secrets, kept) {
        (Some(secrets), Some(kept)) if path == secrets => Ok(kept.as_bytes()[..kept.len().min(limit + 1)].to_owned()),
        _ => (sources.read)(path, limit),
    };
    let was_fine = parse(target.text.unwrap_or_default(), target.file, sources).is_ok();
    let new = Sources { read: &read, ..sources.clone() };
    match parse(takeover.text.as_deref().unwrap_or_default(), target.file, &new) {
        Err(faults) if was_fine => Err(faults),
        _ => Ok(()),
    }
}

/// Which variables a file of them sets; what cannot be read of it is left out.
pub(crate) type Variables = HashMap<String, Secret>;

// === impl Ledger ===

impl Ledger {
    fn new(upstreams: Option<&Node>, base: &Path, sources: &Sources<'_>) -> Self {
        let there = upstreams.map(Node::pairs).unwrap_or_default();
        let name = |key: &Node| key.as_text().unwrap_or_default().to_owned();
        let known = there.iter().map(|(key, entry)| Known::new(name(key), entry, base, sources));
        let taken = there.iter().map(|(key, _)| slug(&name(key)).to_ascii_lowercase());
        Self { taken: taken.collect(), known: known.collect(), added: Vec::new() }
    }

    fn judge(&mut self, candidate: &Candidate<'_>, base: &Path, sources: &Sources<'_>) -> (Verdict, Vec<String>) {
        let (mut entry, notes) = match candidate::read(candidate, base, sources) {
            Ok(Read::Entry { entry, notes }) => (entry, notes),
            Ok(Read::Ourselves) => return (Verdict::Ourselves, Vec::new()),
            Err(why) => return (Verdict::Refused(why), Vec::new()),
        };
        let mut meant = Known::new(String::new(), &entry, base, sources);
        if let Some(known) = self.known.iter().find(|known| same(&known.entry, &meant.entry)) {
            return (Verdict::Present { name: known.name.clone(), enabled: known.enabled }, notes);
        }
        let unset = candidate::unset(&entry, sources);
        if !unset.is_empty() {
            candidate::disable(&mut entry);
        }
        let Some(name) = self.name(candidate) else {
            let why = format!("an upstream's name has 1 to {MAX_NAME} characters; rename it in {}", candidate.client);
            return (Verdict::Refused(why), notes);
        };
        if let Err(why) = candidate::check(&name, &entry, base, sources) {
            return (Verdict::Refused(why), notes);
        }
        self.taken.insert(slug(&name).to_ascii_lowercase());
        meant.name.clone_from(&name);
        meant.enabled = unset.is_empty() && meant.enabled;
        self.known.push(meant);
        self.added.push((name.clone(), entry));
        (Verdict::Added { name, unset }, notes)
    }

    /// A name that is free: its own, with the client's behind it, with a number behind that.
    fn name(&self, candidate: &Candidate<'_>) -> Option<String> {
        let own = candidate.name.trim();
        let others = (2..100).map(|count| format!("{own}-{}-{count}", candidate.client));
        let mut names = [own.to_owned(), format!("{own}-{}", candidate.client)].into_iter().chain(others);
        let name = names.find(|name| !self.taken.contains(&slug(name).to_ascii_lowercase()))?;
        (!own.is_empty() && name.chars().count() <= MAX_NAME).then_some(name)
    }
}

// === impl Known ===

impl Known {
    fn new(name: String, entry: &Node, base: &Path, sources: &Sources<'_>) -> Self {
        let mut entry = entry.clone();
        Filler::lenient(sources, base, &mut Report::default()).fill(&mut entry);
        let off = |node: &Node| node.as_bool() == Some(false) || node.as_text() == Some("false");
        let enabled = !entry.get("enabled").is_some_and(off);
        if let Value::Map(pairs) = &mut entry.value {
            pairs.retain(|(key, _)| key.as_text() != Some("enabled"));
        }
        Self { name, enabled, entry }
    }
}

/// A map of the pairs.
fn map(like: &Node, pairs: Vec<(Node, Node)>) -> Node {
    like.like(Value::Map(pairs))
}
