//! The name of an upstream as it can stand in a tool's name.
//!
//! A pure function of the name as written, so that adding or removing an upstream never renames another's tools.

/// The longest name of an upstream as written, in characters.
pub(crate) const MAX_NAME: usize = 64;
/// The longest name as it stands in a tool's, which has 64 characters in all.
const MAX_SLUG: usize = 40;
/// What is kept of a longer one, before `-` and a hash of the whole.
const KEPT: usize = MAX_SLUG - 9;

/// The name with runs of other characters as one `-`, and no `__`: that is what parts upstream and tool.
///
/// A name of which nothing is left, such as one in Chinese, becomes `u-` and a hash of it.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let doubled = matches!(c, '_' | '-') && slug.ends_with(c);
        if !doubled {
            slug.push(c);
        }
    }
    let slug = slug.trim_matches(['-', '_']);
    match slug.len() {
        0 => format!("u-{:08x}", fnv(name)),
        1..=MAX_SLUG => slug.to_owned(),
        _ => format!("{}-{:08x}", slug[..KEPT].trim_end_matches(['-', '_']), fnv(name)),
    }
}

/// FNV-1a: small, and the same on every machine and in every version, which `std`'s hasher does not promise.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
