//! The worked examples of the documentation do what their pages say.

use std::path::{Path, PathBuf};

use crate::commands::succeeds;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The blocks of a page that are in this language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("docs").join(page)).expect("the page is there");
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    parts.map(str::to_owned).collect()
}

/// The lines of a file that are no comments.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

fn names(listed: &str) -> Vec<&str> {
    listed.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[tokio::test]
async fn namespaces() {
    let example = repository().join("examples/namespaces.yaml");
    let written = std::fs::read_to_string(&example).unwrap();
    assert_eq!(lines(&written), lines(&blocks("namespaces.md", "yaml")[0]), "the page shows another file");
    let (folder, config) = (tempfile::tempdir().unwrap(), example.to_str().unwrap());
    for (namespace, shown) in ["travel", "reader"].into_iter().zip(blocks("namespaces.md", "text")) {
        let listed = succeeds(folder.path(), &["tools", "--config", config, "--namespace", namespace]).await;
        assert_eq!(names(&listed), names(&shown), "{namespace}");
    }
    let call = ["call", "--config", config, "--namespace", "travel", "time__time_at_home", "when=2026-01-15T12:00:00Z"];
    let said = succeeds(folder.path(), &call).await;
    assert!(said.contains("2026-01-15T13:00:00+01:00"), "{said}");
}
