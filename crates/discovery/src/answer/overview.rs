//! The answer to a search without a need: which servers there are, in a few tokens.

use toolgate_protocol::{Json, Object};

use super::{Answer, Missing, Style, missing_json, missing_line};
use crate::surface::SurfaceTool;
use crate::tool::first_sentence;

/// What there is, server by server.
#[derive(Clone, Copy, Debug)]
pub struct Overview<'a> {
    /// The servers in the order in which they are shown.
    pub servers: &'a [ServerLine<'a>],
    /// Servers of which nothing is known now.
    pub missing: &'a [Missing<'a>],
    /// Whether any of them says how its tools are to be used; that is told by describing the server.
    pub instructed: bool,
    /// Entries that are not offered, by reason, such as `malformed`; none is hidden silently.
    pub hidden: &'a [(&'a str, usize)],
}

/// One server.
#[derive(Clone, Copy, Debug)]
pub struct ServerLine<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many tools of it the caller may call.
    pub tools: usize,
    /// What it is for, in its own words, of which the first sentence is taken.
    pub about: &'a str,
}

/// How much is said of each server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Sentence,
    Count,
}

// === impl Overview ===

impl Overview<'_> {
    /// The answer: with a line for each server where the budget holds that, with counts alone where not, and with the
    /// largest servers where even those are too many.
    pub fn answer(&self, style: &Style<'_>) -> Answer {
        let mut shown: Vec<&ServerLine<'_>> = self.servers.iter().collect();
        let mut detail = Detail::Sentence;
        let mut text = self.text(&shown, detail);
        if style.tokens.count(&text) > style.budget {
            detail = Detail::Count;
            text = self.text(&shown, detail);
        }
        while style.tokens.count(&text) > style.budget && shown.len() > 1 {
            let least = shown.len() / 4 * 3;
            let mut by_size = shown.clone();
            by_size.sort_by_key(|server| std::cmp::Reverse(server.tools));
            by_size.truncate(least.max(1));
            shown.retain(|server| by_size.iter().any(|kept| std::ptr::eq(*kept, *server)));
            text = self.text(&shown, detail);
        }
        Answer { text, structured: self.structured(&shown, detail), is_error: false }
    }

    fn text(&self, shown: &[&ServerLine<'_>], detail: Detail) -> String {
        let tools: usize = self.servers.iter().map(|server| server.tools).sum();
        let search = SurfaceTool::Search.name();
        let mut text = format!(
            "{tools} tools on {} servers. Use {search} with short phrases, or a server's name.\n",
            self.servers.len()
        );
        match detail {
            Detail::Sentence => {
                for server in shown {
                    let about = first_sentence(server.about);
                    let about = if about.is_empty() { about } else { format!(": {about}") };
                    text.push_str(&format!("{} ({}){about}\n", server.name, server.tools));
                }
            }
            Detail::Count => {
                let names: Vec<String> =
                    shown.iter().map(|server| format!("{} ({})", server.name, server.tools)).collect();
                text.push_str(&names.join(", "));
                let more = self.servers.len() - shown.len();
                text.push_str(&if more > 0 { format!(" and {more} smaller servers\n") } else { "\n".into() });
            }
        }
        if self.instructed {
            let describe = SurfaceTool::Describe.name();
            text.push_str(&format!("{describe} with a server's name: how it says that its tools are to be used.\n"));
        }
        if !self.hidden.is_empty() {
            let hidden: Vec<String> = self.hidden.iter().map(|(why, count)| format!("{count} {why}")).collect();
            text.push_str(&format!("Not offered: {}.\n", hidden.join(", ")));
        }
        if let Some(line) = missing_line(self.missing) {
            text.push_str(&line);
        }
        text.trim_end().to_owned()
    }

    fn structured(&self, shown: &[&ServerLine<'_>], detail: Detail) -> Object {
        let rows: Vec<Json> = shown
            .iter()
            .map(|server| {
                let mut row = Object::new()
                    .with("name", Json::string(server.name))
                    .with("tools", Json::integer(server.tools as u64));
                let about = first_sentence(server.about);
                if detail == Detail::Sentence && !about.is_empty() {
                    row.set("about", Json::string(&about));
                }
                row.to_json()
            })
            .collect();
        let tools: usize = self.servers.iter().map(|server| server.tools).sum();
        let mut object = Object::new()
            .with("servers", Json::array_of(&rows))
            .with("total_servers", Json::integer(self.servers.len() as u64))
            .with("total_tools", Json::integer(tools as u64));
        if self.instructed {
            object.set("instructed", Json::literal("true"));
        }
        if !self.hidden.is_empty() {
            let hidden: Object = self
                .hidden
                .iter()
                .map(|(why, count)| toolgate_protocol::Member::new(why, Json::integer(*count as u64)))
                .collect();
            object.set("hidden", hidden.to_json());
        }
        if !self.missing.is_empty() {
            object.set("missing", missing_json(self.missing));
        }
        object
    }
}
