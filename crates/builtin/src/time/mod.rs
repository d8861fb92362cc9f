//! `time`: what time it is anywhere, conversion between zones, and calendar arithmetic. Carries its own copy of the IANA
//! database, so it is right on machines that have none.

mod moment;
mod span;
mod zone;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::argument::{Text, Whole};
use crate::call::Halt;
use crate::server::{About, Changes, Server, Shelf};
use crate::tool::{Hints, Tool};
use moment::Moment;

/// Where the time is read; a test has its own.
pub(super) type Clock = fn() -> Timestamp;

/// The server.
pub(crate) fn server() -> Server {
    with_clock(Timestamp::now)
}

fn with_clock(clock: Clock) -> Server {
    Server {
        about: About {
            name: "toolgate-time",
            title: "Time",
            description: "What time it is anywhere, conversion between time zones, and calendar arithmetic.",
            instructions: "Use these tools for anything about the current date or time, time zones, or the time between two dates: \
                they know daylight saving rules of every IANA zone, past and future. Times are written as RFC 3339, for \
                example 2026-03-29T09:30:00+02:00; a time without an offset is local to the zone given beside it.",
            logs: false,
            varies: false,
        },
        tools: Shelf::new(tools(clock)),
        prompts: Shelf::new(Vec::new()),
        resources: None,
        changes: Changes::new(),
    }
}

/// A zone as a caller writes it.
type Zone = Text<64>;
/// A time as a caller writes it.
type When = Text<100>;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Now {
    /// IANA time zone such as Europe/Berlin or UTC. Left out, the zone of this computer.
    zone: Option<Zone>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Convert {
    /// The time to convert: RFC 3339 (2026-03-29T09:30:00+02:00), a local date and time (2026-03-29T09:30), a time of today
    /// (09:30 or 9:30 am), or `now`.
    time: When,
    /// IANA time zone in which `time` is local, where it has no offset of its own. Left out, the zone of this computer.
    from_zone: Option<Zone>,
    /// IANA time zone to convert to, such as Asia/Tokyo.
    to_zone: Zone,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    /// The time to start from: RFC 3339, a local date or date and time, a time of today, or `now`. Left out, now.
    time: Option<When>,
    /// How much to add: "3 days", "1 month 2 hours", "90 minutes", ISO 8601 such as P1DT2H. To subtract, put a minus sign before
    /// it or "ago" after it.
    duration: Text<200>,
    /// IANA time zone whose calendar counts. Left out, the zone of this computer.
    zone: Option<Zone>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Between {
    /// The earlier time: RFC 3339, a local date or date and time, a time of today, or `now`. Left out, now.
    from: Option<When>,
    /// The later time, written likewise; if it is the earlier one, the result is negative.
    to: When,
    /// IANA time zone whose calendar counts. Left out, the zone of this computer.
    zone: Option<Zone>,
    /// The largest unit of the result.
    #[serde(default)]
    largest_unit: span::Largest,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Find {
    /// Part of a zone's name (tokyo, america/), an abbreviation (CEST), or an offset (+05:30). Left out, all zones.
    #[serde(default)]
    query: Text<64>,
    /// The most zones to give.
    #[serde(default = "twenty")]
    limit: Whole<1, 600>,
}

/// Zones that were found.
#[derive(Serialize, JsonSchema)]
struct Found {
    /// The zones, in order of their names.
    zones: Vec<zone::Zone>,
    /// How many match, those beyond the limit included.
    total: usize,
}

fn twenty() -> Whole<1, 600> {
    Whole(20)
}

fn tools(clock: Clock) -> Vec<Tool> {
    vec![
        Tool::structured(
            "current_time",
            "Current time",
            "Tells the current date, time and weekday in any time zone. Use it whenever today's date or the present time matters.",
            Hints::READS,
            move |asked: Now, _| async move {
                let zone = zone::or_here(asked.zone.as_deref()).map_err(Halt::Told)?;
                Ok(Moment::of(&clock().to_zoned(zone)))
            },
        ),
        Tool::structured(
            "convert_time",
            "Convert time between zones",
            "Converts a time from one time zone to another, with the daylight saving rules of that date. Use it for questions such \
             as what 9:30 in New York is in Tokyo.",
            Hints::READS,
            move |asked: Convert, _| async move { convert(&asked, clock).map_err(Halt::Told) },
        ),
        Tool::structured(
            "add_duration",
            "Add a duration to a time",
            "Adds a duration to a time, or subtracts it, by the calendar: months and years have their true lengths, and days stay \
             days across daylight saving changes. Use it for deadlines and dates such as 6 weeks from now.",
            Hints::READS,
            move |asked: Add, _| async move { add(&asked, clock).map_err(Halt::Told) },
        ),
        Tool::structured(
            "time_between",
            "Time between two moments",
            "Tells how long it is from one time to another: in calendar units, in whole calendar days and in exact seconds. Use it \
             for ages, countdowns and durations.",
            Hints::READS,
            move |asked: Between, _| async move { between(&asked, clock).map_err(Halt::Told) },
        ),
        Tool::structured(
            "find_time_zones",
            "Find time zones",
            "Lists IANA time zones by part of their name, by abbreviation or by offset, each with its present local time. Use it to \
             find the exact zone name that the other tools need.",
            Hints::READS,
            move |asked: Find, _| async move {
                let mut zones = zone::matching(&asked.query, clock());
                let total = zones.len();
                zones.truncate(asked.limit.0 as usize);
                Ok(Found { zones, total })
            },
        ),
    ]
}

fn convert(asked: &Convert, clock: Clock) -> Result<moment::Converted, String> {
    let from = zone::or_here(asked.from_zone.as_deref())?;
    let to = zone::named(&asked.to_zone)?;
    let read = moment::read(&asked.time, &from, clock)?;
    Ok(moment::Converted::new(&read, to))
}

fn add(asked: &Add, clock: Clock) -> Result<Moment, String> {
    let zone = zone::or_here(asked.zone.as_deref())?;
    let start = moment::read(asked.time.as_deref().unwrap_or("now"), &zone, clock)?;
    let sum =
        start.time.checked_add(span::read(&asked.duration)?).map_err(|error| format!("Cannot add that: {error}"))?;
    Ok(Moment::of(&sum).noted(start.note))
}

fn between(asked: &Between, clock: Clock) -> Result<span::Distance, String> {
    let zone = zone::or_here(asked.zone.as_deref())?;
    let from = moment::read(asked.from.as_deref().unwrap_or("now"), &zone, clock)?;
    let to = moment::read(&asked.to, &zone, clock)?;
    // Calendar units need one calendar on both sides.
    span::Distance::new(&from.time.with_time_zone(zone.clone()), &to.time.with_time_zone(zone), asked.largest_unit)
}

#[cfg(test)]
mod tests;
