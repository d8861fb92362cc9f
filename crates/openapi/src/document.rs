//! An OpenAPI document: that it is one, and where its references lead. None leads out of it.

use crate::tree::Node;

/// References that lead to references.
const MAX_HOPS: usize = 16;

/// A document of OpenAPI 3.
#[derive(Debug)]
pub struct Document {
    root: Node,
}

/// Where a reference leads.
pub(crate) enum Target<'d> {
    /// To something in the document; the pointer it is known by.
    Here(&'d str, &'d Node),
    /// Nowhere; why.
    Nowhere(String),
}

// === impl Document ===

impl Document {
    /// Reads a text of JSON or YAML.
    ///
    /// # Errors
    /// Why it is no OpenAPI document that can be used.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8 text".to_owned())?;
        let root = Node::read(text)?;
        let version = match root.get("openapi") {
            Some(Node::Text(version)) => version.clone(),
            Some(Node::Number(version)) => version.to_string(),
            _ if root.get("swagger").is_some() => {
                return Err("it is of Swagger 2.0; OpenAPI 3.0 and 3.1 are read (swagger2openapi converts it)".into());
            }
            _ => return Err("it has no member `openapi`, so it is no OpenAPI document".into()),
        };
        if !version.starts_with('3') {
            return Err(format!("it is of OpenAPI {}; 3.0 and 3.1 are read", brief(&version, 20)));
        }
        if root.get("paths").and_then(Node::members).is_none() {
            return Err("it has no `paths`, so there is nothing to call".into());
        }
        Ok(Self { root })
    }

    /// All of it.
    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// Where a reference leads, not yet looked at whether that is a reference too.
    pub(crate) fn follow<'d>(&'d self, reference: &'d str) -> Target<'d> {
        let nowhere = |what: &str| Target::Nowhere(format!("`{}` {what}", brief(reference, 120)));
        let Some(pointer) = reference.strip_prefix('#') else {
            return nowhere("is in another document, which is not read");
        };
        let mut at = &self.root;
        for part in pointer.split('/').skip(1) {
            let name = unescape(part);
            let next = match at {
                Node::List(items) => name.parse::<usize>().ok().and_then(|nth| items.get(nth)),
                other => other.get(&name),
            };
            match next {
                Some(next) => at = next,
                None => return nowhere("leads to nothing"),
            }
        }
        match pointer.starts_with('/') {
            true => Target::Here(pointer, at),
            false => nowhere("leads to nothing"),
        }
    }

    /// What a node is once its reference is followed, and the references of that.
    pub(crate) fn resolve<'d>(&'d self, node: &'d Node) -> Result<&'d Node, String> {
        let mut at = node;
        for _ in 0..MAX_HOPS {
            match at.text_of("$ref") {
                None => return Ok(at),
                Some(reference) => match self.follow(reference) {
                    Target::Here(_, next) => at = next,
                    Target::Nowhere(why) => return Err(why),
                },
            }
        }
        Err(format!("`{}` leads in a circle", brief(node.text_of("$ref").unwrap_or_default(), 120)))
    }
}

/// A part of a JSON pointer in a URI fragment.
fn unescape(part: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(part).decode_utf8_lossy();
    decoded.replace("~1", "/").replace("~0", "~")
}

/// The beginning of a text, on one line.
pub(crate) fn brief(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}
