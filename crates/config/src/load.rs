//! The whole way of a config file, from its path to settings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clients;
use crate::effective::{InForce, in_force};
use crate::env_file;
use crate::fault::{Faults, Report};
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

/// The settings of the file at `path`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, sources: &Sources<'_>) -> Result<Settings, Faults> {
    load_in_full(path, sources).map(|(settings, _)| settings)
}

/// The settings of the file at `path`, and every value that they are made of.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_in_full(path: &Path, sources: &Sources<'_>) -> Result<(Settings, Vec<InForce>), Faults> {
    let bytes = (sources.read)(&sources.cwd.join(path), syntax::MAX_BYTES)
        .map_err(|error| Faults::of_file(path, format!("cannot be read: {error}"), None))?;
    let text = syntax::decode(path, &bytes)?;
    read(&text, path, sources)
}

/// The settings of a text; `origin` is the file that it is from, for faults and for relative paths.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, origin: &Path, sources: &Sources<'_>) -> Result<Settings, Faults> {
    read(text, origin, sources).map(|(settings, _)| settings)
}

/// The settings of a text that was fetched, and every value that they are made of; `origin` is its URL as it may be shown,
/// `named` what its server calls it, where that says anything. Its relative paths begin at the working folder.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_fetched(
    bytes: &[u8],
    origin: &Path,
    named: Option<Format>,
    sources: &Sources<'_>,
) -> Result<(Settings, Vec<InForce>), Faults> {
    let text = syntax::decode(origin, bytes)?;
    read_as(&text, origin, named.unwrap_or_else(|| syntax::named(origin)), sources)
}

fn read(text: &str, origin: &Path, sources: &Sources<'_>) -> Result<(Settings, Vec<InForce>), Faults> {
    let text = &*syntax::decode(origin, text.as_bytes())?;
    read_as(text, origin, syntax::named(origin), sources)
}

fn read_as(
    text: &str,
    origin: &Path,
    named: Format,
    sources: &Sources<'_>,
) -> Result<(Settings, Vec<InForce>), Faults> {
    let mut report = Report::default();
    let (tree, format) = syntax::read_as(origin, named, text, &mut report)?;
    let schema = schema();
    let mut ours = clients::translate(&tree.root, format, &schema, &mut report);
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
        .map(|settings| (Settings { notes, ..settings }, values))
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
        embedded_in_full().0
    }
}

/// The settings when there is no config file, and every value that they are made of.
pub fn embedded_in_full() -> (Settings, Vec<InForce>) {
    let nothing = |_: &str| None;
    let no_file = |_: &Path, _: usize| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let sources = Sources { env: &nothing, read: &no_file, cwd: PathBuf::from("/"), home: None };
    read(EMBEDDED_FILE, Path::new("embedded.yaml"), &sources).expect("the embedded file is tested to have no fault")
}
