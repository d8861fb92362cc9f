//! What one upstream offers, as it said so: its lists, checked entry by entry, and what it says of itself.
//!
//! One malformed entry costs that entry, with its name and the reason, never the list.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use toolgate_protocol::{Era, Json, Kind, Object, Revision};

/// Which entries of an upstream are taken.
pub struct Admission<'a> {
    /// The era it speaks: what makes a definition malformed differs.
    pub era: Era,
    /// The most entries of one kind; what comes after is dropped and counted.
    pub most: usize,
    /// Whether the config wants the tool of this native name.
    pub permits: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Everything one upstream offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The era it speaks.
    pub era: Era,
    /// The revision agreed on.
    pub revision: Revision,
    /// Its name and version, in its own words.
    pub server_info: Json,
    /// Its capabilities.
    pub capabilities: Object,
    /// How it says its tools are to be used.
    pub instructions: Option<String>,
    /// Its tools.
    pub tools: Listed,
    /// Its prompts.
    pub prompts: Listed,
    /// Its resources.
    pub resources: Listed,
    /// Its resource templates.
    pub templates: Listed,
}

/// One list, as fetched.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The definitions as they arrived, each with its native name, in the upstream's order.
    pub entries: Vec<(Arc<str>, Json)>,
    /// What was left out.
    pub dropped: Vec<Dropped>,
    /// How long the upstream says the list may be kept; `None` when it does not say.
    pub ttl: Option<Duration>,
    /// Whether the upstream says that the list is the same for everyone.
    pub public: bool,
}

/// An entry that is not offered, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Dropped {
    /// What kind of entry.
    pub kind: Kind,
    /// Its native name, or its place in the list.
    pub name: String,
    /// Why, in a word.
    pub cause: Cause,
    /// What is wrong with it.
    pub reason: String,
}

/// Why an entry is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Clients could not use it.
    Malformed,
    /// The config does not want it.
    Filtered,
    /// There are too many.
    BeyondLimit,
}

// === impl Cause ===

impl Cause {
    /// Its word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Filtered => "left out by the config",
            Self::BeyondLimit => "beyond the limit",
        }
    }
}

// === impl Dropped ===

impl Dropped {
    /// A tool that the config does not want.
    pub(crate) fn filtered(native: &str) -> Self {
        let (name, reason) = (native.to_owned(), "left out by the config (`tools`)".to_owned());
        Self { kind: Kind::Tool, name, cause: Cause::Filtered, reason }
    }
}

// === impl Offer ===

impl Offer {
    /// Tools that are known without having been asked for.
    pub fn declared(admission: &Admission<'_>, tools: Vec<Json>) -> Self {
        let era = admission.era;
        Self {
            era,
            revision: if era == Era::Legacy { Revision::LATEST_LEGACY } else { Revision::LATEST_MODERN },
            server_info: Json::literal("{}"),
            capabilities: Object::new().with("tools", Json::literal("{}")),
            instructions: None,
            tools: Listed::check(Kind::Tool, admission, tools),
            prompts: Listed::default(),
            resources: Listed::default(),
            templates: Listed::default(),
        }
    }

    /// The list of this kind.
    pub fn list(&self, kind: Kind) -> &Listed {
        match kind {
            Kind::Tool => &self.tools,
            Kind::Prompt => &self.prompts,
            Kind::Resource => &self.resources,
            Kind::Template => &self.templates,
        }
    }

    /// The list of this kind, to be replaced.
    pub fn list_mut(&mut self, kind: Kind) -> &mut Listed {
        match kind {
            Kind::Tool => &mut self.tools,
            Kind::Prompt => &mut self.prompts,
            Kind::Resource => &mut self.resources,
            Kind::Template => &mut self.templates,
        }
    }

    /// Everything left out, of every kind.
    pub fn dropped(&self) -> impl Iterator<Item = &Dropped> {
        Kind::ALL.into_iter().flat_map(|kind| &self.list(kind).dropped)
    }

    /// The shortest time that any of its lists may be kept.
    pub fn ttl(&self) -> Option<Duration> {
        Kind::ALL.into_iter().filter_map(|kind| self.list(kind).ttl).min()
    }
}

// === impl Listed ===

impl Listed {
    /// Checks definitions as fetched, in order.
    pub fn check(kind: Kind, admission: &Admission<'_>, definitions: Vec<Json>) -> Self {
        let mut listed = Self::default();
        let mut seen = HashSet::new();
        for (at, definition) in definitions.into_iter().enumerate() {
            let named = definition.object().ok().and_then(|object| object.string(kind.name_member()));
            let name = named.clone().unwrap_or_else(|| format!("#{}", at + 1));
            match fault(kind, admission, &definition, named.as_deref(), &seen) {
                Some((cause, reason)) => {
                    let name = name.chars().filter(|c| !c.is_control()).take(200).collect();
                    listed.dropped.push(Dropped { kind, name, cause, reason });
                }
                None => {
                    let name: Arc<str> = name.into();
                    seen.insert(name.clone());
                    listed.entries.push((name, definition));
                }
            }
        }
        listed
    }

    /// Whether both hold the same definitions in the same order.
    pub fn same_entries(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

/// Why a definition cannot be offered, if it cannot.
fn fault(
    kind: Kind,
    admission: &Admission<'_>,
    definition: &Json,
    name: Option<&str>,
    seen: &HashSet<Arc<str>>,
) -> Option<(Cause, String)> {
    let malformed = |what: String| Some((Cause::Malformed, what));
    let object = match definition.object() {
        Ok(object) => object,
        Err(error) => return malformed(format!("the definition cannot be read: {error}")),
    };
    let Some(name) = name else {
        return malformed(format!("`{}` is missing or no string", kind.name_member()));
    };
    if name.is_empty() || name.len() > 4096 {
        return malformed(format!("`{}` is empty or longer than 4096 bytes", kind.name_member()));
    }
    if seen.contains(name) {
        return malformed(format!("`{name}` is listed twice"));
    }
    if seen.len() >= admission.most {
        let limit = format!("more than {} entries (`limits.entries`)", admission.most);
        return Some((Cause::BeyondLimit, limit));
    }
    if kind != Kind::Tool {
        return None;
    }
    if !(admission.permits)(name) {
        return Some((Cause::Filtered, "left out by the config (`tools`)".into()));
    }
    tool_fault(admission, &object).and_then(malformed)
}

/// What is malformed in a tool.
fn tool_fault(admission: &Admission<'_>, object: &Object) -> Option<String> {
    match object.get("inputSchema") {
        None => return Some("`inputSchema` is missing".into()),
        Some(schema) if !schema.is_object() => return Some("`inputSchema` is no object".into()),
        // Clients must drop a tool whose header annotations are invalid (2026-07-28); the legacy era does not know them.
        Some(schema) if admission.era == Era::Modern => {
            if let Err(reason) = toolgate_protocol::header::param_headers(schema) {
                return Some(reason);
            }
        }
        Some(_) => {}
    }
    object.get("outputSchema").filter(|schema| !schema.is_object()).map(|_| "`outputSchema` is no object".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_tool_costs_that_tool() {
        let listed = Listed::check(
            Kind::Tool,
            &Admission { era: Era::Legacy, most: 10, permits: &|name| name != "unwanted" },
            vec![
                Json::literal(r#"{"name":"good","inputSchema":{"type":"object"}}"#),
                Json::literal(r#"{"name":7}"#),
                Json::literal(r#"{"name":"bare"}"#),
                Json::literal(r#"[]"#),
                Json::literal(r#"{"name":"good","inputSchema":{}}"#),
                Json::literal(r#"{"name":"unwanted","inputSchema":{}}"#),
                Json::literal(r#"{"name":"also","inputSchema":{},"vendor":1}"#),
            ],
        );
        let names: Vec<&str> = listed.entries.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["good", "also"]);
        let dropped: Vec<&str> = listed.dropped.iter().map(|dropped| dropped.name.as_str()).collect();
        assert_eq!(dropped, ["#2", "bare", "#4", "good", "unwanted"]);
    }
}
