//! The lists are in order.

use super::*;

fn words_of(list: &'static str) -> Vec<&'static str> {
    lines(list).flat_map(|line| line.trim_start_matches('!').split_whitespace()).collect()
}

#[test]
fn the_words_of_all_lists_are_as_words_are_found_in_texts() {
    for word in [GRAMMAR, TALK, WEAK, USUAL, THESAURUS].into_iter().flat_map(words_of) {
        let mut found = Vec::new();
        crate::words::words(word, crate::words::Writing { folding: true, pairs: true }, |written| {
            found.push(written.whole);
            crate::words::More::Please
        });
        assert_eq!(found, [word], "a word that no text has");
    }
}

#[test]
fn a_word_is_on_one_list_of_emphasis_once() {
    let mut words: Vec<_> = [GRAMMAR, TALK, WEAK].into_iter().flat_map(words_of).collect();
    words.sort_unstable();
    let twice: Vec<_> = words.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert_eq!(twice, [""; 0]);
}

#[test]
fn a_row_of_the_thesaurus_relates_words_that_mean_something() {
    let analysis = crate::analysis::Analysis::new(crate::Tuning::default());
    let idle = |row: &&'static str| {
        let terms: HashSet<_> = words_of(row).into_iter().map(|word| analysis.term(word)).collect();
        terms.len() < 2 || words_of(row).into_iter().any(|word| analysis.is_grammar(word))
    };
    assert_eq!(lines(THESAURUS).filter(idle).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn words_are_near_in_both_directions() {
    let analysis = crate::analysis::Analysis::new(crate::Tuning::default());
    let near = |one: &str, other: &str| analysis.lists.near(&analysis.term(one)).contains(&analysis.term(other));
    assert!(near("delete", "removing") && near("removing", "delete"));
    assert!(near("weather", "天气") && near("天气", "weather"));
    assert!(!near("delete", "create"));
}
