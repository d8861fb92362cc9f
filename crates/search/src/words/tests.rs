//! How texts fall into words.

use super::*;

fn read(text: &str) -> Vec<Written> {
    let mut read = Vec::new();
    words(text, Writing { folding: true, pairs: true }, |written| {
        read.push(written);
        More::Please
    });
    read
}

fn wholes(text: &str) -> Vec<String> {
    read(text).into_iter().map(|written| written.whole).collect()
}

fn parts(text: &str) -> Vec<String> {
    read(text).remove(0).parts
}

#[test]
fn names_fall_into_their_words() {
    assert_eq!(parts("getWaterQuality"), ["get", "water", "quality"]);
    assert_eq!(parts("HTTPServer"), ["http", "server"]);
    assert_eq!(parts("parseURLs"), ["parse", "urls"]);
    assert_eq!(parts("URLsToFetch"), ["urls", "to", "fetch"]);
    assert_eq!(parts("base64"), ["base", "64"]);
    assert_eq!(parts("GitHub"), ["git", "hub"]);
    assert_eq!(wholes("git_commit-all.now"), ["git", "commit", "all", "now"]);
    assert_eq!(parts("weather"), [""; 0]);
}

#[test]
fn apostrophes_belong_to_words_or_to_nobody() {
    assert_eq!(
        wholes("the user's 'quoted' don't rock 'n' roll’s"),
        ["the", "user", "quoted", "dont", "rock", "n", "roll"]
    );
}

#[test]
fn one_character_has_one_form() {
    assert_eq!(wholes("Ｆｕｌｌ ﬁle São İstanbul ısı ΑΘΉΝΑ"), ["full", "file", "sao", "istanbul", "isi", "αθηνα"]);
}

#[test]
fn text_without_spaces_falls_into_pairs() {
    assert_eq!(wholes("查询天气"), ["查询", "询天", "天气"]);
    assert_eq!(wholes("用git提交"), ["用", "git", "提交"]);
    assert_eq!(wholes("날씨 조회"), ["날씨", "조회"]);
    assert_eq!(wholes("天"), ["天"]);
}

#[test]
fn what_stands_between_words_is_told() {
    let gaps: Vec<_> = read("Find it, then v1.2 stop. Now (go)! 好，再见").into_iter().map(|word| word.gap).collect();
    use Gap::{Comma, Sentence, Space};
    assert_eq!(gaps, [Space, Space, Comma, Space, Space, Space, Sentence, Space, Sentence, Comma]);
}

#[test]
fn other_scripts_keep_their_words() {
    assert_eq!(wholes("поиск файлов"), ["поиск", "фаилов"]);
    assert_eq!(wholes("मौसम देखें"), ["मौसम", "देखें"]);
    assert_eq!(wholes("بحث عن ملف"), ["بحث", "عن", "ملف"]);
}

#[test]
fn long_texts_and_words_are_cut() {
    assert_eq!(wholes(&"x".repeat(1000)), ["x".repeat(LONGEST_WORD)]);
    assert_eq!(read(&"ab ".repeat(100_000)).len(), LONGEST_TEXT.div_ceil(3));
    assert_eq!(read(&"é".repeat(100_000)).len(), 1);
}

#[test]
fn it_ends_when_enough_is_given() {
    let mut count = 0;
    words("one two three", Writing { folding: true, pairs: true }, |_| {
        count += 1;
        if count < 2 { More::Please } else { More::Enough }
    });
    assert_eq!(count, 2);
}
