//! The whole way of a config file, from its path to settings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::amendment::{self, Amendment, Item, Written};
use crate::clients;
use crate::effective::{InForce, in_force};
use crate::env_file;
use crate::fault::{Faults, Report, SET_OVER_API};
use crate::file::{File, schema};
use crate::fill::Filler;
use crate::node::{Node, Spot, Value};
use crate::places::is_url;
use crate::resolve::{Context, resolve};
use crate::secret::Secret;
use crate::settings::Settings;
use crate::shape::fit;
use crate::sources::Sources;
use crate::syntax::{self, Format};

/// Every key with its default and a comment: the documentation of the config file.
pub const DEFAULT_FILE: &str = include_str!("default.yaml");

/// What runs when there is no config file: the servers that are compiled in.
pub const EMBEDDED_FILE: &str = include_str!("embedded.yaml");

/// Folders in which clients keep their files; relative paths in them begin at the folder around.
const CLIENT_FOLDERS: [&str; 8] = [".vscode", ".cursor", ".gemini", ".claude", ".windsurf", ".zed", ".roo", ".kiro"];

/// A config file as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigText {
    /// Where it is from, for faults and for relative paths.
    pub origin: PathBuf,
    /// The text.
    pub text: String,
    /// What it is said to be by whoever gave it; else its name says it.
    pub format: Option<Format>,
}

/// What a config says, with what is set beside it.
#[derive(Debug, Clone)]
pub struct Composed {
    /// What it all means.
    pub settings: Settings,
    /// Every value that it is made of.
    pub values: Vec<InForce>,
    /// What the file alone says of upstreams, namespaces and tools.
    pub written: Vec<Written>,
    /// Amendments that are not in force, each with the reason: they have nothing to lie on, or the file cannot be held together
    /// with them and goes before them.
    pub left_out: Vec<(Item, Faults)>,
}

/// One reading of a config.
struct Read {
    settings: Settings,
    values: Vec<InForce>,
    written: Vec<Written>,
    /// Amendments that have nothing to lie on, each with the reason.
    idle: Vec<(Item, String)>,
}

/// The settings of the file at `path`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, sources: &Sources<'_>) -> Result<Settings, Faults> {
    let text = ConfigText::of_file(path, sources)?;
    read(&text, &[], sources).map(|read| read.settings)
}

/// The settings of a text; `origin` is the file that it is from, for faults and for relative paths.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, origin: &Path, sources: &Sources<'_>) -> Result<Settings, Faults> {
    let text = ConfigText { origin: origin.to_owned(), text: text.to_owned(), format: None };
    read(&text, &[], sources).map(|read| read.settings)
}

// === impl ConfigText ===

/// The compiled-in one.
impl Default for ConfigText {
    fn default() -> Self {
        Self::embedded()
    }
}

impl ConfigText {
    /// The text of the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is no text.
    pub fn of_file(path: &Path, sources: &Sources<'_>) -> Result<Self, Faults> {
        let bytes = (sources.read)(&sources.cwd.join(path), syntax::MAX_BYTES)
            .map_err(|error| Faults::of_file(path, format!("cannot be read: {error}"), None))?;
        Ok(Self { origin: path.to_owned(), text: syntax::decode(path, &bytes)?.into_owned(), format: None })
    }

    /// What runs when there is no config file.
    pub fn embedded() -> Self {
        Self { origin: PathBuf::from("embedded.yaml"), text: EMBEDDED_FILE.to_owned(), format: None }
    }

    /// What it says, with amendments laid over it. What is said depends on the text and the amendments alone, and not on what
    /// was in force before: amendments that do not fit are left out one by one, in the order of their items.
    ///
    /// # Errors
    /// Everything that is wrong with the text by itself.
    pub fn compose(&self, amendments: &[Amendment], sources: &Sources<'_>) -> Result<Composed, Faults> {
        let alone = read(self, &[], sources)?;
        let mut ordered = amendments.to_vec();
        ordered.sort_by(|one, other| one.item.cmp(&other.item));
        let written = alone.written.clone();
        let mut fitting = Fitting { text: self, sources, taken: Vec::new(), said: alone, left_out: Vec::new() };
        fitting.take(&ordered);
        let Fitting { said: Read { settings, values, idle, .. }, mut left_out, .. } = fitting;
        left_out
            .extend(idle.into_iter().map(|(item, why)| (item, Faults::of_file(Path::new(SET_OVER_API), why, None))));
        Ok(Composed { settings, values, written, left_out })
    }
}

/// Finds out which amendments a text can be held together with.
struct Fitting<'a> {
    text: &'a ConfigText,
    sources: &'a Sources<'a>,
    taken: Vec<Amendment>,
    /// What text and those taken say.
    said: Read,
    left_out: Vec<(Item, Faults)>,
}

impl Fitting<'_> {
    /// Takes what fits. Mostly that is all at once; else each half by itself, so that a few that do not fit cost little.
    fn take(&mut self, amendments: &[Amendment]) {
        if amendments.is_empty() {
            return;
        }
        let before = self.taken.len();
        self.taken.extend_from_slice(amendments);
        match (read(self.text, &self.taken, self.sources), amendments) {
            (Ok(said), _) => self.said = said,
            (Err(faults), [one]) => {
                self.taken.truncate(before);
                self.left_out.push((one.item.clone(), faults));
            }
            (Err(_), _) => {
                self.taken.truncate(before);
                let (first, second) = amendments.split_at(amendments.len() / 2);
                self.take(first);
                self.take(second);
            }
        }
    }
}

fn read(config: &ConfigText, amendments: &[Amendment], sources: &Sources<'_>) -> Result<Read, Faults> {
    let (origin, text) = (&*config.origin, &*syntax::decode(&config.origin, config.text.as_bytes())?);
    let mut report = Report::default();
    let named = config.format.unwrap_or_else(|| syntax::named(origin));
    let (mut tree, format) = syntax::read_as(origin, named, text, &mut report)?;
    let schema = schema();
    let mut ours = clients::translate(&tree.root, format, &schema, &mut report);
    let written = amendment::written(&ours.root, &tree);
    let idle = amendment::lay_over(&mut ours.root, &mut tree, amendments, &mut report);
    let base = base_folder(origin, sources);
    let variables = variables(&mut ours.root, &base, sources, &mut report);
    let env = |name: &str| (sources.env)(name).or_else(|| variables.get(name).map(|value| value.reveal().to_owned()));
    let sources = &Sources { env: &env, ..sources.clone() };
    Filler::new(sources, &base, ours.inputs.as_ref(), &mut report).fill_config(&mut ours.root);
    let lost = fit(&mut ours.root, &schema, &mut report);
    let mut values = Vec::new();
    let settings = match File::deserialize(&ours.root) {
        Ok(file) => {
            if report.is_clean() {
                values = in_force(&file, &ours.root, &tree);
            }
            let context = Context {
                sources,
                file: origin,
                base: &base,
                tree: &tree,
                root: &ours.root,
                lost: &lost,
                theirs: ours.theirs,
            };
            Some(resolve(file, &context, &mut report))
        }
        Err(error) => {
            if report.is_clean() {
                report.fault(Spot::default(), format!("cannot be read as a config: {error}"));
            }
            None
        }
    };
    let notes = report.finish(origin, text, &tree)?;
    settings
        .map(|settings| Read { settings: Settings { notes, ..settings }, values, written, idle })
        .ok_or_else(|| Faults::of_file(origin, "cannot be read as a config", None))
}

/// The variables of the file that a config names as its own `env_file`.
pub(crate) fn variables(
    root: &mut Node,
    base: &Path,
    sources: &Sources<'_>,
    report: &mut Report,
) -> HashMap<String, Secret> {
    let Value::Map(pairs) = &mut root.value else { return HashMap::new() };
    let Some((_, file)) = pairs.iter_mut().find(|(key, _)| key.as_text() == Some("env_file")) else {
        return HashMap::new();
    };
    Filler::new(sources, base, None, report).fill(file);
    let Some(text) = file.as_text() else { return HashMap::new() };
    let named = env_file::Named { file: text, spot: file.spot, base };
    env_file::read(named, sources, report).into_iter().collect()
}

/// The folder that relative paths of a config file begin at.
pub(crate) fn base_folder(origin: &Path, sources: &Sources<'_>) -> PathBuf {
    // The folder of a URL is on another machine.
    if is_url(origin) {
        return sources.cwd.clone();
    }
    let file = sources.cwd.join(origin);
    let folder = file.parent().unwrap_or(&sources.cwd);
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let around = folder.parent().filter(|_| CLIENT_FOLDERS.contains(&name));
    around.unwrap_or(folder).to_owned()
}

// === impl Settings ===

impl Settings {
    /// The settings when there is no config file: the compiled-in upstreams time, memory and everything.
    pub fn embedded() -> Self {
        let nothing = |_: &str| None;
        let no_file = |_: &Path, _: usize| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let sources = Sources { env: &nothing, read: &no_file, cwd: PathBuf::from("/"), home: None };
        let read = read(&ConfigText::embedded(), &[], &sources);
        read.expect("the embedded file is tested to have no fault").settings
    }
}
