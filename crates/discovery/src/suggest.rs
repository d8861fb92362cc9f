//! Did-you-mean: the names that a misspelt one is nearest to.

use std::cmp::Reverse;

/// Longer names are compared by their beginnings.
const MAX_COMPARED: usize = 80;

/// The names among `candidates` that `wanted` may have meant, the likeliest first, at most `max`; none where none is near.
///
/// A name without its server, with other separators or in another case is certainly meant; then come names that contain
/// all of its words, then misspellings. Linear in the number of candidates: those that cannot be near are not compared.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>, max: usize) -> Vec<&'a str> {
    let wanted = Spelling::of(wanted);
    let mut scored: Vec<(Score, &str)> = Vec::new();
    for candidate in candidates {
        let Some(score) = wanted.score(candidate) else { continue };
        scored.push((score, candidate));
        // Enough are kept to choose from.
        if scored.len() >= 4 * max + 64 {
            scored.sort();
            scored.truncate(max);
        }
    }
    scored.sort();
    scored.truncate(max);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// How far apart two names are: a class, then a distance within it.
type Score = (u8, Reverse<usize>, usize);

/// A name as it is compared.
struct Spelling {
    /// Lower case, letters and digits only.
    letters: String,
    words: Vec<String>,
    counts: [u8; 36],
}

// === impl Spelling ===

impl Spelling {
    fn of(name: &str) -> Self {
        let name: String = name.chars().take(MAX_COMPARED).collect();
        let letters = letters(&name);
        Self { counts: counts(&letters), words: words(&name), letters }
    }

    fn score(&self, candidate: &str) -> Option<Score> {
        let cut = candidate.char_indices().nth(MAX_COMPARED).map_or(candidate, |(end, _)| &candidate[..end]);
        let other = letters(cut);
        let own = cut.rsplit_once("__").map_or(other.clone(), |(_, own)| letters(own));
        let class = |class, distance| Some((class, Reverse(0), distance));
        if self.letters.is_empty() {
            return None;
        }
        if other == self.letters || own == self.letters {
            return class(0, other.len() - own.len());
        }
        let distance = self.distance(&other).into_iter().chain(self.distance(&own)).min();
        let limit = 1 + self.letters.chars().count() / 6;
        if let Some(distance) = distance.filter(|distance| *distance <= limit) {
            return class(1, distance);
        }
        let shared = self.words.iter().filter(|word| word.len() > 2 && other.contains(&**word)).count();
        if shared > 0 && shared * 2 >= self.words.len() {
            return Some((2, Reverse(shared), other.len().abs_diff(self.letters.len())));
        }
        let limit = self.letters.chars().count() / 3;
        class(3, distance.filter(|distance| *distance <= limit)?)
    }

    /// The edits between the two, if they can be few enough to matter.
    fn distance(&self, other: &str) -> Option<usize> {
        let most = (1 + self.letters.len() / 6).max(self.letters.len() / 3);
        let others = counts(other);
        let apart: usize = self.counts.iter().zip(&others).map(|(a, b)| usize::from(a.abs_diff(*b))).sum();
        // An edit changes two counts at most.
        (apart <= 2 * most && self.letters.len().abs_diff(other.len()) <= 4 * most)
            .then(|| strsim::osa_distance(&self.letters, other))
    }
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a name, whether parted by signs or by capitals.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// How often each ASCII letter and digit occurs.
fn counts(letters: &str) -> [u8; 36] {
    let mut counts = [0_u8; 36];
    for byte in letters.bytes() {
        let at = match byte {
            b'a'..=b'z' => byte - b'a',
            b'0'..=b'9' => byte - b'0' + 26,
            _ => continue,
        };
        counts[usize::from(at)] = counts[usize::from(at)].saturating_add(1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] =
        ["github__create_issue", "github__list_issues", "mail__send_email", "files__read-file", "maps__geocode"];

    #[test]
    fn slips_lead_to_the_name_that_was_meant() {
        for (wanted, meant) in [
            ("create_issue", "github__create_issue"),
            ("github.createIssue", "github__create_issue"),
            ("github__create_isue", "github__create_issue"),
            ("read_file", "files__read-file"),
            ("send_mail", "mail__send_email"),
            ("maps__geocod", "maps__geocode"),
            ("issue_list", "github__list_issues"),
        ] {
            assert_eq!(nearest(wanted, NAMES, 1), [meant], "{wanted}");
        }
    }

    #[test]
    fn what_is_far_is_not_suggested() {
        assert!(nearest("book_flight", NAMES, 3).is_empty());
        assert!(nearest("", NAMES, 3).is_empty());
        assert!(nearest("___", NAMES, 3).is_empty());
    }

    #[test]
    fn the_order_of_candidates_does_not_matter() {
        let mut reversed = NAMES;
        reversed.reverse();
        assert_eq!(nearest("issue", NAMES, 5), nearest("issue", reversed, 5));
        assert_eq!(nearest("issue", NAMES, 5).len(), 2);
    }
}
