//! The answer to a search: for each need the tools that meet it, ready to be called, as many as a budget of tokens holds.
//!
//! A budget rather than a count, because what is scarce is the model's context: ten signatures cost half of five full
//! definitions and find more. Needs take turns, so that none is starved by another one's long schemas.

use toolgate_protocol::{Json, Kind, Object};

use super::{Answer, Missing, Style, missing_json, missing_line, strings};
use crate::signature::Signature;
use crate::surface::SurfaceTool;
use crate::tokens::compact;
use crate::tool::Tool;

/// A schema that a signature does not do justice is shown up to this many tokens, and otherwise left to `describe_tools`.
const MAX_SCHEMA: usize = 300;
/// Names of further hits, after those that are shown.
const MAX_ALSO: usize = 10;
/// The part of the budget that is kept for further names and the last lines, and what the latter take of it.
const KEPT: usize = 8;
const LAST_LINES: usize = 40;
/// No hit costs less.
const LEAST: usize = 16;

/// What a search found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// One for each need, in the order of the request.
    pub groups: &'a [Group<'a>],
    /// How many entries could have been found.
    pub total: usize,
    /// Servers whose entries could not.
    pub missing: &'a [Missing<'a>],
    /// How many needs were too many and not looked for.
    pub dropped: usize,
}

/// What was found for one need.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The need in the model's words; empty where all of a server was asked for.
    pub query: &'a str,
    /// The best hits, the best first.
    pub hits: Vec<Tool<'a>>,
    /// How many there are in all.
    pub matches: usize,
    /// Where nothing was found: words of the catalog that are near to those of the need.
    pub nearest: Vec<String>,
}

/// A hit as it is written.
struct Line {
    name: String,
    kind: Kind,
    signature: String,
    reads: bool,
    server: Option<String>,
    description: String,
    schema: Schema,
}

/// What comes along with a signature.
enum Schema {
    /// The signature says it all.
    Not,
    /// It does not, and this does.
    Shown(Json),
    /// It does not, and `describe_tools` will.
    Elsewhere,
}

/// Which hits of a group are shown, and how.
#[derive(Default)]
struct Shown {
    lines: Vec<Line>,
    /// Names of hits that an earlier group shows.
    above: Vec<String>,
    /// Names of hits that the budget did not hold.
    also: Vec<String>,
}

// === impl Found ===

impl Found<'_> {
    /// The answer, within the budget of `style` unless that holds not even one hit for each need.
    pub fn answer(&self, style: &Style<'_>) -> Answer {
        let shown = self.choose(style);
        let is_error = false;
        Answer { text: self.text(&shown), structured: self.structured(&shown), is_error }
    }

    /// Deals the budget out: each group's first hit, then each one's second.
    fn choose(&self, style: &Style<'_>) -> Vec<Shown> {
        let kept = style.budget / KEPT;
        let headings: usize = self.groups.iter().map(|group| style.tokens.count(group.query) + 2).sum();
        let mut left = style.budget.saturating_sub(kept).saturating_sub(headings);
        let mut left_for_names = kept.saturating_sub(LAST_LINES);
        let mut shown: Vec<Shown> = self.groups.iter().map(|_| Shown::default()).collect();
        let mut seen: Vec<&str> = Vec::new();
        let longest = self.groups.iter().map(|group| group.hits.len()).max().unwrap_or(0);
        let mut full = false;
        for rank in 0..longest {
            for (group, shown) in self.groups.iter().zip(&mut shown) {
                let Some(hit) = group.hits.get(rank) else { continue };
                if seen.contains(&hit.name) {
                    shown.above.push(hit.name.to_owned());
                    continue;
                }
                // The first hit of a need is worth more than the budget.
                let must = shown.lines.is_empty();
                let line =
                    (must || !full).then(|| Line::of(hit, style, left)).filter(|(_, cost)| must || *cost <= left);
                if let Some((line, cost)) = line {
                    left = left.saturating_sub(cost);
                    seen.push(hit.name);
                    shown.lines.push(line);
                    continue;
                }
                // A long signature does not end the list; that hardly anything is left does.
                full = left < LEAST;
                let cost = style.tokens.count(hit.name) + 1;
                if shown.also.len() < MAX_ALSO && cost <= left_for_names {
                    left_for_names -= cost;
                    shown.also.push(hit.name.to_owned());
                }
            }
        }
        shown
    }

    fn text(&self, shown: &[Shown]) -> String {
        let mut text = String::new();
        for (group, shown) in self.groups.iter().zip(shown) {
            if self.groups.len() > 1 {
                text.push_str(&format!("## {}\n", group.query));
            }
            if group.hits.is_empty() {
                text.push_str(&format!("{}\n", group.nothing()));
            }
            for line in &shown.lines {
                line.write(&mut text);
            }
            for (word, names) in [("above", &shown.above), ("also", &shown.also)] {
                if !names.is_empty() {
                    text.push_str(&format!("{word}: {}\n", names.join(", ")));
                }
            }
        }
        for line in self.last_lines(shown) {
            text.push_str(&line);
            text.push('\n');
        }
        text.trim_end().to_owned()
    }

    /// That the list is partial, and how to go on.
    fn last_lines(&self, shown: &[Shown]) -> Vec<String> {
        let lines: usize = shown.iter().map(|shown| shown.lines.len()).sum();
        let matches: usize = self.groups.iter().map(|group| group.matches).sum();
        let of = if matches > lines { format!("{lines} of {matches} matches") } else { format!("{lines} matches") };
        let mut last =
            vec![format!("Partial list: {of} among {} tools. Not there? Other words, or a server.", self.total)];
        if shown.iter().flat_map(|shown| &shown.lines).any(|line| matches!(line.schema, Schema::Elsewhere)) {
            last.push(format!("[schema]: the signature is incomplete, use {} first.", SurfaceTool::Describe.name()));
        }
        if self.dropped > 0 {
            last.push(format!("{} more queries were not looked for.", self.dropped));
        }
        last.extend(missing_line(self.missing));
        last
    }

    fn structured(&self, shown: &[Shown]) -> Object {
        let groups: Vec<Json> = self
            .groups
            .iter()
            .zip(shown)
            .map(|(group, shown)| {
                let lines: Vec<Json> = shown.lines.iter().map(Line::structured).collect();
                let mut object = Object::new()
                    .with("query", Json::string(group.query))
                    .with("tools", Json::array_of(&lines))
                    .with("matches", Json::integer(group.matches as u64));
                for (name, texts) in [("above", &shown.above), ("also", &shown.also), ("nearest", &group.nearest)] {
                    if !texts.is_empty() {
                        object.set(name, strings(texts));
                    }
                }
                object.to_json()
            })
            .collect();
        let mut object = Object::new()
            .with("groups", Json::array_of(&groups))
            .with("total", Json::integer(self.total as u64))
            .with("partial", Json::literal("true"));
        if self.dropped > 0 {
            object.set("dropped", Json::integer(self.dropped as u64));
        }
        if !self.missing.is_empty() {
            object.set("missing", missing_json(self.missing));
        }
        object
    }
}

// === impl Group ===

impl Group<'_> {
    fn nothing(&self) -> String {
        let nearest = if self.nearest.is_empty() {
            format!("Try other words, or {} without queries for the servers.", SurfaceTool::Search.name())
        } else {
            format!("Nearest words: {}.", self.nearest.join(", "))
        };
        if self.query.is_empty() { format!("No tools. {nearest}") } else { format!("Nothing matches. {nearest}") }
    }
}

// === impl Line ===

impl Line {
    /// The line of a hit, and what it costs. The schema comes along only as far as `left` holds it.
    fn of(hit: &Tool<'_>, style: &Style<'_>, left: usize) -> (Self, usize) {
        let signature = Signature::of(hit);
        let named_after_server =
            hit.name.starts_with(hit.server) || matches!(hit.kind, Kind::Resource | Kind::Template);
        let mut line = Self {
            name: hit.name.to_owned(),
            kind: hit.kind,
            signature: signature.text,
            reads: style.surface.caller_of(hit) == SurfaceTool::CallRead,
            server: (!named_after_server).then(|| hit.server.to_owned()),
            description: hit.line(),
            schema: if signature.faithful { Schema::Not } else { Schema::Elsewhere },
        };
        let mut cost = style.tokens.count(&line.text());
        let schema = matches!(line.schema, Schema::Elsewhere).then(|| hit.input_schema()).flatten();
        // What is a kilobyte longer than its tokens could be need not be counted.
        if let Some(schema) = schema.filter(|schema| schema.text().len() <= MAX_SCHEMA * 12)
            && let Ok(schema) = Json::parse(compact(schema.as_str()).into())
        {
            let more = style.tokens.count(schema.as_str()) + 3;
            if more <= MAX_SCHEMA && cost + more <= left {
                cost += more;
                line.schema = Schema::Shown(schema);
            }
        }
        (line, cost)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        match self.kind {
            Kind::Tool => {}
            Kind::Prompt => text.push_str("prompt "),
            Kind::Resource | Kind::Template => text.push_str("resource "),
        }
        text.push_str(&self.name);
        text.push_str(&self.signature);
        if self.reads {
            text.push_str(" [read]");
        }
        if matches!(self.schema, Schema::Elsewhere) {
            text.push_str(" [schema]");
        }
        if let Some(server) = &self.server {
            text.push_str(&format!(" [{server}]"));
        }
        if !self.description.is_empty() {
            text.push_str(" // ");
            text.push_str(&self.description);
        }
        text.push('\n');
        if let Schema::Shown(schema) = &self.schema {
            text.push_str(&format!("  schema: {}\n", schema.as_str()));
        }
    }

    fn structured(&self) -> Json {
        let mut object = Object::new().with("name", Json::string(&self.name));
        if self.kind != Kind::Tool {
            object.set("kind", Json::string(if self.kind == Kind::Prompt { "prompt" } else { "resource" }));
        }
        if !self.signature.is_empty() {
            object.set("signature", Json::string(&self.signature));
        }
        if self.reads {
            object.set("read", Json::literal("true"));
        }
        if let Some(server) = &self.server {
            object.set("server", Json::string(server));
        }
        if !self.description.is_empty() {
            object.set("description", Json::string(&self.description));
        }
        match &self.schema {
            Schema::Not => {}
            Schema::Shown(schema) => object.set("inputSchema", schema.clone()),
            Schema::Elsewhere => object.set("incomplete", Json::literal("true")),
        }
        object.to_json()
    }
}
