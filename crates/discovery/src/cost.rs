//! When discovery pays: what a task costs with every definition listed, and through the surface.
//!
//! A model reads its whole context in every turn, so what is listed is paid for in each of them, and what a search
//! answered in all that follow. A search is also a turn of its own, in which everything else is read once more. That is
//! why a surface is worth nothing where the list is short; the arithmetic shows where the line is.

/// What the parts cost, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// All definitions together, as they are listed directly.
    pub direct: usize,
    /// The surface's own definitions and instructions.
    pub surface: usize,
    /// One search: its request and its answer.
    pub search: usize,
    /// The rest of the context, such as the host's system prompt, which an additional turn reads once more.
    pub context: usize,
    /// Calls that one search prepares.
    pub calls_per_search: usize,
}

/// What a task of some calls costs in both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Turns that call a tool.
    pub turns: usize,
    /// Tokens with everything listed.
    pub direct: usize,
    /// Tokens through the surface.
    pub search: usize,
}

// === impl Parts ===

impl Parts {
    /// A task of `turns` calls.
    pub fn compare(&self, turns: usize) -> Comparison {
        let every = self.calls_per_search.max(1);
        let searches = turns.div_ceil(every);
        // Search number `s` comes before call `s * every`; its answer is read in the turns that are left then.
        let read_again: usize = (0..searches).map(|search| (turns - search * every) + (searches - search - 1)).sum();
        Comparison {
            turns,
            direct: turns * self.direct,
            search: (turns + searches) * self.surface + searches * self.context + read_again * self.search,
        }
    }

    /// Tasks of 1 to `most` calls.
    pub fn table(&self, most: usize) -> Vec<Comparison> {
        (1..=most).map(|turns| self.compare(turns)).collect()
    }

    /// The fewest definitions' tokens from which the surface is cheaper for a task of `turns` calls.
    pub fn break_even(&self, turns: usize) -> usize {
        let turns = turns.max(1);
        self.compare(turns).search / turns + 1
    }
}

// === impl Comparison ===

impl Comparison {
    /// Whether the surface costs less.
    pub fn search_is_cheaper(&self) -> bool {
        self.search < self.direct
    }

    /// What part of the direct cost is saved; negative where it costs more.
    pub fn saved(&self) -> f64 {
        if self.direct == 0 { 0.0 } else { 1.0 - self.search as f64 / self.direct as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: Parts = Parts { direct: 10_000, surface: 200, search: 1_000, context: 5_000, calls_per_search: 1 };

    #[test]
    fn one_call_is_a_search_and_a_call() {
        // Two turns with the surface, one more reading of the context, one reading of the answer.
        assert_eq!(PARTS.compare(1), Comparison { turns: 1, direct: 10_000, search: 2 * 200 + 5_000 + 1_000 });
    }

    #[test]
    fn answers_are_read_in_every_later_turn() {
        // search, call, search, call: the first answer is read three times, the second once.
        assert_eq!(PARTS.compare(2).search, 4 * 200 + 2 * 5_000 + 4 * 1_000);
        // search, call, call: once each.
        assert_eq!(Parts { calls_per_search: 2, ..PARTS }.compare(2).search, 3 * 200 + 5_000 + 2 * 1_000);
    }

    #[test]
    fn a_list_at_the_break_even_is_where_search_begins_to_pay() {
        for turns in 1..=30 {
            let at = PARTS.break_even(turns);
            assert!(Parts { direct: at, ..PARTS }.compare(turns).search_is_cheaper());
            assert!(!Parts { direct: at - 1, ..PARTS }.compare(turns).search_is_cheaper());
        }
    }
}
