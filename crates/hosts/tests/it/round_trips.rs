//! Connected and disconnected: the file is byte for byte what it was, whatever it was.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use toolgate_hosts::connection::{Connected, Connection, Disconnected, Force};
use toolgate_hosts::{Entry, Host, Listed, edit};

use crate::fixture;

struct Desk {
    folder: TempDir,
    host: Host,
}

// === impl Desk ===

impl Desk {
    fn new(host: Host, before: Option<&[u8]>) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), host };
        if let Some(before) = before {
            fs::write(desk.file(), before).unwrap();
        }
        desk
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("settings")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn connection(&self) -> Connection {
        Connection::new(self.host, self.file(), &self.folder.path().join("state"))
    }
}

fn entry() -> Entry {
    Entry::Url("http://127.0.0.1:8665/mcp".into())
}

fn command() -> Entry {
    Entry::Command { command: "/opt/toolgate".into(), args: vec!["stdio".into()] }
}

/// What people have: no file, an empty one, servers, old line endings, no line break at the end, a mark at the start.
fn shapes(host: Host) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let full = fixture(host);
    let comment = if host == Host::Codex { "# nothing yet\n" } else { "// nothing yet\n" };
    let bare = if host == Host::Codex { "model = \"o3\"" } else { "{\"a\": {}}" };
    vec![
        ("absent", None),
        ("empty", Some(Vec::new())),
        ("blank", Some(b"\n\n".to_vec())),
        ("a comment only", Some(comment.as_bytes().to_vec())),
        ("no servers", Some(bare.as_bytes().to_vec())),
        ("servers", Some(full.as_bytes().to_vec())),
        ("old line endings", Some(full.replace('\n', "\r\n").into_bytes())),
        ("no line break at the end", Some(full.trim_end().as_bytes().to_vec())),
        ("a mark at the start", Some(format!("\u{feff}{full}").into_bytes())),
    ]
}

#[test]
fn the_file_is_restored_byte_for_byte() {
    for host in Host::ALL {
        for (shape, before) in shapes(host) {
            for entry in [entry(), command()] {
                let desk = Desk::new(host, before.as_deref());
                let connection = desk.connection();
                let done = connection
                    .connect("toolgate", &entry, &[])
                    .unwrap_or_else(|error| panic!("{host}, {shape}: {error}"));
                assert_eq!(done, Connected::Written, "{host}, {shape}");
                let text = desk.text();
                assert!(edit::is_connected(host, &text, "toolgate").unwrap(), "{host}, {shape}: {text}");
                let names = |text: &str| {
                    let listed = Listed::read(host, text).unwrap();
                    listed.servers.into_iter().map(|server| server.name).collect::<Vec<_>>()
                };
                let old = String::from_utf8(before.clone().unwrap_or_default()).unwrap();
                assert_eq!(names(&text).len(), names(&old).len() + 1, "{host}, {shape}: {text}");
                assert_eq!(connection.connect("toolgate", &entry, &[]).unwrap(), Connected::AsItWas, "{host}, {shape}");
                let done = connection.disconnect(Force::No).unwrap();
                assert_eq!(done, Disconnected::Restored { existed: before.is_some() }, "{host}, {shape}");
                assert_eq!(fs::read(desk.file()).ok(), before, "{host}, {shape}");
                assert_eq!(connection.disconnect(Force::No).unwrap(), Disconnected::NotConnected);
                assert!(!connection.backup().exists());
            }
        }
    }
}

#[test]
fn a_file_that_was_changed_keeps_its_changes() {
    for host in Host::ALL {
        let desk = Desk::new(host, Some(fixture(host).as_bytes()));
        let connection = desk.connection();
        let first = Listed::read(host, fixture(host)).unwrap().servers[0].name.clone();
        connection.connect("toolgate", &entry(), std::slice::from_ref(&first)).unwrap();
        assert!(!desk.text().contains(&format!("{first}\"")), "{host}: {}", desk.text());
        // The host itself writes its file: something is added.
        let other = Entry::Url("https://example.com/new".into());
        let theirs = edit::connect(host, &desk.text(), "theirs", &other, &[]).unwrap();
        fs::write(desk.file(), &theirs).unwrap();
        let done = connection.disconnect(Force::No).unwrap();
        assert_eq!(done, Disconnected::TakenOut { restored: vec![first.clone()], was_there: true }, "{host}");
        let mut names: Vec<String> =
            Listed::read(host, &desk.text()).unwrap().servers.into_iter().map(|server| server.name).collect();
        let mut expected: Vec<String> =
            Listed::read(host, fixture(host)).unwrap().servers.into_iter().map(|server| server.name).collect();
        expected.push("theirs".into());
        names.sort();
        expected.sort();
        assert_eq!(names, expected, "{host}: {}", desk.text());
    }
}

#[test]
fn force_puts_the_old_bytes_back() {
    let desk = Desk::new(Host::Zed, Some(fixture(Host::Zed).as_bytes()));
    let connection = desk.connection();
    connection.connect("toolgate", &entry(), &[]).unwrap();
    fs::write(desk.file(), "{}").unwrap();
    assert_eq!(connection.disconnect(Force::Yes).unwrap(), Disconnected::Restored { existed: true });
    assert_eq!(desk.text(), fixture(Host::Zed));
}

#[test]
fn a_second_connection_counts_whole_and_the_first_file_comes_back() {
    for host in Host::ALL {
        let desk = Desk::new(host, Some(fixture(host).as_bytes()));
        let connection = desk.connection();
        connection.connect("toolgate", &entry(), &[]).unwrap();
        connection.connect("tools", &command(), &[]).unwrap();
        assert!(!edit::is_connected(host, &desk.text(), "toolgate").unwrap(), "{host}");
        assert!(edit::is_connected(host, &desk.text(), "tools").unwrap(), "{host}");
        assert_eq!(connection.connected_as().unwrap().as_deref(), Some("tools"));
        connection.disconnect(Force::No).unwrap();
        assert_eq!(desk.text(), fixture(host), "{host}");
    }
}

#[test]
fn what_was_written_between_two_connections_stays() {
    let desk = Desk::new(Host::Cursor, None);
    let connection = desk.connection();
    connection.connect("toolgate", &entry(), &[]).unwrap();
    let theirs = edit::connect(Host::Cursor, &desk.text(), "theirs", &command(), &[]).unwrap();
    fs::write(desk.file(), theirs).unwrap();
    connection.connect("toolgate", &command(), &[]).unwrap();
    connection.disconnect(Force::No).unwrap();
    assert!(desk.text().contains("theirs") && !desk.text().contains("8665"), "{}", desk.text());
}

#[test]
fn a_file_that_cannot_be_understood_is_left_alone() {
    let bad = [
        (Host::Cursor, "{\"mcpServers\": {", "line 1, column 16: not JSON: Unterminated object"),
        (Host::Cursor, "[]", "line 1, column 1: not a map"),
        (Host::Cursor, "{\"mcpServers\": []}", "`mcpServers` is not a map"),
        (
            Host::Zed,
            "{\n  \"vim_mode\": true,\n  \"vim_mode\": false\n}",
            "line 3, column 3: `vim_mode` is given twice",
        ),
        (Host::Zed, "{\"context_servers\": {\"a\": {}, \"a\": {}}}", "`a` is given twice; remove one of the two"),
        (Host::Codex, "model = \n", "line 1, column 9: not TOML"),
        (Host::Codex, "[mcp_servers.a]\n[mcp_servers.a]\n", "duplicate key"),
        (Host::Codex, "mcp_servers = 3\n", "`mcp_servers` is not a map of servers"),
        (
            Host::Cursor,
            "{\"mcpServers\": {\"toolgate\": {\"command\": \"npx\"}}}",
            "another server is called `toolgate`",
        ),
    ];
    for (host, before, words) in bad {
        let desk = Desk::new(host, Some(before.as_bytes()));
        let error = desk.connection().connect("toolgate", &entry(), &[]).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("nothing was changed"), "{before}: {error}");
        assert_eq!(desk.text(), before);
        assert!(!desk.connection().backup().exists());
    }
    let deep = "[".repeat(100_000);
    let desk = Desk::new(Host::Cursor, Some(format!("{{\"a\": {deep}").as_bytes()));
    let error = desk.connection().connect("toolgate", &entry(), &[]).unwrap_err().to_string();
    assert!(error.contains("Maximum nesting depth exceeded"), "{error}");
    let desk = Desk::new(Host::Cursor, Some(b"{\n\"a\": \"\xff\"}"));
    let error = desk.connection().connect("toolgate", &entry(), &[]).unwrap_err().to_string();
    assert!(error.contains("is not UTF-8 text (line 2)"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let desk = Desk::new(Host::Zed, None);
    let target = desk.folder.path().join("dotfiles.json");
    fs::write(&target, fixture(Host::Zed)).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&target, desk.file()).unwrap();
    let connection = desk.connection();
    connection.connect("toolgate", &entry(), &[]).unwrap();
    assert!(fs::symlink_metadata(desk.file()).unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().contains("8665"));
    assert_eq!((mode(&target), mode(&connection.backup())), (0o640, 0o600));
    assert_eq!(mode(connection.backup().parent().unwrap()), 0o700);
    connection.disconnect(Force::No).unwrap();
    assert_eq!((fs::read_to_string(&target).unwrap().as_str(), mode(&target)), (fixture(Host::Zed), 0o640));

    let desk = Desk::new(Host::Cursor, None);
    desk.connection().connect("toolgate", &entry(), &[]).unwrap();
    assert_eq!(mode(&desk.file()), 0o600);
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 2, "nothing else is left behind");

    let desk = Desk::new(Host::Cursor, None);
    symlink(desk.folder.path().join("nowhere"), desk.file()).unwrap();
    let error = desk.connection().connect("toolgate", &entry(), &[]).unwrap_err().to_string();
    assert!(error.contains("is a link that leads nowhere"), "{error}");

    let desk = Desk::new(Host::Cursor, Some(b"{}"));
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o400)).unwrap();
    let error = desk.connection().connect("toolgate", &entry(), &[]).unwrap_err().to_string();
    assert!(error.contains("is read-only; make it writable first"), "{error}");
    assert_eq!(desk.text(), "{}");
    assert_eq!(desk.connection().disconnect(Force::No).unwrap(), Disconnected::NotConnected);
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o600)).unwrap();
    desk.connection().connect("toolgate", &entry(), &[]).unwrap();
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o400)).unwrap();
    desk.connection().connect("other", &entry(), &[]).unwrap_err();
    assert_eq!(desk.connection().connected_as().unwrap().as_deref(), Some("toolgate"));
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(desk.connection().disconnect(Force::No).unwrap(), Disconnected::Restored { existed: true });
    assert_eq!(desk.text(), "{}");
}

#[test]
fn a_folder_or_a_giant_in_the_place_of_the_file() {
    let desk = Desk::new(Host::Cursor, None);
    fs::create_dir(desk.file()).unwrap();
    let error = desk.connection().connect("toolgate", &entry(), &[]).unwrap_err().to_string();
    assert!(error.ends_with("is not a file"), "{error}");
    let desk = Desk::new(Host::Cursor, Some(b"{}"));
    fs::OpenOptions::new().write(true).open(desk.file()).unwrap().set_len(33 << 20).unwrap();
    let error = desk.connection().connect("toolgate", &entry(), &[]).unwrap_err().to_string();
    assert!(error.contains("is larger than 32 MiB"), "{error}");
}
