//! Where what is set over the control API is kept: that key of the config file, and what it means.

use std::path::PathBuf;

use crate::fault::Report;
use crate::resolve::Context;
use crate::secret::Secret;
use crate::written::Text;

/// Where what is set over the control API is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StoreSettings {
    /// In a file of the state folder.
    #[default]
    Usual,
    /// In this SQLite file; absolute.
    Sqlite(PathBuf),
    /// In the Postgres database at this URL.
    Postgres(Secret),
    /// Nowhere: nothing can be set.
    Off,
}

/// What is written, as it is meant.
pub(crate) fn resolve(written: Option<&Text>, context: &Context<'_>, report: &mut Report) -> StoreSettings {
    let Some(text) = written else { return StoreSettings::Usual };
    if text.value == "off" {
        return StoreSettings::Off;
    }
    if let Some(path) = text.value.strip_prefix("sqlite:") {
        // `sqlite:///var/lib/x.db` is the same as `sqlite:/var/lib/x.db`.
        let path = path.strip_prefix("//").unwrap_or(path);
        if !path.is_empty() {
            return StoreSettings::Sqlite(context.sources.resolve(context.base, path));
        }
    }
    if ["postgres://", "postgresql://"].iter().any(|scheme| text.value.starts_with(scheme)) {
        let has_password = text
            .value
            .parse::<http::Uri>()
            .is_ok_and(|url| url.authority().is_some_and(|at| at.as_str().contains('@')));
        if has_password && text.value == text.written {
            report.note(text.spot, "may have a password in the file itself; `${VAR}` keeps it out of it");
        }
        return StoreSettings::Postgres(Secret::new(&text.value));
    }
    // Whatever it is, it may hold a password.
    let help = "write `sqlite:<file>`, `postgres://user:password@host/database` or `off`";
    report.fault_with_help(text.spot, "not a place to keep anything", help);
    StoreSettings::Off
}
