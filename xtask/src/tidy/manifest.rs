//! A crate's `Cargo.toml`: who it is, what it inherits, what it uses, each with its line.

use toml::de::{DeTable, DeValue};

use super::line_at;
use super::repository::{File, Repository};

/// What a manifest says, as far as a law asks.
pub(super) struct Manifest<'a> {
    pub(super) path: &'a str,
    /// The folder that the crate lies in.
    pub(super) folder: &'a str,
    pub(super) name: String,
    pub(super) name_line: usize,
    /// The keys of `[package]` and `[lints]` that are taken from the workspace; the latter as `lints`.
    pub(super) inherited: Vec<String>,
    pub(super) dependencies: Vec<Dependency>,
}

/// One entry of a table of dependencies.
pub(super) struct Dependency {
    /// The package's name, whatever the crate calls it.
    pub(super) package: String,
    pub(super) line: usize,
    /// Whether only tests, examples and benchmarks see it.
    pub(super) dev: bool,
}

type Table<'a> = DeTable<'a>;

// === impl Manifest ===

impl<'a> Manifest<'a> {
    /// All manifests of the workspace's members. Of one that is no TOML, cargo itself has more to say than we.
    pub(super) fn all(repository: &'a Repository) -> Vec<Self> {
        let root = repository.file("Cargo.toml").and_then(|file| Table::parse(&file.text).ok());
        let shared = root.as_ref().and_then(|root| child(child(root.get_ref(), "workspace")?, "dependencies"));
        repository.files().iter().filter_map(|file| Self::read(file, shared)).collect()
    }

    fn read(file: &'a File, shared: Option<&Table<'_>>) -> Option<Self> {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        let folder = if folder == "xtask" {
            folder
        } else {
            folder.strip_prefix("crates/").filter(|rest| !rest.contains('/'))?
        };
        let table = Table::parse(&file.text).ok()?;
        let table = table.get_ref();
        let package = child(table, "package")?;
        let name = package.get("name")?;
        let is_inherited = |value: &DeValue<'_>| child_of(value, "workspace").and_then(DeValue::as_bool) == Some(true);
        let mut inherited: Vec<String> = package
            .iter()
            .filter(|(_, value)| is_inherited(value.get_ref()))
            .map(|(key, _)| key.get_ref().to_string())
            .collect();
        inherited.extend(table.get("lints").filter(|lints| is_inherited(lints.get_ref())).map(|_| "lints".to_owned()));
        Some(Self {
            path: &file.path,
            folder,
            name: name.get_ref().as_str()?.to_owned(),
            name_line: line_at(&file.text, name.span().start),
            inherited,
            dependencies: dependencies(table, &file.text, shared),
        })
    }
}

/// The dependencies of every kind, for every platform.
fn dependencies(table: &Table<'_>, text: &str, shared: Option<&Table<'_>>) -> Vec<Dependency> {
    let platforms = child(table, "target").into_iter().flat_map(|target| target.values());
    let tables = platforms.filter_map(|platform| platform.get_ref().as_table()).chain([table]);
    let mut found = Vec::new();
    for table in tables {
        for (kind, dev) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)] {
            for (key, value) in child(table, kind).into_iter().flatten() {
                let name = key.get_ref().as_ref();
                let inherited = || child_of(shared?.get(name)?.get_ref(), "package");
                let package = child_of(value.get_ref(), "package").or_else(inherited).and_then(DeValue::as_str);
                let line = line_at(text, key.span().start);
                found.push(Dependency { package: package.unwrap_or(name).to_owned(), line, dev });
            }
        }
    }
    found
}

fn child<'t, 'i>(table: &'t Table<'i>, name: &str) -> Option<&'t Table<'i>> {
    table.get(name)?.get_ref().as_table()
}

fn child_of<'t, 'i>(value: &'t DeValue<'i>, name: &str) -> Option<&'t DeValue<'i>> {
    Some(value.as_table()?.get(name)?.get_ref())
}
