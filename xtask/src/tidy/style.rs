//! The lines of the style section that a program can check.

use super::repository::File;
use super::source::Source;
use super::{Fault, Law, file_name, lies_in};

/// The most lines of a file without its tests.
const MOST_LINES: usize = 500;

/// Names that tell nothing: what lies behind them belongs where its rule is kept.
const EMPTY_NAMES: [&str; 10] =
    ["types", "util", "utils", "common", "core", "helper", "helpers", "manager", "managers", "misc"];

/// Marks of unfinished work. In pieces, so that this file does not break its own law.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const UNFINISHED_CODE: [&str; 2] = ["todo!", "unimplemented!"];

/// Files that are ours to finish: code and configuration. Prose may speak of unfinished work.
const WRITTEN: [&str; 7] = [".rs", ".toml", ".yaml", ".yml", ".mjs", ".py", ".sh"];

/// A Rust file.
pub(super) fn check(source: &Source<'_>) -> Vec<Fault> {
    let fault = |line, message: String| Fault::new(source.path, line, Law::Style, message);
    let mut faults = Vec::new();
    if !source.text.starts_with("//!") {
        faults.push(fault(1, "the first line does not say what the file is for (`//! …`)".to_owned()));
    }
    let lines = source.lines_without_tests();
    if lines > MOST_LINES && !source.is_test() {
        faults.push(fault(
            lines,
            format!("{lines} lines without tests, more than {MOST_LINES}: it has several subjects"),
        ));
    }
    faults.extend(
        empty_names(source).map(|(line, name)| fault(line, format!("`{name}` says nothing about what is in it"))),
    );
    for mark in UNFINISHED_CODE {
        faults.extend(source.code_matches(mark).map(|found| fault(found.line, format!("`{mark}`: unfinished"))));
    }
    let ignored = source
        .code_matches("#[ignore")
        .map(|found| fault(found.line, "a test that does not run is no test".to_owned()));
    faults.extend(ignored);
    let asleep = source.code_matches("thread::sleep").filter(|found| found.in_test);
    faults.extend(asleep.map(|found| fault(found.line, "a test waits for a condition, not for a time".to_owned())));
    faults
}

/// The name of the file, of the folders that it lies in, and of the modules that it begins.
fn empty_names<'s>(source: &'s Source<'_>) -> impl Iterator<Item = (usize, &'s str)> {
    let parts = source.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    let words: Vec<_> = source.words().collect();
    let modules = (1..words.len())
        .filter(|at| words[at - 1].text == "mod")
        .map(|at| (words[at].line, words[at].text))
        .collect::<Vec<_>>();
    parts.map(|part| (1, part)).chain(modules).filter(|(_, name)| EMPTY_NAMES.contains(name))
}

/// Any file that is written by hand.
pub(super) fn check_text(file: &File) -> Vec<Fault> {
    if !WRITTEN.iter().any(|end| file_name(&file.path).ends_with(end)) || lies_in(&file.path, "fuzz/seeds/") {
        return Vec::new();
    }
    let unfinished = |(at, line): (usize, &str)| {
        let mark = UNFINISHED
            .into_iter()
            .find(|mark| line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == *mark))?;
        Some(Fault::new(
            &file.path,
            at + 1,
            Law::Style,
            format!("`{mark}`: an issue is the place for what is not done"),
        ))
    };
    file.text.lines().enumerate().filter_map(unfinished).collect()
}
