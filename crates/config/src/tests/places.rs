//! Where config files are found.

use std::path::{Path, PathBuf};

use crate::{Found, find, is_url};

fn look(files: &[&str], env: &[(&str, &str)]) -> Found {
    let variable = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    let exists = |path: &Path| files.iter().any(|file| Path::new(file) == path);
    find(Path::new("/proj"), Some(Path::new("/home/ada")), &variable, &exists)
}

#[test]
fn the_first_that_exists_counts() {
    let found = look(&["/proj/.mcp.json", "/proj/toolgate.yml"], &[]);
    assert_eq!(found.file, Some(PathBuf::from("/proj/toolgate.yml")));
    assert_eq!(found.looked_at, ["/proj/toolgate.yaml", "/proj/toolgate.yml"].map(PathBuf::from));
}

#[test]
fn the_users_file_comes_last() {
    let ours = "/home/ada/.config/toolgate/toolgate.yaml";
    assert_eq!(look(&[ours], &[]).file, Some(PathBuf::from(ours)));
    let found = look(&["/xdg/toolgate/toolgate.yaml", ours], &[("XDG_CONFIG_HOME", "/xdg")]);
    assert_eq!(found.file, Some(PathBuf::from("/xdg/toolgate/toolgate.yaml")));
}

#[test]
fn nothing_found_tells_all_places() {
    let found = look(&[], &[("XDG_CONFIG_HOME", "relative"), ("TOOLGATE_CONFIG", "")]);
    assert_eq!(found.file, None);
    assert_eq!(found.looked_at.len(), 9);
    assert_eq!(found.looked_at.last(), Some(&PathBuf::from("/home/ada/.config/toolgate/toolgate.json")));
}

#[test]
fn a_named_file_counts_even_if_it_is_missing() {
    let found = look(&["/proj/toolgate.yaml"], &[("TOOLGATE_CONFIG", "other.yaml")]);
    assert_eq!(found, Found { looked_at: vec!["/proj/other.yaml".into()], file: Some("/proj/other.yaml".into()) });
}

#[test]
fn a_url_is_no_file_of_the_working_folder() {
    let url = "https://config.example.com/toolgate.yaml?env=prod";
    let found = look(&["/proj/toolgate.yaml"], &[("TOOLGATE_CONFIG", url)]);
    assert_eq!(found, Found { looked_at: vec![url.into()], file: Some(url.into()) });
    for (name, expected) in [
        (url, true),
        ("HTTP://localhost/x", true),
        ("s3://bucket/x", true),
        ("toolgate.yaml", false),
        ("C:/toolgate.yaml", false),
        ("a b://x", false),
        ("://x", false),
        ("./https://x", false),
    ] {
        assert_eq!(is_url(Path::new(name)), expected, "{name}");
    }
}
