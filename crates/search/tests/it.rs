//! What the index promises, seen from outside.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use toolgate_search::{Document, Found, How, Index, Live, Parameter, Tuning};

type Groups = BTreeMap<String, Vec<Document>>;

fn tool(name: &str, description: &str) -> Document {
    Document { id: name.into(), name: name.into(), description: description.into(), ..Document::default() }
}

fn index(groups: &Groups) -> Index {
    let edit = Index::default().edit();
    groups.iter().fold(edit, |edit, (group, documents)| edit.put(group, documents.clone())).finish()
}

fn sample() -> Groups {
    let files = vec![
        tool("read_file", "Reads a file from disk."),
        tool("write_file", "Writes text to a file, replacing what was there."),
        tool("deleteDirectory", "Removes a directory and all that is in it."),
    ];
    let git = vec![tool("git_commit", "Records staged changes."), tool("git_log", "Shows the history of commits.")];
    let weather = vec![
        tool("get-forecast", "Weather of the next days for a city. Temperatures are in °C."),
        tool("tianqi", "查询城市的天气预报"),
        tool("previsao", "Previsão do tempo para uma cidade."),
        tool("timezone_of", "Tells in which timezone a place is."),
    ];
    [("files", files), ("git", git), ("weather", weather)].map(|(group, tools)| (group.to_owned(), tools)).into()
}

fn ids(found: &Found) -> Vec<&str> {
    found.hits.iter().map(|hit| hit.id.as_ref()).collect()
}

fn first(question: &str) -> String {
    let found = index(&sample()).all().search(question, 5);
    found.hits.first().map(|hit| hit.id.to_string()).unwrap_or_default()
}

#[test]
fn the_right_tool_comes_first() {
    for (question, tool) in [
        ("read a file", "read_file"),
        ("erase a folder", "deleteDirectory"),
        ("commit history", "git_log"),
        ("what will the weather be like in Paris?", "get-forecast"),
        ("天气", "tianqi"),
        ("previsao do tempo", "previsao"),
        ("ＲＥＡＤＦＩＬＥ", "read_file"),
        ("time zone", "timezone_of"),
        ("weathr forcast", "get-forecast"),
    ] {
        assert_eq!(first(question), tool, "{question}");
    }
}

#[test]
fn every_wish_of_a_question_is_answered_early() {
    let found = index(&sample()).all().search("Read the file on disk. Then show the history of commits.", 2);
    let mut ids = ids(&found);
    ids.sort_unstable();
    assert_eq!(ids, ["git_log", "read_file"]);
}

#[test]
fn mistakes_and_unknown_words_are_told() {
    let found = index(&sample()).all().search("wether in xylophone", 5);
    assert_eq!(found.corrected, [("wether".to_owned(), "weather".to_owned())]);
    assert_eq!(found.unknown, ["xylophone"]);
}

#[test]
fn nothing_is_corrected_into_a_word_that_is_hidden() {
    let part = index(&sample()).scope(|group, _| group != "weather");
    let found = part.search("wether", 5);
    assert_eq!((found.corrected, found.unknown), (vec![], vec!["wether".to_owned()]));
}

#[test]
fn a_reason_is_given_for_each_word() {
    let all = index(&sample()).all();
    let reasons = all.explain("erase a folder in the city", "files", "deleteDirectory").unwrap();
    let told: Vec<_> =
        reasons.iter().map(|r| (r.word.as_str(), r.answer.as_ref().map(|a| (a.term.as_str(), a.how)))).collect();
    let wanted =
        [("erase", Some(("remov", How::Synonym))), ("folder", Some(("directori", How::Synonym))), ("city", None)];
    assert_eq!(told, wanted);
    assert!(reasons.iter().all(|reason| reason.answer.as_ref().is_none_or(|answer| answer.counts <= reason.worth)));
    assert_eq!(all.explain("x", "files", "nothing"), None);
    assert_eq!(index(&sample()).scope(|group, _| group == "git").explain("x", "files", "read_file"), None);
}

#[test]
fn equal_documents_come_by_group_and_id() {
    let same = |ids: [&str; 2]| ids.map(|id| Document { id: id.into(), ..tool("ping", "Says pong.") }).to_vec();
    let one = Index::default().edit().put("b", same(["y", "x"])).finish().edit().put("a", same(["z", "w"])).finish();
    let found = one.all().search("ping", 9);
    assert_eq!(ids(&found), ["w", "z", "x", "y"]);
}

#[test]
fn of_documents_with_one_id_the_first_counts() {
    let index = Index::default().edit().put("g", vec![tool("a", "zebra"), tool("a", "giraffe")]).finish();
    assert_eq!(index.len(), 1);
    assert_eq!(index.all().search("giraffe", 9).matching, 0);
}

#[test]
fn a_text_of_single_letters_counts_like_any_other() {
    let tools =
        vec![tool("one", "Tool. aB"), tool("two", "Tool. aB is a word that few texts have, and this one is longer.")];
    let found = Index::default().edit().put("g", tools).finish().all().search("aB", 9);
    assert_eq!(ids(&found), ["one", "two"]);
    assert!(found.hits.iter().all(|hit| hit.score.is_finite() && hit.score < 100.0));
}

#[test]
fn a_removed_group_leaves_nothing_behind() {
    let mut index = index(&sample());
    for group in ["files", "git", "weather"] {
        index = index.edit().remove(group).finish();
    }
    let size = index.size();
    assert_eq!((size.documents, size.groups, size.terms, size.postings), (0, 0, 0, 0));
    assert!(index.is_empty() && index.all().is_empty());
}

#[test]
fn who_holds_an_index_keeps_it() {
    let live = Live::default();
    live.put("g", vec![tool("zebra", "")]);
    let before = live.now();
    live.put("g", vec![tool("giraffe", "")]);
    assert_eq!(before.all().search("zebra", 1).matching, 1);
    assert_eq!(live.now().all().search("zebra", 1).matching, 0);
}

#[test]
fn changes_from_many_sides_are_all_kept() {
    let live = Live::new(Tuning::default());
    std::thread::scope(|scope| {
        for n in 0..8 {
            let live = &live;
            scope.spawn(move || live.put(&format!("g{n}"), vec![tool("zebra", "")]));
        }
    });
    assert_eq!(live.now().all().search("zebra", 100).matching, 8);
}

/// Wide of the mark in a debug build on a busy machine; what it must catch is work that grows with the input.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn monstrous_questions_are_answered_soon() {
    let index = index(&sample()).all();
    let million: String = (0..1_000_000).map(|n| format!("word{n} ")).collect();
    let begun = Instant::now();
    for question in [million.as_str(), &"a".repeat(10_000_000), &"(a+)+$ ".repeat(100_000), &"查".repeat(1_000_000)] {
        assert_eq!(index.search(question, 10).hits, []);
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn monstrous_documents_are_indexed_soon_by_their_beginning() {
    let mut words = String::from("zebra ");
    words.extend((0..200_000).map(|n| format!("word{n} ")));
    let parameter = Parameter { name: "p".into(), description: words.clone(), values: vec![words.clone(); 10] };
    let monster = Document { parameters: vec![parameter; 100], title: words.clone(), ..tool("monster", &words) };
    let begun = Instant::now();
    let index = Index::default().edit().put("g", vec![monster]).finish();
    assert_eq!(index.all().search("zebra", 1).matching, 1);
    assert!(index.size().postings < 30_000, "{:?}", index.size());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

fn groups() -> impl Strategy<Value = Groups> {
    let word = || prop::sample::select(WORDS.as_slice());
    let text = move |most| prop::collection::vec(word(), 0..most).prop_map(|words| words.join(" "));
    let document = (0..6_u8, text(3), text(12), text(3)).prop_map(|(id, name, description, parameter)| Document {
        id: format!("t{id}"),
        name,
        description,
        parameters: vec![Parameter { name: parameter, ..Parameter::default() }],
        ..Document::default()
    });
    prop::collection::btree_map("[abc]", prop::collection::vec(document, 0..5), 0..4)
}

fn question() -> impl Strategy<Value = String> {
    let word = prop_oneof![prop::sample::select(WORDS.as_slice()).prop_map(str::to_owned), "[a-z]{3,9}"];
    prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

const WORDS: [&str; 24] = [
    "read",
    "write",
    "file",
    "delete",
    "remove",
    "create",
    "weather",
    "forecast.",
    "GitHub",
    "git",
    "timezone",
    "time",
    "zone",
    "send,",
    "and",
    "email",
    "天气",
    "查询",
    "calendar",
    "list",
    "the",
    "search",
    "then",
    "base64",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What a caller can't see is neither found nor counted: a scope answers as an index of its documents alone.
    #[test]
    fn a_scope_is_an_index_of_its_documents(groups in groups(), hidden in 0..64_u8, question in question()) {
        let sees = |group: &str, id: &str| (group.as_bytes()[0] + id.as_bytes()[1]) % 8 != hidden % 8;
        let mut seen = groups.clone();
        for (group, documents) in &mut seen {
            let mut ids = std::collections::HashSet::new();
            documents.retain(|document| ids.insert(document.id.clone()) && sees(group, &document.id));
        }
        let part = index(&groups).scope(sees);
        let alone = index(&seen).all();
        prop_assert_eq!(part.len(), alone.len());
        prop_assert_eq!(part.search(&question, 20), alone.search(&question, 20));
    }

    /// However it came about, an index of the same documents answers the same.
    #[test]
    fn an_edited_index_is_like_a_new_one(before in groups(), after in groups(), question in question()) {
        let mut edit = index(&before).edit();
        for group in before.keys() {
            edit = edit.remove(group);
        }
        let edited = after.iter().fold(edit, |edit, (group, documents)| edit.put(group, documents.clone())).finish();
        let new = index(&after);
        prop_assert_eq!(edited.size(), new.size());
        prop_assert_eq!(edited.all().search(&question, 20), new.all().search(&question, 20));
    }

    /// A shorter answer is the beginning of a longer one, and scores fall.
    #[test]
    fn an_answer_is_a_ranking(groups in groups(), question in question(), limit in 0..20_usize) {
        let all = index(&groups).all();
        let (short, long) = (all.search(&question, limit), all.search(&question, 40));
        prop_assert!(long.hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
        prop_assert_eq!(&short.hits[..], &long.hits[..limit.min(long.hits.len())]);
        prop_assert!(long.hits.len() <= long.matching && long.hits.iter().all(|hit| hit.score > 0.0 && hit.score.is_finite()));
    }

    /// No text is a fault, neither as a question nor in a document.
    #[test]
    fn any_text_will_do(text in any::<String>(), question in any::<String>()) {
        let document = Document { title: text.clone(), ..tool(&text, &text) };
        let index = Index::default().edit().put(&text, vec![document]).finish().all();
        let found = index.search(&question, 3);
        prop_assert!(found.hits.len() <= 1);
    }
}
