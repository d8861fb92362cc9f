//! How much a store takes. It is for settings, which people write, and is read whole: these bounds are what keeps that cheap.

use crate::{Change, Error};

/// The longest value, in bytes of UTF-8.
pub const VALUE: usize = 256 << 10;
/// The longest key, in bytes of UTF-8.
pub const KEY: usize = 512;
/// The most changes in one write.
pub const CHANGES: usize = 1_000;
/// The most records.
pub const RECORDS: usize = 10_000;
/// The most bytes that keys and values of all records have together, since [`crate::Store::read`] gives all of them.
pub const TOTAL: usize = 64 << 20;

/// Holds a write against what can be known before the database is asked.
pub(crate) fn check(changes: &[Change]) -> Result<(), Error> {
    if changes.len() > CHANGES {
        let message = format!("a write has {} changes; the limit is {CHANGES}. Write them in parts", changes.len());
        return Err(Error::TooLarge(message));
    }
    for Change { key, value, .. } in changes {
        if key.len() > KEY {
            let start: String = key.chars().take(40).collect();
            let message = format!("the key `{start}…` has {} bytes; the limit is {KEY} bytes", key.len());
            return Err(Error::TooLarge(message));
        }
        if let Some(len) = value.as_ref().map(String::len).filter(|len| *len > VALUE) {
            let message = format!("the value of `{key}` has {len} bytes; the limit is {} KiB", VALUE >> 10);
            return Err(Error::TooLarge(message));
        }
    }
    Ok(())
}

/// Holds what there would be after a write against the bounds of the whole.
pub(crate) fn check_whole(records: i64, bytes: i64) -> Result<(), Error> {
    let over = |count: i64, limit: usize| usize::try_from(count).is_ok_and(|count| count > limit);
    if over(records, RECORDS) {
        let message =
            format!("there would be {records} records; the limit is {RECORDS}. Remove some that nobody needs");
        return Err(Error::TooLarge(message));
    }
    if over(bytes, TOTAL) {
        let message = format!("all records together would have {bytes} bytes; the limit is {} MiB", TOTAL >> 20);
        return Err(Error::TooLarge(message));
    }
    Ok(())
}
