//! The ranking: what each document counts for a question, and in which order they are shown.
//!
//! A document's score is the sum over the question's words of what the best answer to each counts in it, times the share
//! of the question that it answers. A question of several wishes is ranked so that each is answered early: the documents
//! are chosen one after the other, each for the whole question and for the wish that is answered least yet.

use crate::needs::{Need, Needs};
use crate::posting::Slot;
use crate::scope::Scope;
use std::cmp::Ordering;

/// The most postings that one question reads, for a bound on its time: the rarest words first, so that what is left out
/// is what nearly all documents have. Only long questions to large indexes come to it. Hidden postings are read too, and
/// so count here, and only here.
const MOST_READ: usize = 1_000_000;
/// How many of the best for the whole question, and for each of its clauses, are considered for a place.
const BEST_OF_WHOLE: usize = 100;
const BEST_OF_CLAUSE: usize = 30;
/// How many are placed one after the other; nobody reads further, and then they follow by score.
const PLACED: usize = 50;

/// What documents count for each need: the columns of a large table in which most is empty.
struct Columns {
    /// By need, in pieces of `cells`.
    ends: Vec<usize>,
    cells: Vec<(Slot, f32)>,
}

/// Documents that are considered for a question of several clauses.
struct Candidates {
    slots: Vec<Slot>,
    /// What each counts for the whole question, as a share of the best.
    whole: Vec<f32>,
    /// The same for each clause.
    clauses: Vec<Vec<f32>>,
}

/// The best documents and what they count, and how many count anything.
pub(crate) fn rank(scope: &Scope, needs: &Needs, clauses: usize, limit: usize) -> (Vec<(Slot, f32)>, usize) {
    let needs = affordable(scope, &needs.needs);
    let columns = Columns::read(scope, &needs);
    let mut whole = columns.sum(scope);
    columns.complete(scope, &needs, &mut whole);
    let matching = whole.iter().filter(|score| **score > 0.0).count();
    let several = clauses > 1 && needs.iter().any(|need| need.clauses != needs[0].clauses);
    let ranked = if several && limit > 0 {
        let candidates = Candidates::choose(scope, &columns, &needs, &whole, clauses);
        candidates.place(scope, limit, &whole)
    } else {
        best(scope, &whole, limit)
    };
    (ranked, matching)
}

/// The needs that there is time for, in the order of the question.
fn affordable<'n>(scope: &Scope, needs: &'n [Need]) -> Vec<&'n Need> {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by(|one, other| needs[*other].weight.total_cmp(&needs[*one].weight).then(one.cmp(other)));
    let mut left = MOST_READ;
    order.retain(|at| {
        let cost = cost(scope, &needs[*at]);
        let affordable = cost <= left;
        left -= if affordable { cost } else { 0 };
        affordable
    });
    order.sort_unstable();
    order.into_iter().map(|at| &needs[at]).collect()
}

/// How many postings are read for a need.
fn cost(scope: &Scope, need: &Need) -> usize {
    need.answers.iter().map(|answer| scope.postings(answer.term).len()).sum()
}

/// The best by score.
fn best(scope: &Scope, scores: &[f32], limit: usize) -> Vec<(Slot, f32)> {
    let scored = scores.iter().enumerate().filter(|(_, score)| **score > 0.0);
    first(scope, scored.map(|(slot, score)| (slot_of(slot), *score)).collect(), limit)
}

/// The first of what was found. Names are compared only where scores are equal and the limit lies between them.
fn first(scope: &Scope, mut found: Vec<(Slot, f32)>, limit: usize) -> Vec<(Slot, f32)> {
    let order = |one: &(Slot, f32), other: &(Slot, f32)| better(scope, *one, *other);
    if limit == 0 {
        return Vec::new();
    }
    if found.len() > limit {
        let mut scores: Vec<f32> = found.iter().map(|(_, score)| *score).collect();
        let (_, lowest, _) = scores.select_nth_unstable_by(limit - 1, |one, other| other.total_cmp(one));
        let lowest = *lowest;
        found.retain(|(_, score)| *score >= lowest);
    }
    if found.len() > limit {
        found.select_nth_unstable_by(limit - 1, order);
        found.truncate(limit);
    }
    found.sort_unstable_by(order);
    found
}

/// The higher score first, then the order of groups and ids.
fn better(scope: &Scope, one: (Slot, f32), other: (Slot, f32)) -> Ordering {
    other.1.total_cmp(&one.1).then_with(|| scope.place(one.0).cmp(scope.place(other.0)))
}

fn slot_of(at: usize) -> Slot {
    Slot::try_from(at).expect("slots are numbered below 2^32")
}

fn highest(scores: &[f32]) -> f32 {
    scores.iter().copied().fold(f32::MIN_POSITIVE, f32::max)
}

// === impl Columns ===

impl Columns {
    fn read(scope: &Scope, needs: &[&Need]) -> Self {
        let room = needs.iter().map(|need| cost(scope, need)).sum();
        let mut columns = Self { ends: Vec::with_capacity(needs.len()), cells: Vec::with_capacity(room) };
        let mut best = vec![0.0_f32; scope.slots()];
        for need in needs {
            columns.add(scope, need, &mut best);
        }
        columns
    }

    /// Reads the postings of one need. `best` is empty before and after.
    fn add(&mut self, scope: &Scope, need: &Need, best: &mut [f32]) {
        let start = self.cells.len();
        for answer in &need.answers {
            for posting in scope.postings(answer.term).iter().filter(|posting| scope.sees(posting.slot)) {
                let counts = answer.weight * posting.weight();
                let best = &mut best[posting.slot as usize];
                if *best == 0.0 {
                    self.cells.push((posting.slot, 0.0));
                }
                *best = best.max(counts);
            }
        }
        for (slot, counts) in &mut self.cells[start..] {
            *counts = std::mem::take(&mut best[*slot as usize]);
        }
        self.ends.push(self.cells.len());
    }

    fn of(&self, need: usize) -> &[(Slot, f32)] {
        let start = need.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.cells[start..self.ends[need]]
    }

    /// What each document counts for all needs, by slot.
    fn sum(&self, scope: &Scope) -> Vec<f32> {
        let mut sums = vec![0.0; scope.slots()];
        for (slot, counts) in &self.cells {
            sums[*slot as usize] += counts;
        }
        sums
    }

    /// The best documents for a clause alone. `sums` is empty before and after.
    fn best_of(&self, scope: &Scope, needs: &[&Need], clause: usize, sums: &mut [f32]) -> Vec<(Slot, f32)> {
        let mut found: Vec<(Slot, f32)> = Vec::new();
        for need in (0..needs.len()).filter(|need| needs[*need].clauses & 1 << clause != 0) {
            for (slot, counts) in self.of(need) {
                let sum = &mut sums[*slot as usize];
                if *sum == 0.0 {
                    found.push((*slot, 0.0));
                }
                *sum += counts;
            }
        }
        found.iter_mut().for_each(|(slot, sum)| *sum = std::mem::take(&mut sums[*slot as usize]));
        first(scope, found, BEST_OF_CLAUSE)
    }

    /// What some documents count for each clause, as shares of the highest.
    fn shares(&self, needs: &[&Need], of: &[Slot], highest: &[f32], slots: usize) -> Vec<Vec<f32>> {
        let mut shares = vec![vec![0.0; of.len()]; highest.len()];
        let mut column = vec![u16::MAX; slots];
        for (at, slot) in (0..).zip(of) {
            column[*slot as usize] = at;
        }
        for (need, clauses) in needs.iter().map(|need| need.clauses).enumerate() {
            let cells = self.of(need).iter().map(|(slot, counts)| (column[*slot as usize], counts));
            for (at, counts) in cells.filter(|(at, _)| *at != u16::MAX) {
                for (clause, shares) in shares.iter_mut().enumerate().filter(|(clause, _)| clauses & 1 << clause != 0) {
                    shares[usize::from(at)] += counts / highest[clause];
                }
            }
        }
        shares
    }

    /// Lowers the scores of documents that answer a part of the question only.
    fn complete(&self, scope: &Scope, needs: &[&Need], scores: &mut [f32]) {
        let power = scope.index().state.analysis.tuning.completeness;
        let all: f32 = needs.iter().map(|need| need.weight).sum();
        if power <= 0.0 || all <= 0.0 {
            return;
        }
        // The square root is the usual case, and a tenth of the time.
        let share = |share: f32| if power == 0.5 { share.sqrt() } else { share.powf(power) };
        let mut answered = vec![0.0_f32; scores.len()];
        for (at, need) in needs.iter().enumerate() {
            for (slot, _) in self.of(at) {
                answered[*slot as usize] += need.weight;
            }
        }
        for (score, answered) in scores.iter_mut().zip(answered).filter(|(score, _)| **score > 0.0) {
            *score *= share(answered / all);
        }
    }
}

// === impl Candidates ===

impl Candidates {
    fn choose(scope: &Scope, columns: &Columns, needs: &[&Need], whole: &[f32], clauses: usize) -> Self {
        let mut slots: Vec<Slot> = best(scope, whole, BEST_OF_WHOLE).into_iter().map(|(slot, _)| slot).collect();
        let mut highest_of = Vec::new();
        let mut sums = vec![0.0; scope.slots()];
        for clause in 0..clauses {
            let found = columns.best_of(scope, needs, clause, &mut sums);
            highest_of.push(found.first().map_or(f32::MIN_POSITIVE, |(_, score)| *score));
            slots.extend(found.into_iter().map(|(slot, _)| slot));
        }
        slots.sort_unstable();
        slots.dedup();
        let clauses = columns.shares(needs, &slots, &highest_of, scope.slots());
        let highest = highest(whole);
        Self { whole: slots.iter().map(|slot| whole[*slot as usize] / highest).collect(), clauses, slots }
    }

    /// Puts them in order, then what else there is. The scores fall from one to the next, and the first is the best of `all`.
    fn place(&self, scope: &Scope, limit: usize, all: &[f32]) -> Vec<(Slot, f32)> {
        let tuning = &scope.index().state.analysis.tuning;
        let mut left: Vec<usize> = (0..self.slots.len()).collect();
        let mut answered = vec![0.0_f32; self.clauses.len()];
        let mut placed: Vec<(Slot, f32)> = Vec::new();
        while placed.len() < limit.min(PLACED) {
            let worth = |at: usize| {
                let clauses = self.clauses.iter().zip(&answered);
                let unanswered = clauses.map(|(shares, answered)| shares[at] - tuning.answered * answered);
                (1.0 - tuning.clause) * self.whole[at] + tuning.clause * unanswered.fold(0.0, f32::max)
            };
            let valued = left.iter().enumerate().map(|(place, at)| (place, (self.slots[*at], worth(*at))));
            let Some((place, next)) = valued.min_by(|one, other| better(scope, one.1, other.1)) else { break };
            let at = left.swap_remove(place);
            for (shares, answered) in self.clauses.iter().zip(&mut answered) {
                *answered = answered.max(shares[at]);
            }
            placed.push(next);
        }
        let scale = highest(all);
        placed.iter_mut().for_each(|(_, worth)| *worth *= scale);
        Self::follow(scope, placed, limit, all)
    }

    /// Appends the best of the rest, with scores below the last.
    fn follow(scope: &Scope, mut placed: Vec<(Slot, f32)>, limit: usize, all: &[f32]) -> Vec<(Slot, f32)> {
        if placed.len() >= limit {
            return placed;
        }
        let lowest = placed.last().map_or(f32::MAX, |(_, score)| *score);
        let mut rest = best(scope, all, limit);
        rest.retain(|(slot, _)| !placed.iter().any(|(placed, _)| placed == slot));
        rest.truncate(limit - placed.len());
        placed.extend(rest.into_iter().map(|(slot, score)| (slot, score.min(lowest))));
        placed
    }
}
