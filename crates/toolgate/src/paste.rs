//! The line to paste for each client, so that the first five minutes need no documentation.

use crate::screen::Paint;

/// How to point clients at `url`.
pub(crate) fn lines(url: &str, paint: Paint) -> String {
    let title = |text: &str| paint.bold(text);
    format!(
        "{}\n  \
         {}  claude mcp add --transport http toolgate {url}\n  \
         {}       {{\"mcpServers\": {{\"toolgate\": {{\"url\": \"{url}\"}}}}}}   in ~/.cursor/mcp.json\n  \
         {}      code --add-mcp '{{\"name\":\"toolgate\",\"type\":\"http\",\"url\":\"{url}\"}}'\n  \
         {}   {{\"mcpServers\": {{\"toolgate\": {{\"type\": \"http\", \"url\": \"{url}\"}}}}}}   or, over stdio, the command `toolgate stdio`\n",
        title("Point a client at it (`toolgate connect CLIENT` does it for you):"),
        title("Claude Code"),
        title("Cursor"),
        title("VS Code"),
        title("any client"),
    )
}
