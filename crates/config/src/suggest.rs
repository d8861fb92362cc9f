//! "Did you mean …?": the known word nearest to one that is not known.

/// What other tools call a key of ours.
const ELSEWHERE: [(&str, &str); 16] = [
    ("mcpservers", "upstreams"),
    ("servers", "upstreams"),
    ("contextservers", "upstreams"),
    ("backends", "upstreams"),
    ("host", "listen"),
    ("port", "listen"),
    ("address", "listen"),
    ("bind", "listen"),
    ("serverurl", "url"),
    ("httpurl", "url"),
    ("type", "transport"),
    ("disabled", "enabled"),
    ("environment", "env"),
    ("envfile", "env_file"),
    ("workingdirectory", "cwd"),
    ("arguments", "args"),
];

/// The candidate that was most likely meant, if one is near enough.
pub(crate) fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = normal(word);
    let known = ELSEWHERE.iter().find(|(other, _)| *other == plain).map(|(_, ours)| *ours);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if Some(candidate) == known || normal(candidate) == plain {
            return Some(candidate);
        }
        let distance = strsim::damerau_levenshtein(&plain, &normal(candidate));
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    let allowed = plain.chars().count().div_ceil(3);
    best.filter(|(distance, candidate)| *distance <= allowed && *distance < normal(candidate).len()).map(|(_, c)| c)
}

/// ``did you mean `x`?``, or the words there are.
pub(crate) fn instead<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    // A word far longer than any of ours has no near one, and the distance costs its length squared.
    let near = if word.len() <= 64 { closest(word, candidates.clone()) } else { None };
    if let Some(near) = near {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = candidates.map(|word| format!("`{word}`")).collect();
    match all.len() {
        0 => None,
        1..=24 => Some(format!("known here: {}", all.join(", "))),
        _ => None,
    }
}

/// Lower case without separators: `serverUrl`, `server_url` and `server-url` are one word.
fn normal(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}
