//! `docs/matrix.md`, written from what the test expects and found.

use std::path::Path;

use toolgate_testkit::Way;

use super::features::{Expected, Feature, KNOWN_DEFECTS, Loss, Variant};
use super::{cells, defect, name_of};

const HEAD: &str = "\
# Every revision on either side

Written by a test (`crates/toolgate/tests/it/matrix.rs`): a client of each revision of MCP over each transport that the revision
has, on an upstream of each revision over each transport, all behind one gateway, and each feature tried between them. The test
fails when this file is not what it finds; `UPDATE_DOCS=1 cargo test -p toolgate --test it matrix` writes it.

Clients down, upstreams across. A cell says how many of the features that the upstream's and the client's revisions give it
work, out of how many; letters name what is lost, and why is said below. Features that the side they begin at does not have are
not counted.

Streamable HTTP came with 2025-03-26, in the place of HTTP with SSE, which clients and servers of the legacy revisions went on to
speak; 2026-07-28 has stdio and streamable HTTP.

";

/// The whole file.
pub(super) fn write(variants: &[Variant]) -> String {
    let mut text = HEAD.to_owned();
    text += &total(variants);
    text += "\n| client \\ upstream |";
    for variant in variants {
        text += &format!(" {} |", title(*variant, "<br>"));
    }
    text += &format!("\n|---|{}\n", "---|".repeat(variants.len()));
    for client in variants {
        text += &format!("| **{}** |", title(*client, " "));
        for upstream in variants {
            text += &format!(" {} |", cell(*client, *upstream));
        }
        text.push('\n');
    }
    text += "\n## What is lost, and why\n\n";
    for loss in Loss::ALL {
        text += &format!("- **{}**: {}\n", loss.letter(), loss.reason());
    }
    text += "\n## What is tried\n\n";
    for (nth, feature) in (1..).zip(Feature::ALL) {
        text += &format!("{nth}. {}\n", feature.about());
    }
    if !KNOWN_DEFECTS.is_empty() {
        text += "\n## Faults of toolgate that wait for their repair\n\nIn the table they have a `!`.\n\n";
        for defect in KNOWN_DEFECTS {
            text += &format!("- {}\n", defect.what);
        }
    }
    text
}

/// How many there are of each kind.
fn total(variants: &[Variant]) -> String {
    let (mut works, mut lost, mut faulty) = (0, 0, 0);
    for (client, upstream, feature) in cells(variants) {
        match feature.expected(client, upstream) {
            Expected::Absent => {}
            _ if defect(client, upstream, feature).is_some() => faulty += 1,
            Expected::Works => works += 1,
            Expected::Lost(_) => lost += 1,
        }
    }
    let pairs = variants.len() * variants.len();
    let faulty = if faulty == 0 { String::new() } else { format!(", and {faulty} wait for a repair") };
    format!("Between {pairs} pairs, {works} features work, {lost} are lost for a reason that has a name{faulty}.\n")
}

fn title((revision, way): Variant, between: &str) -> String {
    let way = match way {
        Way::Stdio => "stdio",
        Way::Http => "HTTP",
        Way::Sse => "HTTP+SSE",
    };
    format!("{}{between}{way}", revision.as_str())
}

fn cell(client: Variant, upstream: Variant) -> String {
    let (mut works, mut tried, mut marks) = (0, 0, Vec::new());
    for feature in Feature::ALL {
        let expected = feature.expected(client, upstream);
        tried += usize::from(expected != Expected::Absent);
        match expected {
            Expected::Absent => {}
            _ if defect(client, upstream, feature).is_some() => marks.push('!'),
            Expected::Works => works += 1,
            Expected::Lost(loss) => marks.push(loss.letter()),
        }
    }
    marks.sort_unstable();
    marks.dedup();
    let marks: String = marks.into_iter().flat_map(|mark| [' ', mark]).collect();
    format!("{works}/{tried}{marks}")
}

/// Holds the text against the committed file, or puts it there.
pub(super) fn compare(text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/matrix.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return std::fs::write(&path, text).expect("the docs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/matrix.md is not what this test finds; UPDATE_DOCS=1 writes it:\n{text}");
}

/// The name of a variant is its title in one word.
#[test]
fn variants_have_names_of_their_own() {
    let names: std::collections::BTreeSet<String> = toolgate_testkit::Revision::over_every_way().map(name_of).collect();
    assert_eq!(names.len(), 13);
}
