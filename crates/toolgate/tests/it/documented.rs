//! The worked examples of the documentation do what their pages say.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use toolgate_testkit::process::run_with_input;
use toolgate_testkit::{Client, Era, HttpApi, Program, Says, until};

use crate::commands::{Ran, TOOLGATE, folder, succeeds, toolgate};

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

/// The example file that a page shows as its first block.
fn example_of(page: &str, file: &str) -> PathBuf {
    let example = repository().join("examples").join(file);
    let written = std::fs::read_to_string(&example).unwrap();
    assert_eq!(lines(&written), lines(&blocks(page, "yaml")[0]), "the page shows another file");
    example
}

#[tokio::test]
async fn on_demand() {
    let text = std::fs::read_to_string(example_of("on-demand.md", "on-demand.yaml")).unwrap();
    let folder = folder(&(text + "listen: 127.0.0.1:0\nstate_dir: ./state\n"));
    let (_program, url) = Program::serve_in(TOOLGATE, folder).await;
    let client = Client::connect(&url, Era::Modern).await;
    let upstreams = until("both have come up or sleep", || async {
        let status = client.get("/status").await.json();
        let all = status["upstreams"].as_array()?.clone();
        all.iter().all(|one| one["state"] == "ready" || one["state"] == "asleep").then_some(all)
    })
    .await;
    let block = &blocks("on-demand.md", "text")[0];
    let said: Vec<&str> = block.split_whitespace().collect();
    let asleep: Vec<&str> =
        upstreams.iter().filter(|one| one["state"] == "asleep").filter_map(|one| one["name"].as_str()).collect();
    assert_eq!((asleep, "asleep"), (vec![said[0]], said[1]));
    assert!(client.tools().await.contains(&said[2].to_owned()));
}

#[tokio::test]
async fn isolation() {
    let text = std::fs::read_to_string(example_of("isolation.md", "warm.yaml")).unwrap();
    let folder = folder(&(text + "listen: 127.0.0.1:0\nstate_dir: ./state\n"));
    let (program, url) = Program::serve_in(TOOLGATE, folder).await;
    let client = Client::connect(&url, Era::Modern).await;
    until("all are warm", || async {
        let status = client.get("/status").await.json();
        (status["upstreams"][0]["warm"] == 2).then_some(())
    })
    .await;
    let shown = succeeds(program.folder(), &["status", "--url", &url]).await;
    assert!(shown.ends_with(&blocks("isolation.md", "text")[0]), "{shown}");
}

/// Each command of the page's example, on a gateway as the page starts it.
#[tokio::test]
async fn control_api() {
    let example = std::fs::read_to_string(repository().join("examples/namespaces.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("examples")).unwrap();
    let config = format!("listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0}}\n{example}");
    std::fs::write(folder.path().join("examples/namespaces.yaml"), config).unwrap();
    let mut serve = tokio::process::Command::new(crate::commands::TOOLGATE);
    serve.args(["serve", "--config", "examples/namespaces.yaml"]).current_dir(folder.path());
    serve.env_clear().env("HOME", folder.path()).stdout(std::process::Stdio::null()).kill_on_drop(true);
    let _serving = serve.spawn().unwrap();
    let commands = blocks("control-api.md", "text")[0].clone();
    let commands: Vec<Vec<&str>> = commands.lines().map(|line| line.split(' ').skip(1).collect()).collect();
    assert!(commands.len() > 5);
    toolgate_testkit::until("the gateway runs", || async {
        let listed = crate::commands::toolgate(folder.path(), &commands[0]).await;
        (listed.code == 0).then_some(())
    })
    .await;
    for command in &commands {
        succeeds(folder.path(), command).await;
    }
    let shown = succeeds(folder.path(), &commands[1]).await;
    assert!(shown.contains("add_*`: agents book nothing by themselves") && shown.contains("time_at_home"), "{shown}");
}

/// Each command of the page's example, on a gateway that runs; what its last ones leave is what it began with.
#[tokio::test]
async fn setting() {
    let folder = folder("listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\nupstreams: {time: {builtin: time}}\n");
    let mut serve = tokio::process::Command::new(TOOLGATE);
    serve.arg("serve").current_dir(folder.path()).env_clear().env("HOME", folder.path());
    let _serving = serve.stdout(std::process::Stdio::null()).kill_on_drop(true).spawn().unwrap();
    until("the gateway runs", || async {
        (crate::commands::toolgate(folder.path(), &["ns"]).await.code == 0).then_some(())
    })
    .await;
    let block = blocks("setting.md", "text")[0].clone();
    let mut said = Vec::new();
    for line in block.lines() {
        // As a shell parts words.
        let parts = line.split('\'').enumerate();
        let words = parts.flat_map(|(at, part)| match at % 2 {
            0 => part.split(' ').filter(|word| !word.is_empty()).collect(),
            _ => vec![part],
        });
        let words: Vec<&str> = words.skip(1).collect();
        said.push((line.to_owned(), succeeds(folder.path(), &words).await));
    }
    let of = |command: &str| &said.iter().find(|(line, _)| line.starts_with(command)).unwrap().1;
    assert!(of("toolgate add memory").contains("ready"), "{said:?}");
    assert!(of("toolgate override list").contains("Europe/Rome"), "{said:?}");
    let shown = of("toolgate ns show office");
    assert!(shown.contains("time__now ") && shown.contains("`*delete*`: agents delete nothing"), "{shown}");
    let listed = succeeds(folder.path(), &["ns"]).await;
    assert_eq!(names(&listed), ["namespace", "default"]);
}

#[tokio::test]
async fn namespaces() {
    let example = example_of("namespaces.md", "namespaces.yaml");
    let (folder, config) = (tempfile::tempdir().unwrap(), example.to_str().unwrap());
    for (namespace, shown) in ["travel", "reader"].into_iter().zip(blocks("namespaces.md", "text")) {
        let listed = succeeds(folder.path(), &["tools", "--config", config, "--namespace", namespace]).await;
        assert_eq!(names(&listed), names(&shown), "{namespace}");
    }
    let call = ["call", "--config", config, "--namespace", "travel", "time__time_at_home", "when=2026-01-15T12:00:00Z"];
    let said = succeeds(folder.path(), &call).await;
    assert!(said.contains("2026-01-15T13:00:00+01:00"), "{said}");
}

#[tokio::test]
async fn clients_config() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".cursor/mcp.json");
    let files = blocks("clients-config.md", "json");
    std::fs::create_dir(home.path().join(".cursor")).unwrap();
    std::fs::write(&file, &files[0]).unwrap();
    let import = ["import", "cursor", "--secrets-to", "secrets.env"];
    let ran = Ran::from(run_with_input(TOOLGATE, home.path(), &import, "y\n").await);
    let said = ran.out.replace(home.path().to_str().unwrap(), "/home/ada");
    assert_eq!((said.as_str(), ran.err.as_str()), (blocks("clients-config.md", "text")[0].as_str(), ""));
    succeeds(home.path(), &["check"]).await;
    succeeds(home.path(), &["connect", "cursor", "--only-toolgate"]).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), files[1]);
    succeeds(home.path(), &["disconnect", "cursor"]).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), files[0]);
}

/// Commands and what they say, as the page has them; the time of a copy is another one each time.
async fn says_what_is_written(folder: &Path, block: &str, here: &str) {
    let timeless = |text: &str| {
        let parts = text.split_once("the copy of ").zip(text.split_once(" is used"));
        parts.map_or_else(|| text.to_owned(), |((before, _), (_, after))| format!("{before}{after}"))
    };
    for session in block.split("$ toolgate ").skip(1) {
        let (command, written) = session.split_once('\n').unwrap();
        let command = command.replace("http://127.0.0.1:8000", here);
        let ran = toolgate(folder, &command.split(' ').collect::<Vec<_>>()).await;
        let said =
            if ran.err.starts_with("note ") { ran.err.lines().next().unwrap().to_owned() + "\n" } else { ran.out };
        assert_eq!(timeless(&said.replace(here, "http://127.0.0.1:8000")), timeless(written), "{command}: {}", ran.err);
    }
}

#[tokio::test]
async fn config_at_a_url() {
    let home = tempfile::tempdir().unwrap();
    let (page, sessions) = ("live-config.md", blocks("live-config.md", "console"));
    let file = |name: &str| {
        let written = blocks(page, "yaml")[0].replace("time: {", &format!("{name}: {{"));
        format!("listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0}}\n{written}")
    };
    let served = Arc::new(Mutex::new(file("time")));
    let shown = served.clone();
    let site = HttpApi::start(move |_| Says::text(200, "application/yaml", shown.lock().unwrap().clone())).await;
    let (url, here) = (site.url("/toolgate.yaml"), site.url(""));
    says_what_is_written(home.path(), &sessions[0], &here).await;
    let mut serve = tokio::process::Command::new(TOOLGATE);
    serve.args(["serve", "--config", &url]).current_dir(home.path()).env_clear().env("HOME", home.path());
    let _serving = serve.stdout(std::process::Stdio::null()).kill_on_drop(true).spawn().unwrap();
    until("the gateway runs", || async {
        (toolgate(home.path(), &["config", "-c", &url]).await.code == 0).then_some(())
    })
    .await;
    *served.lock().unwrap() = file("clock");
    says_what_is_written(home.path(), &sessions[1], &here).await;
    let copy = home.path().join(".local/state/toolgate/config");
    until("the copy is kept", || async {
        let mut files = std::fs::read_dir(&copy).ok()?;
        files
            .any(|file| std::fs::read_to_string(file.unwrap().path()).is_ok_and(|text| text.contains("clock")))
            .then_some(())
    })
    .await;
    site.stop().await;
    says_what_is_written(home.path(), &sessions[2], &here).await;
}
