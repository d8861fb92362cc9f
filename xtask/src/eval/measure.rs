//! What a ranking is worth: the same figures as the corpora's `score.py` computes.

use crate::rank::corpus::Query;
use std::collections::BTreeSet;

/// Means over queries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    /// The share of a query's needs that one of the first five tools meets.
    pub(crate) recall_5: f64,
    /// The same for the first ten.
    pub(crate) recall_10: f64,
    /// How early needs are met within the first ten, 1 if all are met by the first tools.
    pub(crate) ndcg_10: f64,
}

// === impl Scores ===

impl Scores {
    /// Scores what `rank` finds for each query.
    pub(crate) fn of(queries: &[Query], rank: impl Fn(&Query) -> Vec<String>) -> Self {
        let scores: Vec<_> = queries.iter().map(|query| Self::of_one(&query.needs, &rank(query))).collect();
        Self::mean(&scores)
    }

    pub(crate) fn mean(scores: &[Self]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "there are few thousands")]
        let count = scores.len().max(1) as f64;
        let mean = |of: fn(&Self) -> f64| scores.iter().map(of).sum::<f64>() / count;
        Self {
            recall_5: mean(|scores| scores.recall_5),
            recall_10: mean(|scores| scores.recall_10),
            ndcg_10: mean(|scores| scores.ndcg_10),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "ranks and needs are few")]
    fn of_one(needs: &[Vec<String>], ranked: &[String]) -> Self {
        let first = |need: &Vec<String>| ranked.iter().position(|id| need.contains(id));
        let met: Vec<usize> = needs.iter().filter_map(first).collect();
        let count = needs.len().max(1);
        let recall = |within: usize| met.iter().filter(|rank| **rank < within).count() as f64 / count as f64;
        let gain = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
        // Several needs that one tool meets count one gain at its rank.
        let ranks: BTreeSet<usize> = met.iter().copied().filter(|rank| *rank < 10).collect();
        let ideal: f64 = (0..count.min(10)).map(gain).sum();
        let gained: f64 = ranks.into_iter().map(gain).sum();
        Self { recall_5: recall(5), recall_10: recall(10), ndcg_10: (gained / ideal).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(needs: &[&[&str]], ranked: &str) -> Scores {
        let needs: Vec<Vec<String>> =
            needs.iter().map(|need| need.iter().map(|id| (*id).to_owned()).collect()).collect();
        let ranked: Vec<String> = ranked.chars().map(String::from).collect();
        Scores::of_one(&needs, &ranked)
    }

    /// The figures are those of score.py.
    #[test]
    fn figures_are_as_the_corpora_define_them() {
        let near = |one: Scores, recall_5: f64, recall_10: f64, ndcg_10: f64| {
            let far = [one.recall_5 - recall_5, one.recall_10 - recall_10, one.ndcg_10 - ndcg_10];
            assert!(far.iter().all(|far| far.abs() < 1e-4), "{one:?}");
        };
        near(score(&[&["a"]], "a"), 1.0, 1.0, 1.0);
        near(score(&[&["a"]], "xa"), 1.0, 1.0, 0.6309);
        near(score(&[&["a"], &["b", "c"]], "xcxxxa"), 0.5, 1.0, 0.6053);
        near(score(&[&["a"], &["a"]], "a"), 1.0, 1.0, 0.6131);
        near(score(&[&["a"]], "xxxxxxxxxxa"), 0.0, 0.0, 0.0);
        near(score(&[&["a"]], ""), 0.0, 0.0, 0.0);
    }
}
