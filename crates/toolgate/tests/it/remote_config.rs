//! A config at a URL: what changes there is applied, and what goes wrong there changes nothing, at the start least of all.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;
use toolgate_app::{Location, NotOpened, Pace, Remote, Running, Source, Surroundings};
use toolgate_testkit::process::{Signal, signal};
use toolgate_testkit::{Client, Era, Gate, Heard, HttpApi, Operator, Says, Script, Upstream, soon, until};

use crate::commands::{Ran, TOOLGATE};

/// A web server with one page, which it tells by its tag.
struct Site {
    api: HttpApi,
    page: Arc<Mutex<Says>>,
}

/// Answers a page, or that it is what is known already.
fn answer(heard: &Heard, page: &Says) -> Says {
    let Says::This(200, headers, _) = page else { return page.clone() };
    let tag = headers.iter().find_map(|header| header.strip_prefix("ETag: "));
    match heard.headers.get("if-none-match").map(String::as_str) {
        Some(known) if Some(known) == tag => Says::This(304, Vec::new(), Vec::new()),
        _ => page.clone(),
    }
}

/// A text with a tag of its own.
fn yaml(text: &str) -> Says {
    let tag = text.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    Says::text(200, "application/yaml", text).with(&format!("ETag: \"{tag:x}\""))
}

impl Site {
    async fn of(page: Says) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), page).await
    }

    async fn at(address: SocketAddr, page: Says) -> Self {
        let page = Arc::new(Mutex::new(page));
        let shown = page.clone();
        let api = HttpApi::at(address, move |heard| answer(heard, &shown.lock().unwrap())).await;
        Self { api, page }
    }

    fn says(&self, page: Says) {
        *self.page.lock().unwrap() = page;
    }

    fn url(&self) -> String {
        self.api.url("/toolgate.yaml")
    }

    /// Waits until it was asked so often from now on.
    async fn is_asked(&self, times: usize) {
        let before = self.api.heard().len();
        until("the URL is asked", || async { (self.api.heard().len() >= before + times).then_some(()) }).await;
    }
}

/// A gateway whose config is at a URL.
struct Fleet {
    running: Running,
    following: AbortOnDropHandle<()>,
    location: Location,
    state: Arc<TempDir>,
}

const PACE: Pace =
    Pace { poll: Duration::from_millis(20), most: Duration::from_millis(40), patience: Duration::from_millis(300) };
const SLOW: Pace = Pace { poll: Duration::from_secs(3600), most: Duration::from_secs(3600), ..PACE };

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

fn location(url: &str, state: &Arc<TempDir>, pace: Pace) -> Location {
    Location::Remote(Arc::new(Remote::new(url, None, Some(state.path()), pace).unwrap()))
}

impl Fleet {
    async fn open(url: &str, state: &Arc<TempDir>, pace: Pace) -> Result<Self, NotOpened> {
        let location = location(url, state, pace);
        let reading = location.open().await?;
        let (settings, said) = reading.said.unwrap();
        let source = Source {
            location: Some(location.clone()),
            files: reading.files,
            said,
            ledger: Default::default(),
            ..Source::default()
        };
        let built = toolgate_app::build(&settings, &Surroundings { source, ..Surroundings::default() }).unwrap();
        let reloader = built.reloader.clone();
        let following = AbortOnDropHandle::new(tokio::spawn(async move { reloader.follow().await }));
        let running = toolgate_app::start(built, &settings).await.unwrap();
        Ok(Self { running, following, location, state: state.clone() })
    }

    async fn start(url: &str, state: &Arc<TempDir>) -> Self {
        Self::open(url, state, PACE).await.unwrap()
    }

    fn url(&self) -> String {
        format!("http://{}", self.running.addresses[0])
    }

    async fn tools(&self) -> Vec<String> {
        Client::connect(&self.url(), Era::Modern).await.tools().await
    }

    async fn offers(&self, tools: &[&str]) {
        until(&format!("{tools:?} are offered"), || async { (self.tools().await == tools).then_some(()) }).await;
    }

    async fn config(&self) -> Value {
        Client::visitor(&self.url()).get("/status").await.json()["config"].clone()
    }

    async fn config_becomes(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || async { Some(self.config().await).filter(|config| wanted(config)) }).await
    }

    fn operator(&self) -> Operator {
        let address = self.running.control.unwrap();
        let token = toolgate_app::control_token(self.state.path()).unwrap().unwrap();
        Operator::of(&format!("http://{address}"), &token)
    }

    async fn stop(self) {
        drop(self.following);
        soon("the gateway stops", self.running.stop()).await;
    }
}

fn says(value: &Value, words: &str) -> bool {
    value.as_str().is_some_and(|text| text.contains(words))
}

async fn echo() -> Upstream {
    Script::echo(Era::Modern).over_http().await
}

/// What is in the file of the copy.
fn kept(state: &Arc<TempDir>) -> Option<String> {
    let mut files = std::fs::read_dir(state.path().join("config")).ok()?;
    let ends_so = |file: &std::path::PathBuf| file.extension().is_some_and(|end| end == "json");
    std::fs::read_to_string(files.find_map(|file| Some(file.ok()?.path()).filter(ends_so))?).ok()
}

/// Configs with one upstream, by its name.
fn config(name: &str, upstream: &Upstream, state: &Arc<TempDir>) -> Says {
    yaml(&Gate::of(name, upstream).controlled().text(state.path()))
}

#[tokio::test]
async fn a_change_is_applied_and_what_did_not_change_costs_nothing() {
    let (upstream, state) = (echo().await, folder());
    let site = Site::of(config("one", &upstream, &state)).await;
    let fleet = Fleet::start(&site.url(), &state).await;
    fleet.offers(&["one__echo"]).await;
    site.is_asked(3).await;
    let known: Vec<_> = site.api.heard().into_iter().map(|heard| heard.headers.contains_key("if-none-match")).collect();
    assert_eq!(known[..3], [false, true, true]);
    let now = fleet.config().await;
    assert_eq!((&now["applied"], &now["file"], &now["fault"]), (&json!(0), &json!(site.url()), &Value::Null));
    let connections = upstream.connections();
    site.says(config("two", &upstream, &state));
    fleet.offers(&["two__echo"]).await;
    fleet.config_becomes("it is told", |config| config["applied"] == 1).await;
    // A server without tags, whose page is the same each time.
    let Says::This(_, _, text) = config("two", &upstream, &state) else { unreachable!() };
    site.says(Says::text(200, "text/plain", text));
    site.is_asked(3).await;
    assert_eq!(fleet.config().await["applied"], 1);
    assert!(upstream.connections() <= connections + 1);
}

#[tokio::test]
async fn a_reload_asks_at_once() {
    let (upstream, state) = (echo().await, folder());
    let site = Site::of(config("one", &upstream, &state)).await;
    let fleet = Fleet::open(&site.url(), &state, SLOW).await.unwrap();
    site.says(config("two", &upstream, &state));
    let told = fleet.operator().ask(http::Method::POST, "/config/reload", Value::Null).await.ok();
    let changes: Vec<_> = told["differences"].as_array().unwrap().iter().map(|one| one["text"].clone()).collect();
    assert_eq!(changes, ["+ upstream two", "- upstream one"]);
    let shown = fleet.operator().get("/config").await;
    assert_eq!(shown["file"], site.url());
    let listen = shown["values"].as_array().unwrap().iter().find(|one| one["key"] == "listen").unwrap();
    assert_eq!(listen["place"], format!("{}:1:9", site.url()));
    // What is there is the same, and so is what is wrong with it, however often it is asked for.
    site.says(yaml("listen: [\n"));
    for _ in 0..2 {
        let refused = fleet.operator().ask(http::Method::POST, "/config/reload", Value::Null).await;
        assert!(refused.problem(422).1.contains(&format!("{}:", site.url())));
    }
    site.api.stop().await;
    let refused = fleet.operator().ask(http::Method::POST, "/config/reload", Value::Null).await;
    assert!(refused.problem(502).1.contains("cannot be had: Connection refused"));
}

/// Whoever asks for a reload and goes away while the URL is asked leaves a text behind that is known and not applied.
#[tokio::test]
async fn what_was_fetched_for_somebody_who_left_is_applied_all_the_same() {
    let (upstream, state) = (echo().await, folder());
    let site = Site::of(config("one", &upstream, &state)).await;
    let fleet = Fleet::open(&site.url(), &state, SLOW).await.unwrap();
    site.says(config("two", &upstream, &state));
    fleet.location.text().await.unwrap();
    fleet.offers(&["two__echo"]).await;
    assert_eq!(site.api.heard().len(), 2);
}

#[tokio::test]
async fn a_faulty_config_changes_nothing_and_is_told_once() {
    let (upstream, state) = (echo().await, folder());
    let site = Site::of(config("one", &upstream, &state)).await;
    let fleet = Fleet::start(&site.url(), &state).await;
    fleet.offers(&["one__echo"]).await;
    let mut events = fleet.operator().follow("/events", None).await;
    site.says(yaml("upstreams:\n  one: {comand: x}\n"));
    let now = fleet.config_becomes("its faults are told", |config| config["fault"].is_string()).await;
    assert!(says(&now["fault"], &format!("{}:2:9: upstreams.one.comand: unknown key", site.url())), "{now}");
    site.is_asked(3).await;
    fleet.offers(&["one__echo"]).await;
    site.says(config("two", &upstream, &state));
    fleet.offers(&["two__echo"]).await;
    fleet.config_becomes("it is put right", |config| config["fault"].is_null()).await;
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "config_applied") {
        let (_, event) = events.until("the config", |event| says(&event["type"], "config")).await;
        kinds.push(event["type"].clone());
    }
    assert_eq!(kinds, ["config_refused", "config_applied"]);
    // The copy is the last good one.
    let is_kept = || kept(&state).is_some_and(|text| text.contains("two"));
    until("it is kept", || async { is_kept().then_some(()) }).await;
    let address = site.api.address();
    fleet.stop().await;
    drop(site);
    let fleet = Fleet::start(&format!("http://{address}/toolgate.yaml"), &state).await;
    fleet.offers(&["two__echo"]).await;
}

#[tokio::test]
async fn without_its_url_a_gateway_starts_with_the_copy_and_goes_on_asking() {
    let (upstream, state) = (echo().await, folder());
    let site = Site::of(config("one", &upstream, &state)).await;
    let (url, address) = (site.url(), site.api.address());
    Fleet::start(&url, &state).await.stop().await;
    site.api.stop().await;
    let fleet = Fleet::start(&url, &state).await;
    fleet.offers(&["one__echo"]).await;
    let now = fleet.config().await;
    assert!(says(&now["unreachable"], &format!("{url} cannot be had: Connection refused")), "{now}");
    assert!(says(&now["unreachable"], "the copy of 20") && says(&now["unreachable"], "is used until"), "{now}");
    // It comes back as it was: nothing is fetched twice, and nothing is applied.
    let site = Site::at(address, config("one", &upstream, &state)).await;
    let now = fleet.config_becomes("it can be had again", |config| config["unreachable"].is_null()).await;
    assert_eq!((&now["applied"], &now["fault"]), (&json!(0), &Value::Null));
    assert!(site.api.heard().iter().all(|heard| heard.headers.contains_key("if-none-match")));
    site.says(config("two", &upstream, &state));
    fleet.offers(&["two__echo"]).await;
}

#[tokio::test]
async fn without_url_and_copy_there_is_no_start() {
    let (state, nobody) = (folder(), HttpApi::start(|_| Says::Nothing).await);
    let url = nobody.url("/toolgate.yaml");
    nobody.stop().await;
    let Err(NotOpened::Unreachable(why)) = Fleet::open(&url, &state, PACE).await else { panic!("it started") };
    assert!(why.starts_with(&format!("{url} cannot be had: Connection refused")), "{why}");
    assert!(why.ends_with("there is no copy of an earlier start that could be used"), "{why}");
}

#[tokio::test]
async fn a_faulty_url_at_the_start_leaves_the_copy_and_without_one_its_faults() {
    let (upstream, state) = (echo().await, folder());
    let site = Site::of(yaml("listen: [\n")).await;
    let Err(NotOpened::Faults { faults, aside: None }) = Fleet::open(&site.url(), &state, PACE).await else {
        panic!("it started");
    };
    assert!(faults.to_string().starts_with(&format!("{}:", site.url())), "{faults}");
    site.says(config("one", &upstream, &state));
    Fleet::start(&site.url(), &state).await.stop().await;
    site.says(yaml("listen: 127.0.0.1:0\nlisten: 127.0.0.1:0\n"));
    let fleet = Fleet::start(&site.url(), &state).await;
    fleet.offers(&["one__echo"]).await;
    let now = fleet.config().await;
    assert!(says(&now["fault"], &format!("{}:2:1", site.url())) && says(&now["fault"], "the copy of 20"), "{now}");
    // Put right to what it was before: nothing to apply, and nothing wrong any more.
    site.says(config("one", &upstream, &state));
    fleet.config_becomes("it is put right", |config| config["fault"].is_null()).await;
    assert_eq!(fleet.config().await["applied"], 0);
}

#[tokio::test]
async fn a_copy_with_faults_is_told_of_with_the_url() {
    let (upstream, state) = (echo().await, folder());
    let site = Site::of(config("one", &upstream, &state)).await;
    let url = site.url();
    Fleet::start(&url, &state).await.stop().await;
    let text = kept(&state).unwrap();
    let kept = std::fs::read_dir(state.path().join("config")).unwrap().next().unwrap().unwrap().path();
    // As if an older version had kept it.
    std::fs::write(&kept, text.replace("listen:", "lisen:")).unwrap();
    site.says(yaml("listen: [\n"));
    let Err(NotOpened::Faults { aside, .. }) = Fleet::open(&url, &state, PACE).await else { panic!("it started") };
    let aside = aside.unwrap();
    assert!(aside.contains("the copy of 20") && aside.contains("lisen: unknown key"), "{aside}");
    site.api.stop().await;
    let Err(NotOpened::Unreachable(why)) = Fleet::open(&url, &state, PACE).await else { panic!("it started") };
    assert!(why.contains("cannot be had") && why.contains("lisen: unknown key"), "{why}");
    std::fs::write(&kept, "{").unwrap();
    let Err(NotOpened::Unreachable(why)) = Fleet::open(&url, &state, PACE).await else { panic!("it started") };
    assert!(why.contains("the copy that was kept of it cannot be read"), "{why}");
}

#[tokio::test]
async fn what_is_no_config_changes_nothing() {
    let (upstream, state) = (echo().await, folder());
    let good = config("one", &upstream, &state);
    let site = Site::of(good.clone()).await;
    let fleet = Fleet::start(&site.url(), &state).await;
    fleet.offers(&["one__echo"]).await;
    let large = format!("x-much: {}\n", "y".repeat(1 << 20));
    for (page, words) in [
        (Says::text(404, "text/plain", "no"), "HTTP 404: there is nothing at this path"),
        (Says::text(401, "text/plain", "no"), "give a token in TOOLGATE_CONFIG_TOKEN"),
        (Says::text(503, "text/plain", "no"), "HTTP 503"),
        (Says::text(204, "text/plain", ""), "HTTP 204"),
        (Says::text(200, "application/yaml", large), "is larger than 1048576 bytes"),
        (Says::text(200, "text/html; charset=utf-8", "<html>Log in"), "the server sends a web page"),
        (Says::text(200, "text/plain", b"listen: \xff".to_vec()), "it is not UTF-8"),
        (Says::text(200, "text/plain", "").with("Content-Encoding: gzip"), "it is compressed (gzip)"),
        (Says::Half, "the connection ended"),
        (Says::Nothing, "was not there within 0.3 s"),
        (Says::text(302, "text/plain", ""), "not said where to"),
        (
            Says::text(302, "text/plain", "").with("Location: http://example.com/?sig=secret"),
            "http://example.com:80, which is not encrypted",
        ),
        (Says::text(302, "text/plain", "").with("Location: /again"), "redirected more than 5 times"),
    ] {
        site.says(page);
        let now = fleet.config_becomes(words, |config| says(&config["unreachable"], words)).await;
        assert!(says(&now["unreachable"], "the config before stays in force"), "{now}");
        fleet.offers(&["one__echo"]).await;
    }
    site.says(good);
    let now = fleet.config_becomes("it can be had again", |config| config["unreachable"].is_null()).await;
    assert_eq!(now["applied"], 0);
}

#[tokio::test]
async fn a_hung_server_holds_nothing_up() {
    let (upstream, state) = (echo().await, folder());
    let mut hung = Site::of(config("one", &upstream, &state)).await;
    let url = hung.url();
    let patient = Pace { patience: Duration::from_secs(3600), ..PACE };
    Fleet::open(&url, &state, patient).await.unwrap().stop().await;
    hung.says(Says::Nothing);
    // The start waits for no longer than it is patient, and the copy is there.
    let fleet = Fleet::start(&url, &state).await;
    hung.api.was_given_up().await;
    fleet.offers(&["one__echo"]).await;
    fleet.stop().await;
    // One that hangs later keeps no call waiting.
    hung.says(config("one", &upstream, &state));
    let fleet = Fleet::open(&url, &state, patient).await.unwrap();
    fleet.offers(&["one__echo"]).await;
    hung.says(Says::Nothing);
    let last = hung.api.heard().len();
    until("it hangs", || async { (hung.api.heard().len() > last).then_some(()) }).await;
    fleet.offers(&["one__echo"]).await;
}

#[tokio::test]
async fn a_token_goes_to_its_own_origin_only() {
    let (upstream, state) = (echo().await, folder());
    let page = config("one", &upstream, &state);
    let other = Site::of(page).await;
    let elsewhere = other.url();
    let moved = HttpApi::start(move |heard| match heard.line.as_str() {
        "GET /toolgate.yaml" => Says::text(307, "text/plain", "").with("Location: here.yaml?x=1"),
        _ => Says::text(302, "text/plain", "").with(&format!("Location: {elsewhere}")),
    })
    .await;
    let url = moved.url("/toolgate.yaml");
    let remote = Remote::new(&url, Some("t0ken".into()), Some(state.path()), PACE).unwrap();
    let reading = Location::Remote(Arc::new(remote)).open().await.unwrap();
    assert!(reading.said.is_ok());
    let sent =
        |heard: Vec<Heard>| heard.iter().map(|one| one.headers.get("authorization").cloned()).collect::<Vec<_>>();
    let token = Some("Bearer t0ken".to_owned());
    assert_eq!(sent(moved.heard()), [token.clone(), token]);
    assert_eq!(moved.heard()[1].line, "GET /here.yaml?x=1");
    assert_eq!(sent(other.api.heard()), [None]);
}

#[tokio::test]
async fn the_server_says_what_format_it_is() {
    let flow = "{listen: 127.0.0.1:0, upstreams: {}}";
    for (media, path, is_taken) in [
        ("application/yaml", "/config.json", true),
        ("text/x-yaml", "/config", true),
        ("application/json; charset=utf-8", "/config.yaml", false),
        ("application/vnd.example+json", "/config.yaml", false),
        ("text/plain", "/config.yaml?v=1", true),
        ("text/plain", "/config", true),
        ("text/plain", "/config.json?v=1", false),
        ("application/octet-stream", "/config.yml", true),
    ] {
        let site = Site::of(Says::text(200, media, flow)).await;
        let reading = location(&site.api.url(path), &folder(), PACE).fresh().await.unwrap();
        assert_eq!(reading.said.is_ok(), is_taken, "{media} {path}");
    }
}

/// Paths in a config from elsewhere begin where the gateway was started, and files that it draws on are followed.
#[tokio::test]
async fn files_of_this_machine_begin_at_the_working_folder() {
    let state = folder();
    let secret = state.path().join("secret");
    std::fs::write(&secret, "127.0.0.1:0").unwrap();
    let site = Site::of(yaml("state_dir: ./somewhere\nupstreams: {}\n")).await;
    let reading = location(&site.url(), &state, PACE).open().await.unwrap();
    let (settings, _) = reading.said.unwrap();
    assert_eq!(settings.state_dir, Some(std::env::current_dir().unwrap().join("somewhere")));
    site.says(yaml(&format!("listen: ${{file:{}}}\nadmin: {{listen: off}}\nupstreams: {{}}\n", secret.display())));
    let fleet = Fleet::open(&site.url(), &state, SLOW).await.unwrap();
    assert_eq!(fleet.config().await["fault"], Value::Null);
    std::fs::remove_file(&secret).unwrap();
    let now = fleet.config_becomes("the missing file is seen", |config| config["fault"].is_string()).await;
    assert!(says(&now["fault"], "secret"), "{now}");
    let asked = site.api.heard().len();
    std::fs::write(&secret, "127.0.0.1:0").unwrap();
    fleet.config_becomes("it is there again", |config| config["fault"].is_null()).await;
    assert_eq!(site.api.heard().len(), asked, "the URL has nothing to do with it");
}

/// A toolgate with this config URL in `TOOLGATE_CONFIG`, and its output.
async fn command(folder: &TempDir, url: &str, token: Option<&str>, args: &[&str]) -> Ran {
    let mut command = tokio::process::Command::new(TOOLGATE);
    command.current_dir(folder.path()).env_clear().env("HOME", folder.path()).env("TOOLGATE_CONFIG", url);
    command.envs(token.map(|token| ("TOOLGATE_CONFIG_TOKEN", token))).args(args).kill_on_drop(true);
    command.stdin(std::process::Stdio::null());
    soon(&format!("toolgate {args:?} ends"), command.output()).await.unwrap().into()
}

/// The whole program, with credentials in the URL: they reach the server, and are shown nowhere.
#[tokio::test]
async fn every_command_takes_the_url_and_none_shows_what_lets_somebody_in() {
    let home = tempfile::tempdir().unwrap();
    let config = |name: &str| {
        yaml(&format!("listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0}}\nupstreams:\n  {name}: {{builtin: time}}\n"))
    };
    let site = Site::of(config("time")).await;
    let url = site.api.url("/toolgate.yaml?sig=hidden").replace("http://", "http://ada:secret@");
    let shown = site.api.url("/toolgate.yaml?****").replace("http://", "http://****@");
    let mut serve = tokio::process::Command::new(TOOLGATE);
    serve.args(["serve", "--config", &url]).current_dir(home.path()).env_clear().env("HOME", home.path());
    let log = std::fs::File::create(home.path().join("log")).unwrap();
    let serving = serve.stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true).spawn().unwrap();
    let mut said = String::new();
    let run = async |args: &[&str]| command(&home, &url, None, args).await;
    until("the gateway runs", || async { (run(&["config"]).await.code == 0).then_some(()) }).await;
    let place = format!("{shown}:4:19");
    for (args, code, words) in [
        (vec!["config"], 0, place.as_str()),
        (vec!["config", "-c", &url], 0, &shown),
        (vec!["reload", "-c", &url], 0, "the same as before"),
        (vec!["check"], 0, "is fine: 1 upstreams"),
        (vec!["check", &url], 0, &shown),
        (vec!["tools", "--config", &url], 0, "time__current_time"),
        (vec!["import", "--file", ".mcp.json"], 1, "only a file of this machine is added to"),
        (vec!["connect", "cursor", "--stdio"], 0, &shown),
        (vec!["connect", "zed", "--stdio", "--json"], 0, &shown),
    ] {
        std::fs::write(home.path().join(".mcp.json"), "{\"mcpServers\": {\"x\": {\"command\": \"x\"}}}").unwrap();
        let ran = run(&args).await;
        assert!(ran.code == code && (ran.out.clone() + &ran.err).contains(words), "{args:?}: {}{}", ran.out, ran.err);
        said += &(ran.out + &ran.err);
    }
    // An application is given the URL as it is: without what is secret in it nothing would be had.
    let connected = std::fs::read_to_string(home.path().join(".cursor/mcp.json")).unwrap();
    assert!(connected.contains("ada:secret") && connected.contains("sig=hidden"), "{connected}");
    site.says(config("clock"));
    for (args, code, words) in [
        (vec!["diff", "-c", &url], 1, "+ upstream clock"),
        (vec!["reload"], 0, "- upstream time"),
        (vec!["diff", &url], 0, ""),
    ] {
        let ran = run(&args).await;
        assert!(ran.code == code && ran.out.contains(words), "{args:?}: {}{}", ran.out, ran.err);
    }
    site.says(yaml("lisen: x\n"));
    for (args, code) in [(vec!["reload"], 64), (vec!["check"], 64), (vec!["diff"], 64)] {
        let ran = run(&args).await;
        assert!(ran.code == code && ran.err.contains("did you mean `listen`?"), "{args:?}: {}{}", ran.out, ran.err);
        said += &(ran.out + &ran.err);
    }
    let authorized =
        |heard: &Heard| heard.headers.get("authorization").map(String::as_str) == Some("Basic YWRhOnNlY3JldA==");
    assert!(site.api.heard().iter().all(authorized));
    let address = site.api.address();
    site.api.stop().await;
    // The gateway runs on, and commands find it all the same.
    for (args, code, words) in [
        (vec!["config"], 0, "upstreams.clock"),
        (vec!["reload"], 1, "cannot be had: Connection refused"),
        (vec!["check"], 69, "cannot be had: Connection refused"),
        (vec!["tools", "-c", &url], 0, "clock__current_time"),
        (vec!["status"], 69, "no gateway answers at 127.0.0.1:0"),
    ] {
        let ran = run(&args).await;
        assert!(ran.code == code && (ran.out.clone() + &ran.err).contains(words), "{args:?}: {}{}", ran.out, ran.err);
        said += &(ran.out + &ran.err);
    }
    drop(serving);
    said += &std::fs::read_to_string(home.path().join("log")).unwrap();
    for file in files_below(&home.path().join(".local")) {
        // A copy of an application's file is what the application has.
        if !file.to_string_lossy().contains("/connect") {
            said += &String::from_utf8_lossy(&std::fs::read(file).unwrap());
        }
    }
    assert!(said.contains(&shown) && said.contains(&address.to_string()));
    assert!(!said.contains("secret") && !said.contains("hidden"), "{said}");
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_url_that_is_none_for_a_config_is_refused_in_words() {
    let home = tempfile::tempdir().unwrap();
    for (url, token, words) in [
        ("http://example.com/toolgate.yaml", None, "a config is had over https only"),
        ("ftp://example.com/toolgate.yaml", None, "a config is had over https only"),
        ("https://ada:secret@example.com/", Some("t0ken"), "leave one of them out"),
        ("https://exa mple.com/", None, "cannot be read as a URL"),
        ("https://example.com/", Some("t0 ken"), "TOOLGATE_CONFIG_TOKEN has a space"),
    ] {
        for args in [["serve"], ["check"], ["stdio"]] {
            let ran = command(&home, url, token, &args).await;
            assert!(ran.code == 64 && ran.err.contains(words), "{url}: {} {}", ran.code, ran.err);
            assert!(!ran.err.contains("secret") && !ran.err.contains("t0"), "{}", ran.err);
        }
    }
}

#[tokio::test]
async fn a_token_is_taken_from_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let api = HttpApi::start(|heard| match heard.headers.get("authorization").map(String::as_str) {
        Some("Bearer t0ken") => yaml("upstreams: {}\n"),
        _ => Says::text(401, "text/plain", "no"),
    })
    .await;
    let url = api.url("/");
    assert_eq!(command(&home, &url, Some("t0ken"), &["check"]).await.code, 0);
    let ran = command(&home, &url, None, &["serve"]).await;
    assert!(ran.code == 69 && ran.err.contains("give a token in TOOLGATE_CONFIG_TOKEN"), "{}", ran.err);
}

/// Whoever stops a gateway that waits for its config does not wait for it too.
#[tokio::test]
async fn a_signal_ends_the_wait_for_a_config() {
    let home = tempfile::tempdir().unwrap();
    let hung = HttpApi::start(|_| Says::Nothing).await;
    let mut serve = tokio::process::Command::new(TOOLGATE);
    serve.args(["serve", "--config", &hung.url("/")]).current_dir(home.path()).env_clear().kill_on_drop(true);
    let mut serving = serve.spawn().unwrap();
    until("it asks", || async { (!hung.heard().is_empty()).then_some(()) }).await;
    let asked = std::time::Instant::now();
    signal(serving.id().unwrap(), Signal::TERM);
    assert!(soon("it ends", serving.wait()).await.unwrap().success());
    assert!(asked.elapsed() < Pace::default().patience / 2);
}
