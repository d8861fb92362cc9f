//! How much work a schema can make: subschemas that are visited when references are unrolled.
//!
//! `anyOf` of twice the same reference, twenty levels deep, is a kilobyte of schema and a million visits. Validators have no
//! budget of their own, so the visits are counted before one is let loose, level by level of the arguments' depth: members
//! and elements go one level down, everything else stays on its level.

use std::collections::HashMap;

use crate::node::Node;

/// More is not counted.
pub(super) const MAX_VISITS: u64 = 10_000;
/// How deep visits may be nested, whether a level of the arguments lies between them or not; a validator recurses.
const MAX_NESTED: u32 = 300;
/// Pairs of a subschema and a level that are looked at for one count.
const MAX_STATES: usize = 100_000;

/// Subschemas that look at the same value.
const SAME: [&str; 5] = ["not", "if", "then", "else", "propertyNames"];
const SAME_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const SAME_MAPS: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Subschemas that look at members and elements.
const BELOW: [&str; 6] =
    ["additionalProperties", "items", "additionalItems", "contains", "unevaluatedProperties", "unevaluatedItems"];
const BELOW_LISTS: [&str; 2] = ["prefixItems", "items"];
const BELOW_MAPS: [&str; 2] = ["properties", "patternProperties"];
/// References whose target depends on the way to them, and names for targets: they are not followed here.
const UNKNOWN: [&str; 2] = ["$dynamicRef", "$recursiveRef"];

/// The visits that arguments `depth` levels deep can cause; `None` where they are too many or cannot be foreseen.
pub(super) fn visits(root: &Node, depth: u32) -> Option<u64> {
    let mut counter = Counter { root, known: HashMap::new() };
    counter.count(root, depth, 0).map(|weight| weight.visits)
}

#[derive(Clone, Copy)]
struct Weight {
    visits: u64,
    nested: u32,
}

struct Counter<'a> {
    root: &'a Node,
    known: HashMap<(*const Node, u32), Weight>,
}

// === impl Counter ===

impl<'a> Counter<'a> {
    fn count(&mut self, node: &'a Node, depth: u32, above: u32) -> Option<Weight> {
        let key = (std::ptr::from_ref(node), depth);
        if let Some(weight) = self.known.get(&key) {
            return (weight.nested + above <= MAX_NESTED).then_some(*weight);
        }
        if above >= MAX_NESTED || self.known.len() >= MAX_STATES {
            return None;
        }
        if UNKNOWN.iter().any(|keyword| node.get(keyword).is_some()) {
            return None;
        }
        // Comparing with many values is work as well.
        let values = node.get("enum").map_or(0, |values| values.elements().len() as u64 / 16);
        let mut sum = Weight { visits: 1 + values, nested: 1 };
        for below in self.same(node)? {
            sum.add(self.count(below, depth, above + 1)?)?;
        }
        if depth > 0 {
            for below in self.below(node) {
                sum.add(self.count(below, depth - 1, above + 1)?)?;
            }
        }
        self.known.insert(key, sum);
        Some(sum)
    }

    fn same(&self, node: &'a Node) -> Option<Vec<&'a Node>> {
        let mut found: Vec<&Node> = SAME.iter().filter_map(|keyword| node.get(keyword)).collect();
        found.extend(SAME_LISTS.iter().filter_map(|keyword| node.get(keyword)).flat_map(Node::elements));
        found.extend(
            SAME_MAPS.iter().filter_map(|keyword| node.get(keyword)).flat_map(Node::members).map(|(_, node)| node),
        );
        if let Some(reference) = node.get("$ref").and_then(Node::as_str) {
            let pointer =
                reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'))?;
            found.push(self.root.pointed(&crate::schema::percent_decoded(pointer))?);
        }
        Some(found)
    }

    fn below(&self, node: &'a Node) -> Vec<&'a Node> {
        let mut found: Vec<&Node> = BELOW.iter().filter_map(|keyword| node.get(keyword)).collect();
        found.extend(BELOW_LISTS.iter().filter_map(|keyword| node.get(keyword)).flat_map(Node::elements));
        found.extend(
            BELOW_MAPS.iter().filter_map(|keyword| node.get(keyword)).flat_map(Node::members).map(|(_, node)| node),
        );
        found
    }
}

// === impl Weight ===

impl Weight {
    fn add(&mut self, below: Self) -> Option<()> {
        self.visits += below.visits;
        self.nested = self.nested.max(below.nested + 1);
        (self.visits <= MAX_VISITS).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use toolgate_protocol::Json;

    use super::*;

    fn count(schema: &str, depth: u32) -> Option<u64> {
        visits(&Node::read(&Json::parse(schema.to_owned().into()).unwrap()).unwrap(), depth)
    }

    #[test]
    fn what_lies_deeper_than_the_arguments_is_not_visited() {
        let schema = r#"{"properties":{"a":{"properties":{"b":{}}},"c":{}}}"#;
        assert_eq!([0, 1, 2, 9].map(|depth| count(schema, depth)), [Some(1), Some(3), Some(4), Some(4)]);
    }

    #[test]
    fn doubling_references_are_too_many() {
        let levels: Vec<String> = (0..30)
            .map(|at| format!(r##""d{at}":{{"anyOf":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##, at + 1))
            .collect();
        let schema = format!(r##"{{"$defs":{{{},"d30":{{}}}},"$ref":"#/$defs/d0"}}"##, levels.join(","));
        assert_eq!(count(&schema, 0), None);
        let recursive = r##"{"anyOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}"##;
        assert!(count(recursive, 5).is_some());
        assert_eq!(count(recursive, 60), None);
    }

    #[test]
    fn recursion_is_counted_as_deep_as_the_arguments_are() {
        let tree = r##"{"properties":{"kids":{"items":{"$ref":"#"}}}}"##;
        assert!(count(tree, 60).is_some_and(|visits| visits < 200));
        assert_eq!(count(r##"{"$ref":"#"}"##, 0), None);
        let chain: Vec<String> = (0..400).map(|at| format!(r##""d{at}":{{"$ref":"#/$defs/d{}"}}"##, at + 1)).collect();
        assert_eq!(
            count(&format!(r##"{{"$defs":{{{},"d400":{{}}}},"$ref":"#/$defs/d0"}}"##, chain.join(",")), 0),
            None
        );
    }
}
