//! Durations (`250ms`, `60s`, `5m`, `1h`) and sizes (`64KiB`, `4MiB`) as people write them.
//!
//! A number without a unit is refused: half of the clients mean seconds by it and half mean milliseconds.

use std::time::Duration;

/// Each unit of time in milliseconds, smallest first.
const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Each unit of size in bytes, smallest first.
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// The longest duration: far from overflowing a clock, longer than any wait should be.
const LONGEST: u64 = 30 * 86_400_000;

/// The largest size: one message is held in memory whole.
const LARGEST: u64 = 1 << 30;

/// The smallest size: less than this and no MCP request fits.
const SMALLEST: u64 = 1 << 10;

/// A duration from a millisecond to 30 days.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let millis =
        read(text, &TIMES).ok_or_else(|| "expected a duration such as `250ms`, `60s`, `5m` or `1h`".to_owned())?;
    match millis {
        0 => Err("must be longer than nothing".to_owned()),
        1..=LONGEST => Ok(Duration::from_millis(millis)),
        _ => Err("must be at most `30d`".to_owned()),
    }
}

/// A size in bytes, from 1 KiB to 1 GiB.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let bytes = read(text, &SIZES).ok_or_else(|| "expected a size such as `64KiB` or `4MiB`".to_owned())?;
    match bytes {
        SMALLEST..=LARGEST => Ok(usize::try_from(bytes).unwrap_or(usize::MAX)),
        _ => Err("must be from `1KiB` to `1GiB`".to_owned()),
    }
}

/// The number times its unit; `None` when it is neither, or far too large.
fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?;
    match number.split_once('.') {
        None => number.parse::<u64>().ok()?.checked_mul(*factor),
        Some((whole, part)) => {
            let whole: u64 = whole.parse().ok()?;
            let digits = u32::try_from(part.len()).ok().filter(|n| (1..=3).contains(n))?;
            let part: u64 = part.parse().ok()?;
            whole.checked_mul(*factor)?.checked_add(part * factor / 10u64.pow(digits))
        }
    }
}

fn write(value: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| value.is_multiple_of(*factor) && value >= *factor;
    match units.iter().rev().find(fits) {
        Some((name, factor)) => format!("{}{name}", value / factor),
        None => format!("{value}{}", units[0].0),
    }
}

/// The shortest spelling that [`duration`] reads back.
pub(crate) fn show_duration(value: Duration) -> String {
    write(u64::try_from(value.as_millis()).unwrap_or(u64::MAX), &TIMES)
}

/// The shortest spelling that [`size`] reads back.
pub(crate) fn show_size(value: usize) -> String {
    write(value as u64, &SIZES)
}
