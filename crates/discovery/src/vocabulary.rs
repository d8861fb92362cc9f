//! Counts o200k tokens: the byte-pair encoding of OpenAI's models since GPT-4o, over a vocabulary that a crate carries.
//!
//! The crates that encode as well keep each of the 200,000 tokens as a string in a map: 46 to 70 MB of memory and up to
//! 34 MB of binary. Counting needs less: the packed vocabulary stays where the program file is mapped (2.1 MB), and an
//! index of 2 MB finds a token's bytes in it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use regex::Regex;
use splintr_vocab_o200k::O200K_BASE_VOCAB_PACKED as PACKED;

/// `SPLNTRV1` and the number of entries as a little-endian u32.
const HEADER: usize = 12;
/// Slots of the index, a power of two; 200,000 tokens fill them to two fifths.
const SLOTS: usize = 1 << 19;

/// What a text is cut into before tokens are looked for; tiktoken's pattern, but that its last rule, which looks ahead,
/// is applied by [`Vocabulary::pieces`].
const PIECES: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"|\s*[\r\n]+",
    r"|\s+",
);

/// The vocabulary with its index.
pub(crate) struct Vocabulary {
    /// Where in [`PACKED`] the entry of a slot begins; 0 where the slot is empty.
    slots: Box<[u32]>,
    pieces: Regex,
}

/// Two neighbours that may become one token.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    /// Lower ranks are joined first, and the left one of two equal ones.
    rank: u32,
    start: usize,
    end: usize,
}

// === impl Vocabulary ===

impl Vocabulary {
    /// Builds the index, in a few milliseconds.
    pub(crate) fn load() -> Self {
        let mut slots = vec![0_u32; SLOTS].into_boxed_slice();
        let mut at = HEADER;
        while at < PACKED.len() {
            let (_, token, next) = entry(at);
            let mut slot = slot(token);
            while slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = at as u32;
            at = next;
        }
        Self { slots, pieces: Regex::new(PIECES).expect("the pattern is valid, as every test of this file shows") }
    }

    /// How many tokens `text` is. Linear in its length but for a factor of its logarithm.
    pub(crate) fn count(&self, text: &str) -> usize {
        let mut count = 0;
        let mut at = 0;
        while let Some(found) = self.pieces.find_at(text, at) {
            let mut end = found.end();
            // `\s+(?!\S)`: of the spaces before a word, the last one belongs to the word.
            let spaces = found.as_str().chars().all(char::is_whitespace) && !found.as_str().ends_with(['\r', '\n']);
            if spaces && end < text.len() {
                let last = found.as_str().chars().next_back().map_or(0, char::len_utf8);
                if last < found.len() {
                    end -= last;
                }
            }
            count += self.count_piece(&text.as_bytes()[found.start()..end]);
            at = end;
        }
        count
    }

    fn count_piece(&self, piece: &[u8]) -> usize {
        if piece.len() <= 1 || self.rank(piece).is_some() {
            return 1;
        }
        // Parts that have not been joined yet: where each ends by where it begins, and the other way round.
        let mut end_of: Vec<usize> = (1..=piece.len()).collect();
        let mut start_of: Vec<usize> = (0..=piece.len()).map(|end| end.saturating_sub(1)).collect();
        let mut pairs = BinaryHeap::new();
        let offer = |pairs: &mut BinaryHeap<_>, start: usize, end: usize| {
            if let Some(rank) = self.rank(&piece[start..end]) {
                pairs.push(Reverse(Pair { rank, start, end }));
            }
        };
        for start in 0..piece.len() - 1 {
            offer(&mut pairs, start, start + 2);
        }
        let mut parts = piece.len();
        while let Some(Reverse(Pair { start, end, .. })) = pairs.pop() {
            let middle = end_of[start];
            // A pair is out of date when one of its halves has been joined with another part since.
            if start_of[middle] != start || middle >= end || end_of[middle] != end || start_of[end] != middle {
                continue;
            }
            end_of[start] = end;
            start_of[end] = start;
            // Nothing begins in the middle any more.
            end_of[middle] = 0;
            parts -= 1;
            if start > 0 {
                offer(&mut pairs, start_of[start], end);
            }
            if end < piece.len() {
                offer(&mut pairs, start, end_of[end]);
            }
        }
        parts
    }

    /// The rank of a token; lower ones were learnt earlier. `None` for what is no token.
    fn rank(&self, bytes: &[u8]) -> Option<u32> {
        let mut slot = slot(bytes);
        loop {
            match self.slots[slot] {
                0 => return None,
                at => {
                    let (rank, token, _) = entry(at as usize);
                    if token == bytes {
                        return Some(rank);
                    }
                }
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

/// The entry that begins at `at`: its rank, its bytes, and where the next one begins.
fn entry(at: usize) -> (u32, &'static [u8], usize) {
    let (rank, at) = varint(at);
    let (len, at) = varint(at);
    let end = at + len as usize;
    (rank, &PACKED[at..end], end)
}

/// Seven bits a byte, the low ones first.
fn varint(mut at: usize) -> (u32, usize) {
    let mut value = 0;
    let mut shift = 0;
    loop {
        let byte = PACKED[at];
        at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (value, at);
        }
        shift += 7;
    }
}

/// FNV-1a, folded: the keys are ours, so nobody can choose them to collide.
fn slot(bytes: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    ((hash >> 32) ^ hash) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_those_of_tiktoken() {
        let vocabulary = Vocabulary::load();
        // From tiktoken's `o200k_base`, `encode_ordinary`.
        let known = [
            ("", 0),
            ("hello world", 2),
            ("state?: \"open\"|\"closed\"|\"all\" = \"open\"", 15),
            ("github__create_issue(owner: string, repo: string): Creates an issue.", 16),
        ];
        for (text, count) in known {
            assert_eq!(vocabulary.count(text), count, "{text:?}");
        }
    }

    #[test]
    fn a_long_piece_is_no_work_without_end() {
        let vocabulary = Vocabulary::load();
        assert_eq!(vocabulary.count(&"a".repeat(200_000)), 25_000);
        assert_eq!(vocabulary.count(&" ".repeat(1_000_000)), 7_813);
        assert_eq!(vocabulary.count(&" \t".repeat(500_000)), 499_999);
    }

    #[test]
    fn every_token_is_one_token() {
        let vocabulary = Vocabulary::load();
        let mut at = HEADER;
        let mut tokens = 0;
        while at < PACKED.len() {
            let (rank, token, next) = entry(at);
            assert_eq!(vocabulary.rank(token), Some(rank));
            at = next;
            tokens += 1;
        }
        assert_eq!(tokens, 199_998);
    }
}
