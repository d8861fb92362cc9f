//! Names of tools: legal for every client, each once, and the same whatever else is filtered out.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

/// The longest name, as for the gateway's public names.
const MAX_LEN: usize = 64;
/// Hexadecimal digits of the mark that a shortened name ends with.
const MARK_LEN: usize = 6;

/// Names given so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
    /// How often each was wanted, so that the next number is known.
    wanted: HashMap<String, u64>,
}

// === impl Names ===

impl Names {
    /// A name made of this text that nobody has yet.
    pub(crate) fn unique(&mut self, text: &str) -> String {
        self.unique_among(legal(text), MAX_LEN)
    }

    /// A free name: the wanted one, or that with a number, at most so long. ASCII only.
    pub(crate) fn unique_among(&mut self, wanted: String, longest: usize) -> String {
        let mut name = wanted.clone();
        while !self.taken.insert(name.clone()) {
            let nth = self.wanted.entry(wanted.clone()).or_insert(1);
            *nth += 1;
            let suffix = format!("_{nth}");
            name = format!("{}{suffix}", &wanted[..wanted.len().min(longest - suffix.len())]);
        }
        name
    }
}

/// A text as letters, digits, `-` and single `_`; a long one keeps its beginning and gets a mark of the whole.
fn legal(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '-' => name.push(c),
            // `__` parts an upstream's name from the tool's.
            _ if name.is_empty() || name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    let name = name.trim_end_matches('_');
    match name.len() {
        0 => "operation".to_owned(),
        1..=MAX_LEN => name.to_owned(),
        _ => {
            let digest = Sha256::digest(text);
            let mark: String = digest.iter().take(MARK_LEN / 2).map(|byte| format!("{byte:02x}")).collect();
            format!("{}_{mark}", name[..MAX_LEN - MARK_LEN - 1].trim_end_matches('_'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_legal_unique_and_short() {
        let mut names = Names::default();
        assert_eq!(names.unique("repos/list-for.user"), "repos_list-for_user");
        assert_eq!(names.unique("repos/list-for.user"), "repos_list-for_user_2");
        assert_eq!(names.unique("GET /users/{id}/"), "GET_users_id");
        assert_eq!(names.unique("{}"), "operation");
        assert_eq!(names.unique("größe"), "gr_e");
        let long = names.unique(&"x".repeat(100));
        let other = names.unique(&"x".repeat(101));
        assert!(long.len() == 64 && other.len() == 64 && long != other);
        let twins: Vec<String> = (0..12).map(|_| names.unique(&"y".repeat(64))).collect();
        assert!(twins.iter().all(|name| name.len() <= 64), "{twins:?}");
        assert_eq!(twins.iter().collect::<HashSet<_>>().len(), 12);
    }
}
