//! Compiles the child process of scripted stdio upstreams.
//!
//! It is one file that uses nothing but the standard library. As a binary of this package it would not be there for the tests
//! of other packages: Cargo names a binary (`CARGO_BIN_EXE_…`) to the tests of its own package only.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=child.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var_os(name).expect("Cargo sets it for build scripts");
    let program = PathBuf::from(variable("OUT_DIR")).join("scripted-child");
    let mut compiler = Command::new(variable("RUSTC"));
    compiler.args(["--edition", "2024", "--crate-name", "scripted_child", "-Copt-level=1", "child.rs", "-o"]);
    if variable("TARGET") != variable("HOST") {
        compiler.arg("--target").arg(variable("TARGET"));
    }
    let status = compiler.arg(&program).status().expect("the compiler can be run");
    assert!(status.success(), "child.rs does not compile");
    println!("cargo::rustc-env=SCRIPTED_CHILD={}", program.display());
}
