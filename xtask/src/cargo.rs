//! Cargo, run by a chore as a person would run it.
//!
//! `cargo xtask` is `cargo run`, which tells the program about the package that it is. Build scripts listen to the same
//! variables (ring's does), so a cargo that inherits them builds half of the house anew, and the next one by hand again.

use std::process::{Command, Stdio};

/// What `cargo run` sets for the program that it runs, by name or by how the name begins.
const OWN: [&str; 6] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];

/// The cargo that runs us, in the root of the repository, without what it told us about ourselves.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OWN.iter().any(|own| name.starts_with(own))) {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(crate::root()).stdin(Stdio::null());
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_does_not_hear_of_our_own_package() {
        // Under `cargo test` these are set, as they are under `cargo run`.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let cargo = cargo();
        let removed: Vec<_> = cargo.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(removed.contains(&"CARGO_PKG_NAME".as_ref()) && removed.contains(&"CARGO_MANIFEST_DIR".as_ref()));
    }
}
