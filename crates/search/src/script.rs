//! What kind of sign a character is, as far as finding words needs to know.
//!
//! Scripts that put no spaces between words are cut into pairs of signs (`words`): without a dictionary of the language that
//! is what finds most, and it treats a question and a text alike.

use unicode_normalization::char::is_combining_mark;

/// A character's part in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sign {
    /// A letter in lower case, or of a script without cases.
    Lower,
    /// A letter in upper case.
    Upper,
    Digit,
    /// Of a script that does not part words with spaces.
    Dense,
    /// Belongs to the letter before it.
    Mark,
    /// Stands inside of words (`don't`) and around them.
    Apostrophe,
    /// Parts words.
    Other,
}

// === impl Sign ===

impl Sign {
    pub(crate) fn of(c: char) -> Self {
        match c {
            'a'..='z' => Self::Lower,
            'A'..='Z' => Self::Upper,
            '0'..='9' => Self::Digit,
            '\'' | '\u{2019}' => Self::Apostrophe,
            _ if c.is_ascii() => Self::Other,
            _ if dense(c) => Self::Dense,
            _ if is_combining_mark(c) => Self::Mark,
            _ if c.is_uppercase() => Self::Upper,
            _ if c.is_alphabetic() => Self::Lower,
            _ if c.is_numeric() => Self::Digit,
            _ => Self::Other,
        }
    }
}

/// Han, kana, Hangul (spaced, but its words carry their grammar along), Thai, Lao, Myanmar, Khmer.
fn dense(c: char) -> bool {
    matches!(u32::from(c),
        0x3005..=0x3007 | 0x3040..=0x30FF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF
        | 0x20000..=0x3FFFF | 0xAC00..=0xD7A3 | 0x0E01..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF)
        && c != '\u{0E3F}'
}
