//! Law 3: the core speaks the modern era only, so it has no word for another one.
//!
//! What counts as naming an era: an identifier with the word `Era` or `legacy` in it, and the texts "legacy" and "modern".
//! A member called `era` does not count: it may be carried along, but nothing can be decided by it without these words.

use super::source::{Source, Token};
use super::{Fault, Law, lies_in};

/// Where eras may be named, and why.
const ALLOWED: [(&str, &str); 10] = [
    ("crates/protocol/", "says what an era is"),
    ("crates/config/", "an operator may pin an upstream's era"),
    ("crates/builtin/", "these are servers behind the gateway and speak both eras themselves"),
    ("crates/upstream/", "finds an upstream's era out, and makes legacy ones modern"),
    ("crates/transport/", "hears which era a client speaks, and makes legacy ones modern"),
    ("crates/catalog/src/offer.rs", "which definitions are malformed depends on the era they were written in"),
    ("crates/catalog/src/shelf.rs", "a remembered legacy verdict is believed for a while only: servers are updated"),
    ("crates/catalog/src/snapshot.rs", "only modern lists say whether they may be shared"),
    ("crates/app/src/build.rs", "hands the pin from the settings to the upstream"),
    ("crates/toolgate/src/", "the commands are a client, which finds the era out as any other"),
];

/// Every era that is named where it may not be, and every permission that nobody needs.
pub(super) fn check(sources: &[Source<'_>]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("crates/")) {
        if ALLOWED.iter().any(|(place, _)| lies_in(source.path, place)) {
            continue;
        }
        for named in named(source) {
            faults.push(Fault::new(source.path, named.line, Law::Eras, format!("`{}` names an era", named.text)));
        }
    }
    faults.extend(unused(sources));
    faults
}

/// A permission outlives its reason easily; then it only hides a breach. Crates that do not exist need no permission yet.
fn unused(sources: &[Source<'_>]) -> Vec<Fault> {
    let in_place = |place: &str| sources.iter().filter(move |source| lies_in(source.path, place)).collect::<Vec<_>>();
    let is_unused = |place: &&(&str, &str)| {
        let sources = in_place(place.0);
        !sources.is_empty() && sources.iter().all(|source| named(source).next().is_none())
    };
    let message = |place: &str| format!("{place} names no era any more; take it out of the table");
    let table = "xtask/src/tidy/eras.rs";
    ALLOWED.iter().filter(is_unused).map(|(place, _)| Fault::new(table, 1, Law::Eras, message(place))).collect()
}

/// Where the code outside of tests names an era.
fn named<'s>(source: &'s Source<'_>) -> impl Iterator<Item = Token<'s>> {
    let words = source.words().filter(|word| names_an_era(word.text));
    let texts = source.strings().filter(|text| matches!(text.text, "legacy" | "modern"));
    words.chain(texts).filter(|token| !token.in_test)
}

/// Whether an identifier has the word `Era` or `legacy` in it, as in `EraPin`, `LATEST_LEGACY` and `as_legacy_error`.
fn names_an_era(word: &str) -> bool {
    let is_word = |part: &str| part.eq_ignore_ascii_case("legacy") || part == "Era";
    word.split('_').any(|part| is_word(part) || humps(part).any(is_word))
}

/// The words of a name in camel case.
fn humps(name: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> =
        name.char_indices().filter(|(at, c)| *at == 0 || c.is_uppercase()).map(|(at, _)| at).collect();
    (0..starts.len()).map(move |n| &name[starts[n]..starts.get(n + 1).copied().unwrap_or(name.len())])
}
