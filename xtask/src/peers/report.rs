//! The figures as tables in Markdown, for the screen and for docs/discovery-peers.md.

use std::collections::BTreeMap;

use super::figures::Figures;
use super::front::Front;
use super::scenario::Scenario;
use super::transcript::Transcript;

const FILE: &str = "docs/discovery-peers.md";
/// Between these lines of the document stand the tables.
const BEGIN: &str = "<!-- figures: cargo xtask peers --write -->";
const END: &str = "<!-- end of figures -->";

/// All tables.
pub(super) fn tables(figures: &[Figures], transcripts: &[Transcript]) -> String {
    let mut text = made_with(transcripts);
    for scenario in [Scenario::Servers, Scenario::Livemcp] {
        let of: Vec<&Figures> = figures.iter().filter(|figures| figures.scenario == scenario).collect();
        if let Some(first) = of.first() {
            let needs = first.finding.needs;
            text += &format!("### {}: {} tools, {needs} needs\n\n", scenario.title(), first.behind);
            text += &surface(&of);
            text += &finding(&of);
            text += &reach(&of);
        }
    }
    let of: Vec<&Figures> = figures.iter().filter(|figures| figures.scenario == Scenario::Contents).collect();
    if !of.is_empty() {
        text += "### What survives a call through the front's own tool\n\n";
        text += &kept(&of);
    }
    text
}

/// When, and which versions.
fn made_with(transcripts: &[Transcript]) -> String {
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    let date = date.map_or_else(|_| String::new(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    let Some(Transcript { said, .. }) = transcripts.first() else { return String::new() };
    let named: BTreeMap<_, _> = said.versions.iter().collect();
    let versions: Vec<_> = named.into_iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "{date}, toolgate {}, {}; the client is {}. Tokens: o200k.\n\n",
        env!("CARGO_PKG_VERSION"),
        versions.join(", "),
        said.client
    )
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = head.iter().map(|_| "---".to_owned());
    let mut text = row(head.clone()) + &row(rule);
    rows.into_iter().for_each(|cells| text += &row(cells));
    text + "\n"
}

/// What a model pays before it has asked anything.
fn surface(of: &[&Figures]) -> String {
    let head = ["what is listed", "tools", "tokens, on the wire", "tokens, for the model", "tokens of instructions"];
    table(
        &head,
        of.iter().map(|figures| {
            let Figures { front, listed, whole, shown, instructions, .. } = figures;
            let counts = [listed, whole, shown, instructions].map(|count| thousands(*count));
            [vec![front.to_string()], counts.to_vec()].concat()
        }),
    )
}

/// From needs to calls.
fn finding(of: &[&Figures]) -> String {
    let head = [
        "finding",
        "right tool in the first answer: top 1 / 3 / 5 / anywhere",
        "then by other words / by listing a server",
        "needs met",
        "turns",
        "tokens of an answer: text / structured",
        "longest",
        "tokens read before the call",
        "surface, instructions and these",
        "seconds a search",
    ];
    table(
        &head,
        of.iter().map(|figures| {
            let found = &figures.finding;
            let met = format!("{} of {}", found.met, found.needs);
            let turns = found.turns.map_or_else(|| "–".to_owned(), |turns| format!("{turns:.2}"));
            if figures.front == Front::Direct {
                let none = || "–".to_owned();
                let all = thousands(figures.shown + figures.instructions);
                return vec![
                    figures.front.to_string(),
                    none(),
                    none(),
                    met,
                    turns,
                    none(),
                    none(),
                    none(),
                    all,
                    none(),
                ];
            }
            let [one, three, five, anywhere] = found.top;
            let ranked = match figures.front {
                // in the order of names
                Front::FastmcpGateway => format!("not ranked / {anywhere}"),
                _ => format!("{one} / {three} / {five} / {anywhere}"),
            };
            let structured = found.structured.map_or_else(|| "–".to_owned(), thousands);
            vec![
                figures.front.to_string(),
                ranked,
                format!("{} / {}", found.later[0], found.later[1]),
                met,
                turns,
                format!("{} / {structured}", thousands(found.text)),
                thousands(found.longest),
                thousands(found.read),
                thousands(figures.shown + figures.instructions + found.read),
                format!("{:.2}", found.seconds),
            ]
        }),
    ) + &of
        .iter()
        .find_map(|figures| figures.finding.together)
        .map_or_else(String::new, |together| format!("Three needs in one search of toolgate: {together} tokens.\n\n"))
}

/// What can be found and called at all.
fn reach(of: &[&Figures]) -> String {
    let head = [
        "reach",
        "found by its own name",
        "in the listings of servers",
        "called with valid arguments: the server answered",
        "and said the same as directly",
    ];
    table(
        &head,
        of.iter().map(|figures| {
            let reach = &figures.reach;
            let of = |count: usize, all: usize| if all == 0 { "–".to_owned() } else { format!("{count} of {all}") };
            vec![
                figures.front.to_string(),
                if figures.front == Front::Direct { "–".to_owned() } else { of(reach.found, reach.asked) },
                reach.listed.map_or_else(|| "–".to_owned(), |listed| of(listed, figures.behind)),
                of(reach.called, reach.tried),
                of(reach.same, reach.tried),
            ]
        }),
    )
}

/// Kinds of content by front.
fn kept(of: &[&Figures]) -> String {
    let fronts: Vec<&&Figures> = of.iter().filter(|figures| figures.front != Front::Direct).collect();
    let mut head = vec!["survives"];
    head.extend(fronts.iter().map(|figures| figures.front.title()));
    let kinds = fronts.first().map_or(0, |figures| figures.kept.len());
    let rows = (0..kinds).map(|at| {
        let cells = fronts.iter().map(|figures| in_words(figures.kept[at].through));
        [vec![fronts[0].kept[at].kind.to_owned()], cells.collect()].concat()
    });
    let by_name = fronts.iter().map(|figures| {
        let survived = |era: usize| figures.kept.iter().filter(|kept| kept.by_name[era]).count();
        match (survived(0), survived(1)) {
            (modern, legacy) if modern == legacy => format!("{modern} of {kinds}"),
            (modern, legacy) => format!("{modern} of {kinds}; legacy client {legacy}"),
        }
    });
    let by_name = [vec!["called by the tool's own name: kinds that survive".to_owned()], by_name.collect()].concat();
    table(&head, rows.chain([by_name]))
}

fn in_words([modern, legacy]: [bool; 2]) -> String {
    match (modern, legacy) {
        (true, true) => "yes",
        (true, false) => "with a modern client",
        (false, true) => "with a legacy client",
        (false, false) => "no",
    }
    .to_owned()
}

fn thousands(count: usize) -> String {
    if count < 1_000 { count.to_string() } else { format!("{},{:03}", count / 1_000, count % 1_000) }
}

/// Puts the tables into the document.
///
/// # Errors
/// When the document or its marks are missing.
pub(super) fn write(tables: &str) -> anyhow::Result<()> {
    crate::figures::write(FILE, BEGIN, END, tables)
}
