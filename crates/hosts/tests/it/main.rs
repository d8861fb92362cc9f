//! The files of each host, as they are documented and as its own commands write them.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod editing;
mod places;
mod round_trips;

use toolgate_hosts::Host;

/// A file of each host; the sources are named in `src/host.rs`.
fn fixture(host: Host) -> &'static str {
    match host {
        Host::ClaudeDesktop => include_str!("../fixtures/claude_desktop_config.json"),
        Host::ClaudeCode => include_str!("../fixtures/claude.json"),
        Host::Cursor => include_str!("../fixtures/cursor.json"),
        Host::VsCode => include_str!("../fixtures/vscode.json"),
        Host::Windsurf => include_str!("../fixtures/windsurf.json"),
        Host::Zed => include_str!("../fixtures/zed.json"),
        Host::Codex => include_str!("../fixtures/codex.toml"),
        Host::GeminiCli => include_str!("../fixtures/gemini.json"),
    }
}
