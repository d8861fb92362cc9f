//! Lengths of time: read from what people write, and measured between two moments.

use jiff::{Span, Unit, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::moment::rfc3339;

/// The largest unit in which a distance is told.
#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Largest {
    #[default]
    Years,
    Months,
    Weeks,
    Days,
    Hours,
    Minutes,
    Seconds,
}

/// How far apart two moments are.
#[derive(Serialize, JsonSchema)]
pub(super) struct Distance {
    /// The first moment, in RFC 3339.
    from: String,
    /// The second moment, in RFC 3339.
    to: String,
    /// The distance in words, such as "1 month 3 days".
    words: String,
    /// The distance in ISO 8601, such as P1M3D.
    iso: String,
    /// How many midnights lie between them.
    calendar_days: i32,
    /// The exact distance in seconds.
    seconds: i64,
}

/// Reads a duration.
pub(super) fn read(text: &str) -> Result<Span, String> {
    text.trim().parse().map_err(|_| {
        format!("Cannot read the duration `{text}`: write it as \"3 days\", \"1 month 2 hours\", \"-90 minutes\", \"2 weeks ago\" or P1DT2H")
    })
}

// === impl Distance ===

impl Distance {
    /// The distance between two moments in the same zone.
    pub(super) fn new(from: &Zoned, to: &Zoned, largest: Largest) -> Result<Self, String> {
        let too_far = |error: jiff::Error| format!("Cannot measure that: {error}");
        // Both ends are told in seconds, so the distance is counted in whole seconds too.
        let span = from.until((largest.unit(), to)).map_err(too_far)?;
        let span = span.milliseconds(0).microseconds(0).nanoseconds(0);
        let days = from.date().until((Unit::Day, to.date())).map_err(too_far)?.get_days();
        Ok(Self {
            from: rfc3339(from),
            to: rfc3339(to),
            words: words(&span),
            iso: span.to_string(),
            calendar_days: days,
            seconds: to.timestamp().as_second() - from.timestamp().as_second(),
        })
    }
}

fn words(span: &Span) -> String {
    let units = [
        (i64::from(span.get_years()), "year"),
        (i64::from(span.get_months()), "month"),
        (i64::from(span.get_weeks()), "week"),
        (i64::from(span.get_days()), "day"),
        (i64::from(span.get_hours()), "hour"),
        (span.get_minutes(), "minute"),
        (span.get_seconds(), "second"),
    ];
    let told: Vec<String> = units
        .into_iter()
        .filter(|(number, _)| *number != 0)
        .map(|(number, unit)| format!("{} {unit}{}", number.abs(), if number.abs() == 1 { "" } else { "s" }))
        .collect();
    match (told.is_empty(), span.is_negative()) {
        (true, _) => "no time at all".to_owned(),
        (false, true) => format!("{} earlier", told.join(" ")),
        (false, false) => told.join(" "),
    }
}

// === impl Largest ===

impl Largest {
    fn unit(self) -> Unit {
        match self {
            Self::Years => Unit::Year,
            Self::Months => Unit::Month,
            Self::Weeks => Unit::Week,
            Self::Days => Unit::Day,
            Self::Hours => Unit::Hour,
            Self::Minutes => Unit::Minute,
            Self::Seconds => Unit::Second,
        }
    }
}
