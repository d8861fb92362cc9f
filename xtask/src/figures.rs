//! Puts tables into a document of `docs`, between two marks; the prose around them stays.

use anyhow::Context as _;

/// Replaces what stands between the lines `begin` and `end` of `file`.
///
/// # Errors
/// When the document or its marks are missing.
pub(crate) fn write(file: &str, begin: &str, end: &str, tables: &str) -> anyhow::Result<()> {
    let path = crate::root().join(file);
    let text = std::fs::read_to_string(&path).with_context(|| file.to_owned())?;
    let (before, rest) = text.split_once(begin).with_context(|| format!("{file} has no line {begin}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("{file} has no line {end}"))?;
    std::fs::write(&path, format!("{before}{begin}\n{tables}{end}{after}"))?;
    println!("written into {file}");
    Ok(())
}
