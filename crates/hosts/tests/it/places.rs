//! Where each host's file is, on each system.

use std::path::Path;

use toolgate_hosts::{Host, System, World};

fn places(system: System, variables: &[(&str, &str)], home: &str) -> Vec<String> {
    let env = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let world = World { system, home: home.into(), project: "/shop".into(), env: &env };
    Host::ALL.iter().map(|host| host.user_file(&world).display().to_string()).collect()
}

#[test]
fn on_linux() {
    let expected = [
        "/home/ada/.config/Claude/claude_desktop_config.json",
        "/home/ada/.claude.json",
        "/home/ada/.cursor/mcp.json",
        "/home/ada/.config/Code/User/mcp.json",
        "/home/ada/.codeium/windsurf/mcp_config.json",
        "/home/ada/.config/zed/settings.json",
        "/home/ada/.codex/config.toml",
        "/home/ada/.gemini/settings.json",
    ];
    assert_eq!(places(System::Linux, &[("XDG_CONFIG_HOME", "relative")], "/home/ada"), expected);
}

#[test]
fn variables_move_them() {
    let moved = [
        ("XDG_CONFIG_HOME", "/c"),
        ("CLAUDE_CONFIG_DIR", "/claude"),
        ("CODEX_HOME", "/codex"),
        ("GEMINI_CLI_HOME", "/g"),
    ];
    let found = places(System::Linux, &moved, "/home/ada");
    for place in [
        "/c/Claude/claude_desktop_config.json",
        "/claude/.claude.json",
        "/c/zed/settings.json",
        "/codex/config.toml",
        "/g/.gemini/settings.json",
    ] {
        assert!(found.iter().any(|found| found == place), "{place}: {found:?}");
    }
}

#[test]
fn on_macos() {
    let found = places(System::MacOs, &[("XDG_CONFIG_HOME", "/c")], "/Users/ada");
    for place in [
        "/Users/ada/Library/Application Support/Claude/claude_desktop_config.json",
        "/Users/ada/Library/Application Support/Code/User/mcp.json",
        "/Users/ada/.config/zed/settings.json",
    ] {
        assert!(found.iter().any(|found| found == place), "{place}: {found:?}");
    }
}

#[test]
fn on_windows() {
    let found = places(System::Windows, &[("APPDATA", r"C:\Users\ada\AppData\Roaming")], r"C:\Users\ada");
    for (at, steps) in [(0, ["Claude", "claude_desktop_config.json"]), (5, ["Zed", "settings.json"])] {
        let expected = Path::new(r"C:\Users\ada\AppData\Roaming").join(steps[0]).join(steps[1]);
        assert_eq!(Path::new(&found[at]), expected);
    }
}

#[test]
fn of_a_project() {
    let world = World { system: System::Linux, home: "/home/ada".into(), project: "/shop".into(), env: &|_| None };
    let found = Host::ALL.iter().filter_map(|host| host.project_file(&world));
    let found: Vec<String> = found.map(|path| path.display().to_string()).collect();
    let expected = [
        "/shop/.mcp.json",
        "/shop/.cursor/mcp.json",
        "/shop/.vscode/mcp.json",
        "/shop/.codex/config.toml",
        "/shop/.gemini/settings.json",
    ];
    assert_eq!(found, expected);
}

#[test]
fn words_lead_to_hosts() {
    for host in Host::ALL {
        assert_eq!(Host::of_word(host.word()), Some(host));
        assert_eq!(Host::of_word(host.name()), Some(host), "{host}");
    }
    assert_eq!(Host::of_word("emacs"), None);
}
