//! Each law, broken once; and the house as it stands.

use super::repository::Repository;
use super::{Fault, check};

/// The manifest of a crate that breaks no law, with `dependencies` in it.
fn manifest(name: &str, dependencies: &str) -> String {
    let inherited =
        ["version", "edition", "rust-version", "license"].map(|key| format!("{key}.workspace = true\n")).concat();
    format!("[package]\nname = \"{name}\"\n{inherited}\n[lints]\nworkspace = true\n\n{dependencies}")
}

/// `path:line` of each breach and a part of its message, for files that are made up.
fn broken(files: &[(&str, &str)]) -> Vec<String> {
    check(&Repository::of(files)).iter().map(Fault::to_string).collect()
}

/// One breach, at this place, that says this.
fn one(files: &[(&str, &str)], place: &str, words: &str) {
    let faults = broken(files);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].starts_with(&format!("{place}: ")) && faults[0].contains(words), "{faults:#?}");
}

fn none(files: &[(&str, &str)]) {
    assert_eq!(broken(files), Vec::<String>::new());
}

#[test]
fn the_house_keeps_its_laws() {
    let repository = Repository::read(crate::root()).unwrap();
    assert!(repository.sources().len() > 100, "the walk does not find the sources");
    assert!(repository.file("crates/protocol/Cargo.toml").is_some(), "the walk does not find the manifests");
    let faults = check(&repository);
    assert!(faults.is_empty(), "{}", faults.iter().map(|fault| format!("\n{fault}")).collect::<String>());
}

#[test]
fn a_crate_uses_lower_floors_only() {
    let uses = |used: &str| manifest("toolgate-policy", &format!("[dependencies]\nserde = \"1\"\n{used}\n"));
    let place = "crates/policy/Cargo.toml";
    none(&[(place, &uses("toolgate-identity.workspace = true"))]);
    one(
        &[(place, &uses("toolgate-catalog.workspace = true"))],
        "crates/policy/Cargo.toml:13",
        "(floor 3) uses `catalog` (floor 4)",
    );
    one(
        &[(place, &uses("toolgate-policy.workspace = true"))],
        "crates/policy/Cargo.toml:13",
        "(floor 3) uses `policy` (floor 3)",
    );
    one(&[(place, &uses("toolgate-testkit.workspace = true"))], "crates/policy/Cargo.toml:13", "is for tests");
    one(&[(place, &uses("toolgate-attic.workspace = true"))], "crates/policy/Cargo.toml:13", "on no floor");
}

#[test]
fn tests_may_use_the_testkit_and_chores_everything() {
    let dev = manifest("toolgate-policy", "[dev-dependencies]\ntoolgate-testkit.workspace = true\n");
    none(&[("crates/policy/Cargo.toml", &dev)]);
    let up = manifest("toolgate-policy", "[dev-dependencies]\ntoolgate-app.workspace = true\n");
    one(&[("crates/policy/Cargo.toml", &up)], "crates/policy/Cargo.toml:12", "uses `app` (floor 8)");
    none(&[(
        "xtask/Cargo.toml",
        &manifest("xtask", "[dependencies]\ntoolgate-app.workspace = true\nanyhow = \"1\"\n"),
    )]);
}

#[test]
fn a_dependency_is_known_by_its_package_on_every_platform() {
    let hidden = manifest(
        "toolgate-app",
        "[target.'cfg(unix)'.dependencies]\nweb = { package = \"axum\", version = \"0.8\" }\n",
    );
    one(&[("crates/app/Cargo.toml", &hidden)], "crates/app/Cargo.toml:12", "law 7");
    let renamed = manifest("toolgate-app", "[dependencies]\nweb.workspace = true\n");
    let root = "[workspace.dependencies]\nweb = { package = \"axum\", version = \"0.8\" }\n";
    one(&[("Cargo.toml", root), ("crates/app/Cargo.toml", &renamed)], "crates/app/Cargo.toml:12", "may not use `axum`");
}

#[test]
fn only_the_store_speaks_to_a_database() {
    let uses = |name| manifest(name, "[dependencies]\nsqlx.workspace = true\n");
    none(&[("crates/store/Cargo.toml", &uses("toolgate-store"))]);
    one(
        &[("crates/admin/Cargo.toml", &uses("toolgate-admin"))],
        "crates/admin/Cargo.toml:12",
        "only the store speaks to a database",
    );
}

#[test]
fn the_gateway_does_not_know_upstreams() {
    let gateway = manifest("toolgate-gateway", "[dependencies]\ntoolgate-upstream.workspace = true\n");
    one(&[("crates/gateway/Cargo.toml", &gateway)], "crates/gateway/Cargo.toml:12", "law 1");
}

#[test]
fn a_crate_has_a_floor_a_name_and_the_workspaces_settings() {
    one(
        &[("crates/attic/Cargo.toml", &manifest("toolgate-attic", ""))],
        "crates/attic/Cargo.toml:2",
        "stands on no floor",
    );
    one(
        &[("crates/policy/Cargo.toml", &manifest("toolgate-rules", ""))],
        "crates/policy/Cargo.toml:2",
        "have one name",
    );
    for key in ["rust-version.workspace = true\n", "license.workspace = true\n", "[lints]\nworkspace = true\n"] {
        let manifest = manifest("toolgate-policy", "").replace(key, "");
        one(&[("crates/policy/Cargo.toml", &manifest)], "crates/policy/Cargo.toml:2", "not taken from the workspace");
    }
}

#[test]
fn the_core_has_no_word_for_an_era() {
    let place = "crates/gateway/src/exchange.rs";
    one(&[(place, "//! x\nuse toolgate_protocol::Era;\n")], "crates/gateway/src/exchange.rs:2", "law 3");
    one(
        &[(place, "//! x\nfn as_legacy_error() {}\n")],
        "crates/gateway/src/exchange.rs:2",
        "`as_legacy_error` names an era",
    );
    one(&[(place, "//! x\nconst LATEST_LEGACY: u8 = 1;\n")], "crates/gateway/src/exchange.rs:2", "law 3");
    one(
        &[(place, "//! x\nfn f(era: &str) -> bool { era == \"legacy\" }\n")],
        "crates/gateway/src/exchange.rs:2",
        "law 3",
    );
    none(&[(
        place,
        "//! Era, legacy\n/* Era /* Era */ Era */\nfn f() -> &'static str { \"legacy sessions\" } // Era\n",
    )]);
    none(&[(
        place,
        "//! x\nstruct Era1 { erase: u8 }\n#[cfg(test)]\nmod tests {\n    use toolgate_protocol::Era;\n}\n",
    )]);
    none(&[("crates/upstream/src/era.rs", "//! x\nuse toolgate_protocol::Era;\n")]);
    one(
        &[("crates/app/src/build.rs", "//! x\n")],
        "xtask/src/tidy/eras.rs:1",
        "crates/app/src/build.rs names no era any more",
    );
}

#[test]
fn a_file_says_what_it_is_for() {
    one(&[("crates/app/src/run.rs", "use std::fmt;\n")], "crates/app/src/run.rs:1", "what the file is for");
}

#[test]
fn a_file_has_one_subject_and_tests_do_not_count() {
    let long = |lines: usize, rest: &str| format!("//! x\n{}{rest}", "fn f() {}\n".repeat(lines));
    none(&[("crates/app/src/run.rs", &long(499, ""))]);
    one(&[("crates/app/src/run.rs", &long(500, ""))], "crates/app/src/run.rs:501", "501 lines");
    let tests =
        "\n#[cfg(test)]\n#[allow(dead_code)]\nmod tests {\n    const A: char = '{';\n    fn f() { \"}\"; }\n}\n";
    none(&[("crates/app/src/run.rs", &long(498, tests))]);
    one(
        &[("crates/app/src/run.rs", &long(498, &format!("{tests}fn g() {{}}\n")))],
        "crates/app/src/run.rs:501",
        "501 lines",
    );
    none(&[("crates/app/src/tests.rs", &long(900, "")), ("crates/app/tests/it/main.rs", &long(900, ""))]);
}

#[test]
fn names_tell_something() {
    one(&[("crates/app/src/util.rs", "//! x\n")], "crates/app/src/util.rs:1", "`util`");
    one(&[("crates/app/src/common/mod.rs", "//! x\n")], "crates/app/src/common/mod.rs:1", "`common`");
    one(&[("crates/app/src/run.rs", "//! x\nmod run {}\nmod helpers {}\n")], "crates/app/src/run.rs:3", "`helpers`");
}

#[test]
fn nothing_is_left_unfinished() {
    let comment = format!("//! x\n// {}: later\n", concat!("TO", "DO"));
    one(&[("crates/app/src/run.rs", &comment)], "crates/app/src/run.rs:2", "an issue is the place");
    one(&[("crates/app/src/run.rs", "//! x\nfn f() { todo!() }\n")], "crates/app/src/run.rs:2", "unfinished");
    one(&[("crates/app/src/run.rs", "//! x\n#[ignore]\nfn f() {}\n")], "crates/app/src/run.rs:2", "no test");
    none(&[("crates/app/src/run.rs", "//! todo!\nconst A: [&str; 2] = [\"todo!\", r##\"a \"#[ignore]\"##];\n")]);
}

#[test]
fn tests_do_not_sleep() {
    let nap = "fn f() { std::thread::sleep(A) }\n";
    none(&[("xtask/src/bench.rs", &format!("//! x\n{nap}"))]);
    one(
        &[("crates/app/tests/it/main.rs", &format!("//! x\n{nap}"))],
        "crates/app/tests/it/main.rs:2",
        "waits for a condition",
    );
    let unit = format!("//! x\n#[cfg(all(test, unix))]\nmod tests {{\n{nap}}}\n");
    one(&[("crates/app/src/run.rs", &unit)], "crates/app/src/run.rs:4", "waits for a condition");
}

#[test]
fn lock_files_name_no_machine_and_no_registry() {
    let setting = ("a/.npmrc", "omit-lockfile-registry-resolved=true\n");
    none(&[setting, ("a/package-lock.json", "{\n  \"url\": \"https://example.com\"\n}\n")]);
    let fetched = "{\n  \"resolved\": \"https://example.com/a.tgz\",\n}\n";
    one(&[setting, ("a/package-lock.json", fetched)], "a/package-lock.json:2", "fetched from");
    one(&[("a/package-lock.json", "{}\n")], "a/package-lock.json:1", "a/.npmrc does not say");
    one(&[("a/.npmrc", "registry=https://example.com\n")], "a/.npmrc:1", "own choice");
    none(&[("a/x.lock", "# pinned\nb==1.0 ; python_version < '3.12'\n")]);
    one(&[("a/x.lock", "--index-url https://example.com\nb==1.0\n")], "a/x.lock:1", "fetched from");
    one(&[("a/x.lock", "b>=1.0\n")], "a/x.lock:1", "without its version");
    one(&[("a/x.lock", "b==1.0 # via -r /home/ada/requirements.in\n")], "a/x.lock:1", "one machine");
    let git = "source = \"git+https://example.com/x\"\n";
    one(&[("Cargo.lock", git)], "Cargo.lock:1", "not from crates.io");
}
