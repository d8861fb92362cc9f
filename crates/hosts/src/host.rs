//! The hosts that toolgate knows, and what each is told apart by.
//!
//! Looked up in November 2026. What says so, and what was seen:
//!
//! | host | source |
//! | --- | --- |
//! | Claude Desktop | <https://modelcontextprotocol.io/docs/develop/connect-local-servers>: local servers only; those with a URL are "connectors" of the account |
//! | Claude Code | <https://code.claude.com/docs/en/mcp>; `claude mcp add` and `claude mcp list` of 2.1.197 |
//! | Cursor | <https://cursor.com/docs/mcp> |
//! | VS Code | <https://code.visualstudio.com/docs/copilot/reference/mcp-configuration> |
//! | Windsurf | <https://docs.windsurf.com/windsurf/cascade/mcp> |
//! | Zed | <https://zed.dev/docs/ai/mcp>, <https://zed.dev/docs/configuring-zed> |
//! | Codex | <https://developers.openai.com/codex/mcp>, `codex-rs/config/src/mcp_types.rs`; `codex mcp add` and `codex mcp list --json` |
//! | Gemini CLI | <https://geminicli.com/docs/tools/mcp-server>; `gemini mcp add` and `gemini mcp list` |

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host {
    /// Anthropic's desktop application.
    ClaudeDesktop,
    /// Anthropic's agent for terminals.
    ClaudeCode,
    /// The editor Cursor.
    Cursor,
    /// Visual Studio Code.
    VsCode,
    /// The editor Windsurf.
    Windsurf,
    /// The editor Zed.
    Zed,
    /// OpenAI's agent for terminals.
    Codex,
    /// Google's agent for terminals.
    GeminiCli,
}

/// The syntax of a host's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// JSON, with comments where the host reads them.
    Json,
    Toml,
}

/// What a host makes of `$` in its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expansion {
    /// Nothing: it is a character like others.
    None,
    /// `${VAR}`, `${env:VAR}`, `${workspaceFolder}`, `${input:id}`.
    Braces,
    /// `$VAR` and `${VAR}`.
    Bare,
}

// === impl Host ===

impl Host {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ClaudeDesktop,
        Self::ClaudeCode,
        Self::Cursor,
        Self::VsCode,
        Self::Windsurf,
        Self::Zed,
        Self::Codex,
        Self::GeminiCli,
    ];

    /// The word for it on a command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "claude-desktop",
            Self::ClaudeCode => "claude-code",
            Self::Cursor => "cursor",
            Self::VsCode => "vscode",
            Self::Windsurf => "windsurf",
            Self::Zed => "zed",
            Self::Codex => "codex",
            Self::GeminiCli => "gemini",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "Claude Desktop",
            Self::ClaudeCode => "Claude Code",
            Self::Cursor => "Cursor",
            Self::VsCode => "VS Code",
            Self::Windsurf => "Windsurf",
            Self::Zed => "Zed",
            Self::Codex => "Codex",
            Self::GeminiCli => "Gemini CLI",
        }
    }

    /// The host that a word means, also in other spellings that are usual.
    pub fn of_word(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase().replace([' ', '_'], "-");
        let other = match word.as_str() {
            "claude" => Some(Self::ClaudeCode),
            "vs-code" | "code" => Some(Self::VsCode),
            "gemini-cli" => Some(Self::GeminiCli),
            "codex-cli" => Some(Self::Codex),
            _ => None,
        };
        other.or_else(|| Self::ALL.into_iter().find(|host| host.word() == word))
    }

    /// What has to be done for it to read its file again.
    pub fn restart(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "quit Claude Desktop and start it again",
            Self::ClaudeCode => "start a new session of Claude Code; `/mcp` shows the server",
            Self::Cursor => "reload Cursor's window; Settings, MCP shows the server",
            Self::VsCode => "start the server with `MCP: List Servers` in VS Code",
            Self::Windsurf => "press refresh in Windsurf's list of MCP servers",
            Self::Zed => "nothing: Zed takes its settings up at once",
            Self::Codex => "start a new session of Codex; `codex mcp list` shows the server",
            Self::GeminiCli => "start a new session of Gemini CLI; `/mcp` shows the server",
        }
    }

    /// Whether its file can name the URL of a server.
    pub fn takes_urls(self) -> bool {
        self != Self::ClaudeDesktop
    }

    /// What it makes of `$` in its entries.
    pub fn expansion(self) -> Expansion {
        match self {
            Self::ClaudeDesktop | Self::Zed | Self::Codex => Expansion::None,
            Self::ClaudeCode | Self::Cursor | Self::VsCode | Self::Windsurf => Expansion::Braces,
            Self::GeminiCli => Expansion::Bare,
        }
    }

    pub(crate) fn syntax(self) -> Syntax {
        if self == Self::Codex { Syntax::Toml } else { Syntax::Json }
    }

    /// The key of its file that holds the servers.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::VsCode => "servers",
            Self::Zed => "context_servers",
            Self::Codex => "mcp_servers",
            _ => "mcpServers",
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
