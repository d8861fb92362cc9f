//! Who may use whom: the floors of the house, and the crates that alone may know an outside thing.

use super::manifest::{Dependency, Manifest};
use super::repository::Repository;
use super::{Fault, Law};

/// From the ground up. A crate may use what stands below it, not what stands beside it.
const FLOORS: [&[&str]; 9] = [
    &["protocol", "config", "search", "seal", "store"],
    &["identity", "builtin", "discovery", "openapi", "hosts"],
    &["policy", "upstream"],
    &["catalog"],
    &["gateway"],
    &["transport"],
    &["admin"],
    &["app"],
    &["toolgate"],
];

/// Stand beside the house: they may use every floor, and no floor may use them but in its tests.
const SCAFFOLDING: [&str; 2] = ["testkit", "xtask"];

/// A thing that only a few crates may know of. `app` builds every part; the commands of `toolgate` read a config, and reach
/// a running gateway as a client would: through an upstream's link.
struct Reserved {
    package: &'static str,
    to: &'static [&'static str],
    law: Law,
    why: &'static str,
}

const RESERVED: [Reserved; 6] = [
    Reserved {
        package: "toolgate-upstream",
        to: &["catalog", "app", "toolgate"],
        law: Law::Route,
        why: "only `View::resolve` makes a route",
    },
    Reserved {
        package: "axum",
        to: &["admin"],
        law: Law::Wrappers,
        why: "only the control API is served with a framework",
    },
    Reserved {
        package: "axum-core",
        to: &["admin"],
        law: Law::Wrappers,
        why: "only the control API is served with a framework",
    },
    Reserved { package: "sqlx", to: &["store"], law: Law::Wrappers, why: "only the store speaks to a database" },
    Reserved {
        package: "toolgate-config",
        to: &["app", "toolgate"],
        law: Law::Wrappers,
        why: "every other part has a `Config` of its own and does not know the file",
    },
    Reserved {
        package: "anyhow",
        to: &["toolgate"],
        law: Law::Wrappers,
        why: "an error names whose fault it is; only programs may forget that",
    },
];

/// What every crate takes from the workspace.
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "lints"];

/// Holds all manifests against the tables.
pub(super) fn check(repository: &Repository) -> Vec<Fault> {
    let manifests = Manifest::all(repository);
    manifests.iter().flat_map(|manifest| [package(manifest), uses(manifest)].concat()).collect()
}

/// The crate itself: its name, its floor, what it inherits.
fn package(manifest: &Manifest<'_>) -> Vec<Fault> {
    let fault = |law, message| Fault::new(manifest.path, manifest.name_line, law, message);
    let mut faults = Vec::new();
    if folder_of(&manifest.name) != Some(manifest.folder) {
        let message =
            format!("the crate `{}` lies in the folder `{}`; they have one name", manifest.name, manifest.folder);
        faults.push(fault(Law::Manifest, message));
    }
    if !SCAFFOLDING.contains(&manifest.folder) && floor(manifest.folder).is_none() {
        let message = format!("`{}` stands on no floor; the table is in xtask/src/tidy/floors.rs", manifest.folder);
        faults.push(fault(Law::Floors, message));
    }
    for key in INHERITED {
        if !manifest.inherited.iter().any(|inherited| inherited == key) {
            faults.push(fault(
                Law::Manifest,
                format!("`{key}` is not taken from the workspace (`{key}.workspace = true`)"),
            ));
        }
    }
    faults
}

/// What the crate uses.
fn uses(manifest: &Manifest<'_>) -> Vec<Fault> {
    let judge = |dependency: &Dependency| {
        let (law, message) = too_high(manifest, dependency).or_else(|| reserved(manifest, dependency))?;
        Some(Fault::new(manifest.path, dependency.line, law, message))
    };
    manifest.dependencies.iter().filter_map(judge).collect()
}

fn too_high(manifest: &Manifest<'_>, dependency: &Dependency) -> Option<(Law, String)> {
    let used = folder_of(&dependency.package)?;
    if SCAFFOLDING.contains(&manifest.folder) || (dependency.dev && used == "testkit") {
        return None;
    }
    let own = floor(manifest.folder)?;
    match floor(used) {
        Some(floor) if floor < own => None,
        Some(floor) => {
            Some((Law::Floors, format!("`{}` (floor {own}) uses `{used}` (floor {floor})", manifest.folder)))
        }
        None if SCAFFOLDING.contains(&used) => {
            Some((Law::Floors, format!("`{}` uses `{used}`, which is for tests", manifest.folder)))
        }
        None => Some((Law::Floors, format!("`{}` uses `{used}`, which stands on no floor", manifest.folder))),
    }
}

fn reserved(manifest: &Manifest<'_>, dependency: &Dependency) -> Option<(Law, String)> {
    let Reserved { to, law, why, .. } = RESERVED.iter().find(|reserved| reserved.package == dependency.package)?;
    // Tests and chores may look at everything.
    if to.contains(&manifest.folder) || SCAFFOLDING.contains(&manifest.folder) || dependency.dev {
        return None;
    }
    Some((*law, format!("`{}` may not use `{}`: {why}", manifest.folder, dependency.package)))
}

/// The floor of the crate in a folder, counted from 1.
fn floor(folder: &str) -> Option<usize> {
    FLOORS.iter().position(|crates| crates.contains(&folder)).map(|at| at + 1)
}

/// The folder of one of our crates; `None` for everybody else's.
fn folder_of(package: &str) -> Option<&str> {
    match package {
        "toolgate" | "xtask" => Some(package),
        _ => package.strip_prefix("toolgate-"),
    }
}
