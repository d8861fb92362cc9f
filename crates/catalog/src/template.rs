//! Whether a URI can come from a resource template (RFC 6570): enough to find its upstream, no more.
//!
//! Every expression matches any text, in linear time; the upstream itself decides what the variables mean.

/// A URI template cut into the literal texts around its expressions.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    literals: Vec<String>,
}

// === impl Template ===

impl Template {
    pub(crate) fn new(template: &str) -> Self {
        let mut literals = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((_, beyond)) = after.split_once('}') else { break };
            literals.push(before.to_owned());
            rest = beyond;
        }
        literals.push(rest.to_owned());
        Self { literals }
    }

    /// Whether `uri` has all literal texts in order, beginning with the first and ending with the last.
    pub(crate) fn matches(&self, uri: &str) -> bool {
        let Some((first, others)) = self.literals.split_first() else { return false };
        let Some(mut rest) = uri.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        for literal in middle {
            let Some(at) = rest.find(literal.as_str()) else { return false };
            rest = &rest[at + literal.len()..];
        }
        rest.ends_with(last.as_str())
    }

    /// How many literal bytes it has: of two that match, the one with more is meant.
    pub(crate) fn literal_len(&self) -> usize {
        self.literals.iter().map(String::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_matches_the_template_it_was_made_of() {
        for (template, uri, matches) in [
            ("test://template/{id}/data", "test://template/123/data", true),
            ("test://template/{id}/data", "test://template/123", false),
            ("demo://text/{id}", "demo://text/1", true),
            ("demo://text/{id}", "demo://blob/1", false),
            ("file:///{+path}", "file:///a/b/c", true),
            ("fixed://x", "fixed://x", true),
            ("fixed://x", "fixed://xy", false),
            ("a://{x}/{y}", "a://b", false),
            ("broken://{x", "broken://{x", true),
        ] {
            assert_eq!(Template::new(template).matches(uri), matches, "{template} {uri}");
        }
    }
}
