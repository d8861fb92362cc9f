//! Fixtures on disk: npm packages and Python environments, installed when missing or when their lock changed.
//!
//! A copy of the lock inside the installed folder tells what it was installed from; git ignores both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use crate::process;

/// Packages come over a network that may be slow, but not for ever.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// Name of the copy of the lock in an installed folder.
const STAMP: &str = ".installed-from";

/// Installs the packages of a `package-lock.json`.
///
/// # Errors
/// When npm is missing or fails.
pub(crate) async fn npm(folder: &Path) -> anyhow::Result<()> {
    let (lock, installed) = (folder.join("package-lock.json"), folder.join("node_modules"));
    if is_current(&lock, &installed)? {
        return Ok(());
    }
    println!("installing {} …", folder.display());
    let mut command = Command::new("npm");
    // no install scripts: nothing that is used here needs one
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    process::succeed("npm ci", &mut command, LIMIT).await?;
    stamp(&lock, &installed)
}

/// Makes a Python environment anew and installs the packages of a lock file into it; gives its interpreter.
///
/// # Errors
/// When Python is missing, or an installation fails.
pub(crate) async fn python(lock: &Path, environment: &Path) -> anyhow::Result<PathBuf> {
    let interpreter = interpreter(environment);
    if is_current(lock, environment)? {
        return Ok(interpreter);
    }
    println!("installing {} …", environment.display());
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).arg(environment);
    process::succeed("python3 -m venv", &mut command, LIMIT).await?;
    let mut command = Command::new(&interpreter);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(lock);
    process::succeed("pip install", &mut command, LIMIT).await?;
    stamp(lock, environment)?;
    Ok(interpreter)
}

/// The interpreter of a Python environment.
pub(crate) fn interpreter(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

fn is_current(lock: &Path, installed: &Path) -> anyhow::Result<bool> {
    let lock = std::fs::read(lock).with_context(|| format!("there is no {}", lock.display()))?;
    Ok(std::fs::read(installed.join(STAMP)).is_ok_and(|from| from == lock))
}

fn stamp(lock: &Path, installed: &Path) -> anyhow::Result<()> {
    std::fs::copy(lock, installed.join(STAMP)).map(drop).context("the installed folder cannot be written to")
}
