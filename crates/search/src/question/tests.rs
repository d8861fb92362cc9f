//! How questions are understood.

use super::*;
use crate::Tuning;

/// The words of each clause.
fn clauses(question: &str) -> Vec<String> {
    let question = Question::read(&Analysis::new(Tuning::default()), question);
    let mut clauses = vec![String::new(); question.clauses()];
    for asked in question.words {
        let clause = &mut clauses[asked.clause];
        clause.push_str(if clause.is_empty() { "" } else { " " });
        clause.push_str(&asked.word);
    }
    clauses
}

#[test]
fn sentences_are_clauses() {
    assert_eq!(clauses("Fetch the weather report. Mail it to Anna!"), ["fetch weather report", "mail anna"]);
    assert_eq!(clauses("查询天气。发送邮件"), ["查询 询天 天气", "发送 送邮 邮件"]);
}

#[test]
fn a_word_of_doing_after_and_begins_a_clause() {
    assert_eq!(clauses("read the file and send an email"), ["read file", "send email"]);
    assert_eq!(clauses("stocks and bonds prices"), ["stocks bonds prices"]);
    assert_eq!(clauses("convert the report, then archive old logs"), ["convert report", "archive old logs"]);
}

#[test]
fn one_word_alone_is_no_clause() {
    assert_eq!(clauses("Hello! What is the weather in Paris?"), ["hello weather paris"]);
}

#[test]
fn words_that_say_little_count_little() {
    let question = Question::read(&Analysis::new(Tuning::default()), "please find the best whiteboard");
    let weights: Vec<_> = question.words.iter().map(|asked| asked.weight).collect();
    assert_eq!(weights, [0.25, 1.0, 0.25, 1.0]);
}

#[test]
fn grammar_alone_asks_nothing() {
    for question in ["", "what is it", " \n\t.,;!?()[]{}^$*\\", "\u{0}\u{1}\u{7f}\u{200b}\u{feff}"] {
        assert_eq!(clauses(question), [""; 0], "{question:?}");
    }
}

#[test]
fn questions_are_cut() {
    let many: String = (0..1_000_000).map(|n| format!("w{n} ")).collect();
    assert_eq!(Question::read(&Analysis::new(Tuning::default()), &many).words.len(), MOST_ASKED);
    let sentences = "draw circles. ".repeat(1000);
    assert_eq!(Question::read(&Analysis::new(Tuning::default()), &sentences).clauses(), MOST_CLAUSES);
    let empty = "the ".repeat(1_000_000) + "weather";
    assert_eq!(Question::read(&Analysis::new(Tuning::default()), &empty).words.len(), 0);
}
