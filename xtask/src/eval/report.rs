//! The figures as tables in Markdown, for the screen and for docs/search-quality.md.

use super::Row;
use super::measure::Scores;
use crate::rank::corpus::Corpus;

/// Between these lines of the document stand the tables.
const BEGIN: &str = "<!-- figures: cargo xtask eval --ablate --write -->";
const END: &str = "<!-- end of figures -->";
const FILE: &str = "docs/search-quality.md";

/// A table of methods and corpora.
pub(super) fn comparison(corpora: &[Corpus], rows: &[Row]) -> String {
    let mut text = String::from("recall@5 / recall@10 / nDCG@10\n\n| method |");
    for corpus in corpora {
        text += &format!(" {} ({} tools, {} queries) |", corpus.name, corpus.tools(), corpus.queries.len());
    }
    text += " macro |\n|---|";
    text += &"---|".repeat(corpora.len() + 1);
    for row in rows {
        text += &format!("\n| {} |", row.name);
        for scores in row.scores.iter().chain([&row.macro_average()]) {
            text += &format!(" {} |", three(*scores));
        }
    }
    text + "\n"
}

/// A table of changes: macro averages, and the differences from the first row in points.
pub(super) fn ablation(title: &str, rows: &[Row]) -> String {
    let Some(all) = rows.first().map(Row::macro_average) else { return String::new() };
    let mut text = format!("\n| {title} | recall@5 | recall@10 | nDCG@10 | in points |\n|---|---|---|---|---|");
    for row in rows {
        let scores = row.macro_average();
        let points = |of: fn(&Scores) -> f64| format!("{:+.1}", (of(&scores) - of(&all)) * 100.0);
        let points = [points(|s| s.recall_5), points(|s| s.recall_10), points(|s| s.ndcg_10)].join(" / ");
        let Scores { recall_5, recall_10, ndcg_10 } = scores;
        text += &format!("\n| {} | {recall_5:.3} | {recall_10:.3} | {ndcg_10:.3} | {points} |", row.name);
    }
    text + "\n"
}

fn three(scores: Scores) -> String {
    format!("{:.3} / {:.3} / {:.3}", scores.recall_5, scores.recall_10, scores.ndcg_10)
}

/// Puts the tables into the document.
///
/// # Errors
/// When the document or its marks are missing.
pub(super) fn write(tables: &str) -> anyhow::Result<()> {
    crate::figures::write(FILE, BEGIN, END, tables)
}
