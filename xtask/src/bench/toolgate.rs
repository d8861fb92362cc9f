//! toolgate as a target: the release build, with a config of one upstream and a home of its own.

use super::messages::{Era, tools};
use super::targets::{Kind, Process, free_address, tied};
use super::{Plan, machine};
use anyhow::bail;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The toolgate that the plan names, or a fresh release build.
///
/// # Errors
/// When it is not there, or does not build.
pub(super) fn find(plan: &Plan) -> anyhow::Result<PathBuf> {
    if let Some(file) = &plan.toolgate {
        if !file.is_file() {
            bail!("there is no file {}", file.display());
        }
        return Ok(std::path::absolute(file)?);
    }
    machine::cargo_build("toolgate")?;
    machine::release_binary("toolgate")
}

/// What toolgate says of itself.
pub(super) fn version(program: &Path) -> Option<String> {
    let said = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&said.stdout).trim().trim_start_matches("toolgate ").to_owned())
}

/// Starts toolgate for clients of `era` in front of `upstream`, with everything it writes in `folder`.
///
/// # Errors
/// When it does not come up.
pub(super) fn start(
    program: &Path,
    folder: &Path,
    kind: Kind,
    era: Era,
    upstream: SocketAddr,
) -> anyhow::Result<(Process, SocketAddr)> {
    let front = free_address()?;
    let file = folder.join("toolgate.yaml");
    std::fs::write(&file, config(kind, era, upstream))?;
    let log = folder.join("output.log");
    let mut command = tied(program.as_os_str());
    command.arg("serve").arg("--config").arg(&file).args(["--listen", &front.to_string()]).current_dir(folder);
    // Nothing the person has set for their own toolgate may change what is measured, nor may this run touch their files.
    command.env("HOME", folder);
    for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
        command.env(name, folder.join(name));
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TOOLGATE_")) {
        command.env_remove(name);
    }
    let mut process = Process::start(format!("{}, {era}", kind.title()), &mut command, &log)?;
    process.wait(|| is_ready(front))?;
    Ok((process, front))
}

fn config(kind: Kind, era: Era, upstream: SocketAddr) -> String {
    let names = match kind {
        Kind::Prefixed | Kind::Namespace | Kind::Overridden => "prefixed",
        _ => "transparent",
    };
    // Pinned, as the upstream speaks both and would otherwise always be used as a modern one.
    let era = match kind {
        Kind::Bridged => era.other(),
        _ => era,
    };
    let namespaces = match kind {
        Kind::Namespace => namespaces(|_| String::new()),
        Kind::Overridden => namespaces(overrides),
        _ => String::new(),
    };
    // A client that is shown the tools that find others would list three.
    format!(
        "names: {names}\npresentation: direct\nupstreams:\n  bench:\n    url: http://{upstream}/mcp\n    era: {era}\n{namespaces}"
    )
}

/// A hundred, each with something to select by; `overrides` is what each tool of the one that is measured gets.
fn namespaces(overrides: impl Fn(&str) -> String) -> String {
    let mut text = "namespaces:\n".to_owned();
    for number in 0..100 {
        text += &format!(
            "  n{number:02}:\n    upstreams: [bench]\n    tools: {{allow: [\"bench/*\"], deny: {{\"ghost*\": gone}}}}\n"
        );
        if Kind::Namespace.path().contains(&format!("/n{number:02}/")) {
            let all: String = tools().iter().map(|tool| overrides(&name_of(tool))).collect();
            if !all.is_empty() {
                text += &format!("    overrides:\n{all}");
            }
        }
    }
    text
}

/// What is laid over a tool leaves its definition as it is, so that answers can be held against the upstream's; the work is
/// the same.
fn overrides(tool: &str) -> String {
    format!("      bench/{tool}: {{title: {tool}, arguments: {{limit: {{default: 20}}}}}}\n")
}

fn name_of(definition: &str) -> String {
    let definition: serde_json::Value = serde_json::from_str(definition).unwrap_or_default();
    definition["name"].as_str().unwrap_or_default().to_owned()
}

/// Whether the upstream has been reached, or given up: the first requests tell which.
fn is_ready(front: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&front, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {front}\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstream_speaks_the_clients_era_unless_it_is_to_be_bridged() {
        let upstream = "127.0.0.1:2000".parse().expect("an address");
        let text = config(Kind::Prefixed, Era::Legacy, upstream);
        assert!(text.contains("names: prefixed") && text.contains("era: legacy"), "{text}");
        let text = config(Kind::Bridged, Era::Legacy, upstream);
        assert!(text.contains("names: transparent") && text.contains("era: modern"), "{text}");
        let text = config(Kind::Overridden, Era::Modern, upstream);
        assert!(text.matches("bench/small:").count() == 1 && text.matches("    upstreams: [bench]").count() == 100);
    }
}
