//! What each part of the engine is worth: the figures without it, or with another figure in its place.

use super::{Row, engine, spoil};
use crate::rank::corpus::{Corpus, Query};
use anyhow::Context;
use toolgate_search::{Field, Tuning};

/// Wishes in other languages than English, for tools of the corpus `wild`; written for this repository.
const FOREIGN: &str = include_str!("foreign.jsonl");
/// The corpus that they are for.
const FOREIGN_CORPUS: &str = "wild";

/// One way to change the engine.
type Change = (&'static str, fn(&mut Tuning));

/// All of it first, then one thing changed at a time.
pub(super) fn rows(corpora: &[Corpus], ask: fn(&Query) -> String) -> Vec<Row> {
    let mut rows = vec![engine("all", corpora, &Tuning::default(), ask)];
    rows.extend(CHANGES.iter().map(|change| changed(corpora, change, ask)));
    rows
}

/// Every other longer word of the queries is misspelt.
pub(super) fn spoilt(corpora: &[Corpus]) -> Vec<Row> {
    let ask = |query: &Query| spoil::spoil(&query.text);
    vec![
        engine("all", corpora, &Tuning::default(), ask),
        changed(corpora, &("misspellings are not corrected", |tuning| tuning.misspelling = 0.0), ask),
        changed(
            corpora,
            &("nor is anything else related", |tuning| (tuning.misspelling, tuning.synonym) = (0.0, 0.0)),
            ask,
        ),
    ]
}

/// Wishes in other languages.
pub(super) fn foreign(corpora: &[Corpus]) -> anyhow::Result<Vec<Row>> {
    let corpus = corpora.iter().find(|corpus| corpus.name == FOREIGN_CORPUS);
    let Some(corpus) = corpus else { return Ok(Vec::new()) };
    let queries = Corpus::queries(FOREIGN).context("foreign.jsonl")?;
    let corpora = [Corpus { name: "wild".to_owned(), servers: corpus.servers.clone(), queries }];
    let mut rows = vec![engine("all", &corpora, &Tuning::default(), Corpus::as_asked)];
    let changes: [Change; 4] = [
        ("no pairs of signs", |tuning| tuning.pairs = false),
        ("no folding of forms and accents", |tuning| tuning.folding = false),
        ("no synonyms", |tuning| tuning.synonym = 0.0),
        ("misspellings are not corrected", |tuning| tuning.misspelling = 0.0),
    ];
    rows.extend(changes.iter().map(|change| changed(&corpora, change, Corpus::as_asked)));
    Ok(rows)
}

fn changed(corpora: &[Corpus], (name, change): &Change, ask: fn(&Query) -> String) -> Row {
    let mut tuning = Tuning::default();
    change(&mut tuning);
    engine(name, corpora, &tuning, ask)
}

fn weight(tuning: &mut Tuning, field: Field, factor: f32) {
    tuning.fields[field as usize].weight *= factor;
}

const CHANGES: [Change; 29] = [
    ("words of grammar count", |tuning| tuning.grammar = false),
    ("words of talk count fully", |tuning| tuning.talk = 1.0),
    ("words of talk count nothing", |tuning| tuning.talk = 0.0),
    ("weak words count fully", |tuning| tuning.weak = 1.0),
    ("no stems", |tuning| tuning.stems = false),
    ("names are not split", |tuning| tuning.parts = false),
    ("no folding of forms and accents", |tuning| tuning.folding = false),
    ("no pairs of signs", |tuning| tuning.pairs = false),
    ("no synonyms", |tuning| tuning.synonym = 0.0),
    ("synonyms count 0.2", |tuning| tuning.synonym = 0.2),
    ("synonyms count 0.6", |tuning| tuning.synonym = 0.6),
    ("no compounds", |tuning| tuning.compound = 0.0),
    ("misspellings are not corrected", |tuning| tuning.misspelling = 0.0),
    ("rarity from the index alone", |tuning| tuning.usual_tools = 0.0),
    ("rarity as with 5,000 usual tools", |tuning| tuning.usual_tools = 5000.0),
    ("completeness does not matter", |tuning| tuning.completeness = 0.0),
    ("completeness in proportion", |tuning| tuning.completeness = 1.0),
    ("one wish only", |tuning| tuning.clause = 0.0),
    ("wishes stay unanswered", |tuning| tuning.answered = 0.0),
    ("saturation 0.6", |tuning| tuning.saturation = 0.6),
    ("saturation 2.4", |tuning| tuning.saturation = 2.4),
    ("all fields count the same", |tuning| tuning.fields.iter_mut().for_each(|field| field.weight = 1.0)),
    ("length does not matter", |tuning| tuning.fields.iter_mut().for_each(|field| field.shortening = 0.0)),
    ("no names", |tuning| weight(tuning, Field::Name, 0.0)),
    ("no servers", |tuning| weight(tuning, Field::Group, 0.0)),
    ("no first sentences", |tuning| weight(tuning, Field::First, 0.0)),
    ("no rest of descriptions", |tuning| weight(tuning, Field::Rest, 0.0)),
    ("no names of parameters", |tuning| weight(tuning, Field::ParameterName, 0.0)),
    ("no descriptions or values of parameters", |tuning| {
        weight(tuning, Field::ParameterText, 0.0);
        weight(tuning, Field::ParameterValue, 0.0);
    }),
];
