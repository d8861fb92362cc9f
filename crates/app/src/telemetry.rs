//! Logs, started once. They go to stderr: stdout belongs to whoever asked for something.

use std::io::{IsTerminal, Write};

use toolgate_config::{Log, LogFormat, LogLevel};
use tracing_subscriber::EnvFilter;

/// Starts logging. `TOOLGATE_LOG` takes the place of the level with the filter language of `tracing`, for example
/// `toolgate_upstream=trace,info`. A second start changes nothing.
pub fn start_logging(log: &Log) {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // The libraries below us have little to say that concerns an operator.
    let ours = format!(
        "warn,upstream={level},toolgate={level},{}",
        CRATES.map(|name| format!("toolgate_{name}={level}")).join(",")
    );
    let filter = EnvFilter::try_from_env("TOOLGATE_LOG").unwrap_or_else(|_| EnvFilter::new(ours));
    let terminal = std::io::stderr().is_terminal();
    let shares_screen = terminal && std::io::stdout().is_terminal();
    let writer = move || Line { clear_first: shares_screen };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !terminal,
    };
    let started = if json {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        builder.with_ansi(colour).with_target(false).compact().try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was already started");
    }
}

const CRATES: [&str; 6] = ["app", "catalog", "gateway", "protocol", "transport", "upstream"];

/// Writes one log line to stderr. Where stdout is the same screen, it takes the place of a progress line that stands there.
struct Line {
    clear_first: bool,
}

impl Write for Line {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let mut screen = std::io::stderr().lock();
        if std::mem::take(&mut self.clear_first) {
            screen.write_all(b"\r\x1b[K")?;
        }
        screen.write_all(text)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
