//! Resources of every kind: text, bytes, one that changes, enough of them to fill pages, and families.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::media;
use crate::content::{Contents, Link};
use crate::prompt::Filled;
use crate::resource::{Resources, Template};

const TEXT: &str = "everything://text";
const IMAGE: &str = "everything://image";
const EXTRA: &str = "everything://extra";
/// The resource that changes when `tick` is called.
pub(super) const TICKS: &str = "everything://ticks";
const PAGE: &str = "everything://page/";
const PAGE_TEMPLATE: &str = "everything://page/{number}";
const GREETING: &str = "everything://greeting/";
const GREETING_TEMPLATE: &str = "everything://greeting/{language}/{name}";
/// How many pages are listed.
const LISTED: u64 = 40;
/// How many can be read.
const PAGES: u64 = 1_000_000;

const GREETINGS: [(&str, &str, &[&str]); 3] = [
    ("english", "Hello", &["Ada", "Alan", "Grace"]),
    ("french", "Bonjour", &["Blaise", "Sophie"]),
    ("german", "Guten Tag", &["Emmy", "Konrad"]),
];

/// What changes in it.
#[derive(Clone, Default)]
pub(super) struct Library {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    ticks: AtomicU64,
    extra: AtomicBool,
}

/// The plain text resource.
pub(super) fn text() -> Contents {
    Contents::text(TEXT, "text/plain", "This is a resource of plain text.")
}

/// A link to one of the numbered pages.
pub(super) fn page(number: u64) -> Link {
    link(&format!("{PAGE}{number}"), &format!("page {number}"), "One of many pages, to fill a long list.", "text/plain")
}

fn link(uri: &str, name: &str, description: &str, mime_type: &'static str) -> Link {
    Link {
        uri: uri.into(),
        name: name.into(),
        title: name.into(),
        description: description.into(),
        mime_type,
        size: None,
    }
}

// === impl Library ===

impl Library {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Counts one up, and gives the count.
    pub(super) fn tick(&self) -> u64 {
        self.state.ticks.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Begins to count anew, and gives what had been counted.
    pub(super) fn reset(&self) -> u64 {
        self.state.ticks.swap(0, Ordering::Relaxed)
    }

    /// Lists one more resource, or no longer; tells which.
    pub(super) fn toggle_extra(&self) -> bool {
        !self.state.extra.fetch_xor(true, Ordering::Relaxed)
    }
}

impl Resources for Library {
    fn list(&self) -> Vec<Link> {
        let mut links = vec![
            link(TEXT, "text", "Plain text.", "text/plain"),
            link(IMAGE, "image", "A small image, as bytes.", "image/png"),
            link(
                TICKS,
                "ticks",
                "A counter that the tool `tick` advances; subscribe to it to be told.",
                "application/json",
            ),
        ];
        if self.state.extra.load(Ordering::Relaxed) {
            links.push(link(EXTRA, "extra", "Here until `toggle_entry` removes it.", "text/plain"));
        }
        links.extend((1..=LISTED).map(page));
        links
    }

    fn templates(&self) -> Vec<Template> {
        vec![
            Template {
                uri_template: PAGE_TEMPLATE,
                name: "page",
                title: "Numbered page",
                description: "A page by its number, listed or not.",
                mime_type: "text/plain",
            },
            Template {
                uri_template: GREETING_TEMPLATE,
                name: "greeting",
                title: "Greeting",
                description: "A greeting in a language for a name. The completion of the name depends on the language.",
                mime_type: "text/plain",
            },
        ]
    }

    fn read(&self, uri: &str) -> Option<Contents> {
        let plain = |words: String| Some(Contents::text(uri, "text/plain", words));
        match uri {
            TEXT => Some(text()),
            IMAGE => Some(Contents::blob(uri, "image/png", &media::png())),
            TICKS => {
                let ticks = self.state.ticks.load(Ordering::Relaxed);
                Some(Contents::text(uri, "application/json", format!("{{\"ticks\":{ticks}}}")))
            }
            EXTRA if self.state.extra.load(Ordering::Relaxed) => plain("Something extra.".into()),
            _ => {
                if let Some(number) = uri.strip_prefix(PAGE) {
                    let number: u64 = number.parse().ok().filter(|number| (1..=PAGES).contains(number))?;
                    return plain(format!("This is page {number}."));
                }
                let (language, name) = uri.strip_prefix(GREETING)?.split_once('/')?;
                let (_, greeting, _) = GREETINGS.iter().find(|(known, ..)| *known == language)?;
                (!name.is_empty()).then(|| plain(format!("{greeting}, {name}!")))?
            }
        }
    }

    fn suggest(&self, template: &str, variable: &str, others: &Filled) -> Option<Vec<String>> {
        let owned = |words: &[&str]| -> Vec<String> { words.iter().map(|&word| word.to_owned()).collect() };
        match (template, variable) {
            (PAGE_TEMPLATE, "number") => Some((1..=1000).map(|number: u64| number.to_string()).collect()),
            (GREETING_TEMPLATE, "language") => {
                Some(GREETINGS.iter().map(|(language, ..)| (*language).to_owned()).collect())
            }
            (GREETING_TEMPLATE, "name") => {
                let language = others.get("language");
                let names = GREETINGS.iter().filter(|(known, ..)| language.is_none_or(|language| language == known));
                Some(names.flat_map(|(.., names)| owned(names)).collect())
            }
            _ => None,
        }
    }
}
