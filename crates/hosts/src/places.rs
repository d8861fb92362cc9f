//! Where each host keeps its file, by system. The sources are at the top of `host.rs`.
//!
//! | host | the user's | a project's |
//! | --- | --- | --- |
//! | Claude Desktop | `~/Library/Application Support/Claude/claude_desktop_config.json`; `%APPDATA%\Claude\…`; `~/.config/Claude/…` | |
//! | Claude Code | `~/.claude.json`, or `$CLAUDE_CONFIG_DIR/.claude.json` | `.mcp.json` |
//! | Cursor | `~/.cursor/mcp.json` | `.cursor/mcp.json` |
//! | VS Code | `~/Library/Application Support/Code/User/mcp.json`; `%APPDATA%\Code\User\…`; `~/.config/Code/User/…` | `.vscode/mcp.json` |
//! | Windsurf | `~/.codeium/windsurf/mcp_config.json` | |
//! | Zed | `~/.config/zed/settings.json`; `%APPDATA%\Zed\settings.json` | |
//! | Codex | `~/.codex/config.toml`, or `$CODEX_HOME/config.toml` | `.codex/config.toml` |
//! | Gemini CLI | `~/.gemini/settings.json`, or `$GEMINI_CLI_HOME/.gemini/…` | `.gemini/settings.json` |

use std::path::PathBuf;

use crate::{Host, System, World};

// === impl Host ===

impl Host {
    /// The file that holds for all projects of the user.
    pub fn user_file(self, world: &World<'_>) -> PathBuf {
        match self {
            Self::ClaudeDesktop => world.application_data().join("Claude").join("claude_desktop_config.json"),
            Self::ClaudeCode => {
                world.folder("CLAUDE_CONFIG_DIR").unwrap_or_else(|| world.home.clone()).join(".claude.json")
            }
            Self::Cursor => world.home.join(".cursor").join("mcp.json"),
            Self::VsCode => world.application_data().join("Code").join("User").join("mcp.json"),
            Self::Windsurf => world.home.join(".codeium").join("windsurf").join("mcp_config.json"),
            Self::Zed if world.system == System::Windows => world.application_data().join("Zed").join("settings.json"),
            Self::Zed if world.system == System::MacOs => world.home.join(".config").join("zed").join("settings.json"),
            Self::Zed => world.config().join("zed").join("settings.json"),
            Self::Codex => world.folder("CODEX_HOME").unwrap_or_else(|| world.home.join(".codex")).join("config.toml"),
            Self::GeminiCli => {
                let home = world.folder("GEMINI_CLI_HOME").unwrap_or_else(|| world.home.clone());
                home.join(".gemini").join("settings.json")
            }
        }
    }

    /// The file of one project, if the host has such.
    pub fn project_file(self, world: &World<'_>) -> Option<PathBuf> {
        let steps: &[&str] = match self {
            Self::ClaudeCode => &[".mcp.json"],
            Self::Cursor => &[".cursor", "mcp.json"],
            Self::VsCode => &[".vscode", "mcp.json"],
            Self::Codex => &[".codex", "config.toml"],
            Self::GeminiCli => &[".gemini", "settings.json"],
            Self::ClaudeDesktop | Self::Windsurf | Self::Zed => return None,
        };
        Some(steps.iter().fold(world.project.clone(), |folder, step| folder.join(step)))
    }
}
