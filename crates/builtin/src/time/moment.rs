//! A moment: read from what people write, told in all the ways people need.

use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Clock, zone};

/// Ways to write a time of day that are not ISO 8601.
const TWELVE_HOURS: [&str; 4] = ["%I:%M %p", "%I:%M%p", "%I %p", "%I%p"];

/// A moment in one zone.
#[derive(Serialize, JsonSchema)]
pub(super) struct Moment {
    /// Local time in RFC 3339, with its offset.
    time: String,
    /// The IANA time zone.
    zone: String,
    /// The day of the week.
    weekday: String,
    /// The same moment in UTC, in RFC 3339.
    utc: String,
    /// The same moment in seconds since 1970-01-01T00:00:00Z.
    unix: i64,
    /// The offset from UTC, such as +01:00.
    offset: String,
    /// What the offset is called there, such as CET.
    abbreviation: String,
    /// Whether daylight saving time is in force.
    daylight_saving: bool,
    /// The week of the year (ISO 8601).
    #[schemars(range(min = 1, max = 53))]
    week: i8,
    /// What had to be guessed, where the time given was ambiguous.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// A moment in two zones.
#[derive(Serialize, JsonSchema)]
pub(super) struct Converted {
    /// The time given, where it was given.
    from: Moment,
    /// The same moment, where it was asked for.
    to: Moment,
    /// How much later the clocks there are, in hours.
    hours_ahead: f64,
}

/// A moment as read, and what had to be guessed.
pub(super) struct Read {
    pub(super) time: Zoned,
    pub(super) note: Option<String>,
}

/// Reads a time. One without an offset is local to `zone`.
pub(super) fn read(text: &str, zone: &TimeZone, clock: Clock) -> Result<Read, String> {
    let text = text.trim();
    let now = clock().to_zoned(zone.clone());
    if text.is_empty() || text.eq_ignore_ascii_case("now") {
        return Ok(Read::exact(now));
    }
    if let Some(seconds) =
        text.strip_prefix('@').or(Some(text)).filter(|digits| digits.len() >= 9).and_then(|digits| digits.parse().ok())
    {
        let timestamp =
            Timestamp::from_second(seconds).map_err(|error| format!("Cannot read the time `{text}`: {error}"))?;
        return Ok(Read::exact(timestamp.to_zoned(zone.clone())));
    }
    if let Some(time) = time_of_day(text) {
        return local(now.date().to_datetime(time), zone);
    }
    let pieces = Pieces::parse(text).map_err(|_| {
        format!("Cannot read the time `{text}`: write it as 2026-03-29T09:30:00+02:00, 2026-03-29T09:30, 2026-03-29, 09:30 or now")
    })?;
    if pieces.time_zone_annotation().is_some() {
        return text.parse().map(Read::exact).map_err(|error| format!("Cannot read the time `{text}`: {error}"));
    }
    if pieces.offset().is_some() {
        let timestamp: Timestamp = text.parse().map_err(|error| format!("Cannot read the time `{text}`: {error}"))?;
        return Ok(Read::exact(timestamp.to_zoned(zone.clone())));
    }
    local(pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight())), zone)
}

/// RFC 3339, with seconds and no more.
pub(super) fn rfc3339(time: &Zoned) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn time_of_day(text: &str) -> Option<Time> {
    let upper = text.to_ascii_uppercase();
    let twelve = || TWELVE_HOURS.iter().find_map(|format| Time::strptime(format, &upper).ok());
    // A date such as 20260329 could be a time to a parser without separators.
    if upper.contains(':') || upper.ends_with('M') {
        upper.parse().ok().filter(|_| !upper.contains('-')).or_else(twelve)
    } else {
        None
    }
}

/// The moment at which the clocks of `zone` show `time`: none, one or two.
fn local(time: DateTime, zone: &TimeZone) -> Result<Read, String> {
    let ambiguous = zone.to_ambiguous_zoned(time);
    let note = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => {
            Some("That local time is skipped when the clocks go forward; the time after the gap is meant.".into())
        }
        AmbiguousOffset::Fold { .. } => {
            Some("That local time occurs twice when the clocks go back; the first is meant.".into())
        }
    };
    let time = ambiguous.compatible().map_err(|error| error.to_string())?;
    Ok(Read { time, note })
}

// === impl Read ===

impl Read {
    fn exact(time: Zoned) -> Self {
        Self { time, note: None }
    }
}

// === impl Moment ===

impl Moment {
    pub(super) fn of(time: &Zoned) -> Self {
        let info = time.time_zone().to_offset_info(time.timestamp());
        Self {
            time: rfc3339(time),
            zone: zone::name_of(time),
            weekday: time.strftime("%A").to_string(),
            utc: time.with_time_zone(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            unix: time.timestamp().as_second(),
            offset: zone::offset_of(time),
            abbreviation: info.abbreviation().to_owned(),
            daylight_saving: info.dst().is_dst(),
            week: time.date().iso_week_date().week(),
            note: None,
        }
    }

    pub(super) fn noted(self, note: Option<String>) -> Self {
        Self { note, ..self }
    }
}

// === impl Converted ===

impl Converted {
    pub(super) fn new(from: &Read, zone: TimeZone) -> Self {
        let to = from.time.with_time_zone(zone);
        let ahead = f64::from(to.offset().seconds() - from.time.offset().seconds()) / 3600.0;
        Self { from: Moment::of(&from.time).noted(from.note.clone()), to: Moment::of(&to), hours_ahead: ahead }
    }
}
