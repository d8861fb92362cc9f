//! What people see: colours where there is a terminal, tables that line up.

use std::io::{IsTerminal, Write};

use toolgate_config::Faults;

/// As `print!`, by [`put`].
macro_rules! out {
    ($($text:tt)*) => { $crate::screen::put(format_args!($($text)*)) };
}

/// As `println!`, by [`put`].
macro_rules! outln {
    ($($text:tt)*) => { $crate::screen::put(format_args!("{}\n", format_args!($($text)*))) };
}

/// Colours, or none.
#[derive(Clone, Copy)]
pub(crate) struct Paint(bool);

// === impl Paint ===

impl Paint {
    /// For stdout.
    pub(crate) fn stdout() -> Self {
        Self(std::io::stdout().is_terminal() && wanted())
    }

    /// For stderr.
    pub(crate) fn stderr() -> Self {
        Self(std::io::stderr().is_terminal() && wanted())
    }

    fn in_colour(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.in_colour("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.in_colour("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.in_colour("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.in_colour("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.in_colour("33", text)
    }

    /// A state of an upstream in the colour that its meaning has everywhere.
    pub(crate) fn state(self, state: &str, width: usize) -> String {
        let padded = format!("{state:<width$}");
        match state {
            "ready" => self.green(&padded),
            "failed" => self.red(&padded),
            "starting" => self.yellow(&padded),
            _ => self.dim(&padded),
        }
    }

    /// All faults of a config.
    pub(crate) fn faults(self, faults: &Faults) -> String {
        let text = faults.to_string();
        let lines = text.lines().map(|line| {
            let is_place = line.contains(": ") && !line.starts_with(' ');
            format!("{}\n", if is_place { self.red(line) } else { line.to_owned() })
        });
        lines.collect()
    }
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none()
}

/// Whether both ends are a terminal, so that a line may be drawn over.
pub(crate) fn is_live() -> bool {
    std::io::stdout().is_terminal()
}

/// Columns that line up; the last one is as long as it is.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// The first sentence or line of a description, at most `width` characters, without what a terminal would obey.
pub(crate) fn one_line(text: &str, width: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let clean: String = line.chars().filter(|c| !c.is_control()).collect();
    if clean.chars().count() <= width {
        return clean;
    }
    let cut: String = clean.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// Text for a terminal: line breaks and tabs stay, what a terminal would obey does not.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Writes to stdout. A reader that has gone (`| head`) is no reason to panic, nor to stop halfway through what is done.
pub(crate) fn put(text: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_fmt(text).and_then(|()| out.flush());
}

/// Says on the last line how far something is, where somebody looks on.
pub(crate) fn show_progress(text: &str) {
    if is_live() {
        out!("\r\x1b[K{text}");
    }
}

/// Takes that line away.
pub(crate) fn clear_progress() {
    if is_live() {
        out!("\r\x1b[K");
    }
}
