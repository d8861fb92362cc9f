//! The dictionary, and what is near to a word.

use super::*;
use proptest::prelude::*;

fn terms(words: &[&str]) -> Terms {
    let mut terms = Terms::default();
    words.iter().for_each(|word| {
        terms.number(word);
    });
    terms
}

fn near(terms: &Terms, word: &str) -> Vec<(String, usize)> {
    terms.near(word, word).map(|near| (terms.text(near.id).to_owned(), near.distance)).collect()
}

#[test]
fn mistakes_are_put_in_left_out_changed_or_swapped() {
    let terms = terms(&["calendar", "collateral", "weather", "file"]);
    assert_eq!(near(&terms, "calender"), [("calendar".to_owned(), 1)]);
    assert_eq!(near(&terms, "calednar"), [("calendar".to_owned(), 1)]);
    assert_eq!(near(&terms, "calndr"), []);
    assert_eq!(near(&terms, "wether"), [("weather".to_owned(), 1)]);
    assert_eq!(near(&terms, "fle"), [], "too short to tell");
    assert_eq!(near(&terms, "天气预报"), []);
}

#[test]
fn a_forgotten_term_is_gone_and_its_number_free() {
    let mut terms = terms(&["calendar", "weather"]);
    let id = terms.get("calendar").unwrap();
    terms.forget(&[id]);
    assert_eq!(terms.get("calendar"), None);
    assert_eq!(near(&terms, "calender"), []);
    assert_eq!(terms.number("kitchen"), id);
    assert_eq!((terms.len(), terms.numbers()), (2, 2));
    assert_eq!(near(&terms, "kitchn"), [("kitchen".to_owned(), 1)]);
}

/// The definition, without any care for time.
fn slow(one: &[u8], other: &[u8]) -> usize {
    let ([first, one_rest @ ..], [second, other_rest @ ..]) = (one, other) else { return one.len().max(other.len()) };
    let changed = slow(one_rest, other_rest) + usize::from(first != second);
    let least = changed.min(slow(one_rest, other) + 1).min(slow(one, other_rest) + 1);
    match (one, other) {
        ([a, b, one @ ..], [c, d, other @ ..]) if a == d && b == c => least.min(slow(one, other) + 1),
        _ => least,
    }
}

proptest! {
    #[test]
    fn distances_are_as_defined(one in "[abc]{0,6}", other in "[abc]{0,6}", most in 0..4_usize) {
        let wanted = slow(one.as_bytes(), other.as_bytes());
        prop_assert_eq!(distance(&one, &other, most), (wanted <= most).then_some(wanted));
    }

    /// Looking from afar overlooks nothing.
    #[test]
    fn shapes_leave_out_only_what_is_far(word in "[a-d]{4,12}", others in prop::collection::vec("[a-d]{3,12}", 1..40)) {
        let mut others = others;
        others.sort();
        others.dedup();
        let terms = terms(&others.iter().map(String::as_str).collect::<Vec<_>>());
        let most = if word.len() >= LONG { 2 } else { 1 };
        let wanted: Vec<_> = others
            .iter()
            .filter(|other| other.as_bytes()[0] == word.as_bytes()[0])
            .filter_map(|other| Some((other.clone(), distance(&word, other, most)?)))
            .collect();
        prop_assert_eq!(near(&terms, &word), wanted);
    }
}
