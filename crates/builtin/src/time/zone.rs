//! Time zones by name, and those that a text may mean.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{self, TimeZone};
use schemars::JsonSchema;
use serde::Serialize;

/// How many zones are suggested for a name that is none.
const SUGGESTIONS: usize = 5;

/// A zone at one moment.
#[derive(Serialize, JsonSchema)]
pub(super) struct Zone {
    /// The IANA name.
    zone: String,
    /// The local time there now, in RFC 3339.
    time: String,
    /// Its offset from UTC now, such as +05:30.
    offset: String,
    /// What the offset is called there now, such as IST.
    abbreviation: String,
}

/// The zone of this name, or of this fixed offset.
pub(super) fn named(name: &str) -> Result<TimeZone, String> {
    let name = name.trim().replace(' ', "_");
    let zone =
        if name.starts_with(['+', '-']) { DateTimeParser::new().parse_time_zone(&name) } else { TimeZone::get(&name) };
    zone.map_err(|_| unknown(&name))
}

/// The zone of this name, or the computer's own where there is none.
pub(super) fn or_here(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        Some(name) => named(name),
        None => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
    }
}

/// The zone's name, or its offset where it has none.
pub(super) fn name_of(time: &jiff::Zoned) -> String {
    time.time_zone().iana_name().map_or_else(|| offset_of(time), str::to_owned)
}

/// The offset as ±hh:mm.
pub(super) fn offset_of(time: &jiff::Zoned) -> String {
    time.strftime("%:z").to_string()
}

/// The zones that `query` may mean, with what their clocks show at `now`.
pub(super) fn matching(query: &str, now: Timestamp) -> Vec<Zone> {
    let wanted = plain(query);
    let zones = tz::db().available().filter_map(|name| Some((name.to_string(), TimeZone::get(name.as_str()).ok()?)));
    let mut found: Vec<Zone> = zones
        .map(|(name, zone)| {
            let time = now.to_zoned(zone);
            let abbreviation = time.strftime("%Z").to_string();
            Zone { zone: name, time: super::moment::rfc3339(&time), offset: offset_of(&time), abbreviation }
        })
        .filter(|zone| {
            plain(&zone.zone).contains(&wanted) || plain(&zone.abbreviation) == wanted || zone.offset == wanted
        })
        .collect();
    found.sort_by(|a, b| a.zone.cmp(&b.zone));
    found
}

fn unknown(name: &str) -> String {
    let wanted = plain(name);
    let last = wanted.rsplit('/').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = tz::db().available().map(|name| name.to_string()).collect();
    names.sort();
    let near = names.iter().filter(|zone| last.len() >= 3 && plain(zone).contains(&last)).take(SUGGESTIONS);
    let near: Vec<&str> = near.map(String::as_str).collect();
    let help = if near.is_empty() {
        "use find_time_zones to find its name".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    format!("Unknown time zone `{name}`: {help}")
}

fn plain(text: &str) -> String {
    text.trim().to_lowercase().replace(' ', "_")
}
