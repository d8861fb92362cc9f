//! A text as the words that it is written in, with what stands between them.
//!
//! A written word may be several: `getWaterQuality`, `HTTPServer`, `base64`. It is given whole and in its parts, because
//! some people write `GitHub` and others `github`. In scripts without spaces every two signs that stand together are a word.

use crate::script::Sign;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// The most of a text that is looked at, in bytes; what is longer is data, or an attack.
const LONGEST_TEXT: usize = 64 * 1024;
/// The most of a word that is looked at, in characters.
const LONGEST_WORD: usize = 48;

/// How words are found and written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing {
    /// Forms of one character are alike, and letters with and without accents.
    pub(crate) folding: bool,
    /// Text without spaces is cut into pairs.
    pub(crate) pairs: bool,
}

/// What stands before a word, the strongest of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Gap {
    #[default]
    Space,
    Comma,
    Sentence,
}

/// One word as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// In lower case, without accents.
    pub(crate) whole: String,
    /// The words that it is made of, if they are several.
    pub(crate) parts: Vec<String>,
    pub(crate) gap: Gap,
    /// Of a script without spaces.
    pub(crate) dense: bool,
}

/// Whether the one who is given words wants more of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum More {
    Please,
    Enough,
}

/// A text on its way to words.
struct Walk<F> {
    writing: Writing,
    give: F,
    /// The word so far.
    word: Vec<(char, Sign)>,
    /// The last sign of a script without spaces, and whether it has been given in a pair.
    dense: Option<(char, bool)>,
    gap: Gap,
}

/// Gives the words of a text, of its first 64 KiB.
pub(crate) fn words(text: &str, writing: Writing, give: impl FnMut(Written) -> More) {
    let text = beginning(text);
    let mut walk = Walk { writing, give, word: Vec::new(), dense: None, gap: Gap::default() };
    if !writing.folding || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        walk.all(text.chars());
    } else {
        walk.all(text.nfkc());
    }
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

// === impl Written ===

impl Written {
    /// Whether it is also looked for whole, although it has parts: brands (`GitHub`) and what has figures (`base64`, `mp3`).
    pub(crate) fn counts_whole(&self) -> bool {
        let figures = || self.parts.len() == 3 && self.whole.bytes().any(|byte| byte.is_ascii_digit());
        self.parts.len() == 2 || figures()
    }
}

// === impl Walk ===

impl<F: FnMut(Written) -> More> Walk<F> {
    fn all(&mut self, chars: impl Iterator<Item = char>) {
        let mut chars = chars.peekable();
        while let Some(c) = chars.next() {
            if self.step(c, chars.peek().copied()) == More::Enough {
                return;
            }
        }
        if self.end_word() == More::Please {
            self.end_dense();
        }
    }

    fn step(&mut self, c: char, next: Option<char>) -> More {
        match Sign::of(c) {
            Sign::Dense if self.writing.pairs => match self.end_word() {
                More::Please => self.pair(c),
                More::Enough => More::Enough,
            },
            Sign::Apostrophe if !self.inside(next) => self.end_both(),
            Sign::Other => {
                let more = self.end_both();
                self.gap = self.gap.max(gap(c, next));
                more
            }
            sign => {
                let more = self.end_dense();
                if self.word.len() < LONGEST_WORD {
                    self.word.push((c, sign));
                }
                more
            }
        }
    }

    /// Whether letters stand before and after.
    fn inside(&self, next: Option<char>) -> bool {
        !self.word.is_empty() && next.is_some_and(|c| matches!(Sign::of(c), Sign::Lower | Sign::Upper))
    }

    fn end_both(&mut self) -> More {
        match self.end_word() {
            More::Please => self.end_dense(),
            More::Enough => More::Enough,
        }
    }

    fn pair(&mut self, c: char) -> More {
        match self.dense.replace((c, true)) {
            Some((before, _)) => self.give_dense([before, c].into_iter().collect()),
            None => {
                self.dense = Some((c, false));
                More::Please
            }
        }
    }

    fn end_dense(&mut self) -> More {
        match self.dense.take() {
            Some((alone, false)) => self.give_dense(alone.to_string()),
            _ => More::Please,
        }
    }

    fn give_dense(&mut self, whole: String) -> More {
        let gap = std::mem::take(&mut self.gap);
        (self.give)(Written { whole, parts: Vec::new(), gap, dense: true })
    }

    fn end_word(&mut self) -> More {
        if self.word.is_empty() {
            return More::Please;
        }
        let mut word = std::mem::take(&mut self.word);
        bare(&mut word);
        let cuts = cuts(&word);
        let part = |cut: &[usize]| self.fold(&word[cut[0]..cut[1]]);
        let parts = if cuts.len() > 2 { cuts.windows(2).map(part).collect() } else { Vec::new() };
        let written = Written { whole: self.fold(&word), parts, gap: std::mem::take(&mut self.gap), dense: false };
        word.clear();
        self.word = word;
        if written.whole.is_empty() { More::Please } else { (self.give)(written) }
    }

    /// Lower case, and without the accents that half of all people leave out.
    fn fold(&self, word: &[(char, Sign)]) -> String {
        if word.iter().all(|(c, _)| c.is_ascii()) {
            return word.iter().map(|(c, _)| c.to_ascii_lowercase()).collect();
        }
        let lower = word.iter().flat_map(|(c, _)| c.to_lowercase());
        if self.writing.folding { lower.nfd().filter_map(plain).nfc().collect() } else { lower.collect() }
    }
}

/// What a character that is no part of a word says about the words around it.
fn gap(c: char, next: Option<char>) -> Gap {
    let apart =
        |next: char| next.is_whitespace() || matches!(next, '"' | ')' | '\u{201D}') || Sign::of(next) == Sign::Dense;
    let ends = || next.is_none_or(apart);
    match c {
        '\n' | '\u{3002}' | '\u{2022}' => Gap::Sentence,
        '.' | '!' | '?' | ';' | ':' if ends() => Gap::Sentence,
        '\u{3001}' => Gap::Comma,
        ',' if ends() => Gap::Comma,
        _ => Gap::Space,
    }
}

/// A letter without its accent; the Turkish ı is an i to those who have no such key.
fn plain(c: char) -> Option<char> {
    match c {
        '\u{300}'..='\u{36F}' => None,
        'ı' => Some('i'),
        c => Some(c),
    }
}

/// Without apostrophes: `user's` is about a user.
fn bare(word: &mut Vec<(char, Sign)>) {
    if let [.., (_, Sign::Apostrophe), ('s' | 'S', _)] = word[..] {
        word.truncate(word.len() - 2);
    }
    word.retain(|(_, sign)| *sign != Sign::Apostrophe);
}

/// Where a written word falls apart: its beginning, the places, its end.
fn cuts(word: &[(char, Sign)]) -> Vec<usize> {
    let mut cuts = vec![0];
    for at in 1..word.len() {
        let cut = match (word[at - 1].1, word[at].1) {
            (Sign::Lower | Sign::Mark, Sign::Upper) => true,
            (Sign::Upper, Sign::Upper) => {
                word.get(at + 1).is_some_and(|(_, sign)| *sign == Sign::Lower) && !plural(word, at + 1)
            }
            (Sign::Digit, Sign::Lower | Sign::Upper) | (Sign::Lower | Sign::Upper, Sign::Digit) => true,
            _ => false,
        };
        if cut {
            cuts.push(at);
        }
    }
    cuts.push(word.len());
    cuts
}

/// The `s` of `URLs`, which begins no word `Ls`.
fn plural(word: &[(char, Sign)], at: usize) -> bool {
    word[at].0 == 's' && word.get(at + 1).is_none_or(|(_, sign)| *sign != Sign::Lower)
}

#[cfg(test)]
mod tests;
