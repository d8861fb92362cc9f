//! Queries as they are typed in haste: in every other longer word a letter is left out, or swapped with the next. Always
//! the same ones, so that figures can be compared.

/// The shortest word that is spoilt.
const SHORTEST: usize = 6;

pub(super) fn spoil(text: &str) -> String {
    let mut count = 0;
    let words = text.split(' ').map(|word| {
        if word.len() < SHORTEST || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return word.to_owned();
        }
        count += 1;
        if count % 2 == 0 { word.to_owned() } else { spoil_word(word, count) }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The place is neither the first letter nor the last.
fn spoil_word(word: &str, count: usize) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let at = 2 + (letters.len() * 7 + count) % (letters.len() - 3);
    if count % 4 == 1 {
        letters.swap(at - 1, at);
    } else {
        letters.remove(at);
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_longer_word_is_spoilt_always_alike() {
        let spoilt = spoil("please convert the document into another language PDF");
        assert_eq!(spoilt, "plaese convert the documet into another lagnuage PDF");
    }
}
