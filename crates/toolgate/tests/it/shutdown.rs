//! The end: what is in flight is finished, every stream gets its end, no process stays behind, whatever ended the gateway.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use toolgate_testkit::process::{Signal, children_of, holdings, is_alone, is_gone, is_running};
use toolgate_testkit::{Call, Client, Era, Gate, Program, Script, Upstream, Way, soon, until};

const TOOLGATE: &str = env!("CARGO_BIN_EXE_toolgate");

/// Far more than an orderly end takes on a busy machine when nothing has to be waited for, and less than any default wait.
const SOON: Duration = Duration::from_secs(9);

/// A server with a tool `slow`, which answers once it is let, and `hang`, which never does.
fn slow_server(era: Era, let_go: &Arc<Semaphore>) -> Script {
    let let_go = let_go.clone();
    let slow = move |call: Call| {
        let let_go = let_go.clone();
        async move {
            if !call.params["_meta"]["progressToken"].is_null() {
                call.progress(1, 2);
            }
            let _permit = let_go.acquire().await.unwrap();
            let text = call.argument("text");
            call.text(&text);
        }
    };
    Script::echo(era).tool("slow", slow).tool("hang", Call::hang)
}

fn address(url: &str) -> &str {
    url.trim_start_matches("http://")
}

/// Waits until nobody takes connections at the address any more.
async fn is_closed(url: &str) {
    until("connections are refused", || async { TcpStream::connect(address(url)).await.err() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_nothing() {
    const CALLS: usize = 20;
    let let_go = Arc::new(Semaphore::new(0));
    let child = slow_server(Era::Legacy, &let_go).that_stays().over_stdio().await;
    let remote = slow_server(Era::Modern, &let_go).over_http().await;
    let plan = Gate::of("child", &child).and("remote", &remote).and_config("clock", json!({"builtin": "time"}));
    let (program, url) = Program::serve(TOOLGATE, &plan).await;
    let (modern, legacy) = (Client::connect(&url, Era::Modern).await, Client::connect(&url, Era::Legacy).await);
    let mut listening = modern.listen(&[]).await;
    let mut told = legacy.listen(&[]).await;

    let calls = async {
        let call = async |client: &Client, upstream: &str, nth: usize| {
            // Every other answer is a stream that has begun.
            let meta = if nth.is_multiple_of(2) { json!({"progressToken": nth}) } else { json!({}) };
            let text = format!("{upstream} {nth}");
            let params = json!({"name": format!("{upstream}__slow"), "arguments": {"text": text}, "_meta": meta});
            let result = client.request("tools/call", params).await.expect("the call is finished");
            assert_eq!(result["content"][0]["text"], text);
        };
        let of = |client, upstream| join_all((0..CALLS).map(move |nth| call(client, upstream, nth)));
        tokio::join!(of(&modern, "child"), of(&modern, "remote"), of(&legacy, "child"), of(&legacy, "remote"))
    };
    let stopping = async {
        child.heard_times("tools/call slow", 2 * CALLS).await;
        remote.heard_times("tools/call slow", 2 * CALLS).await;
        let processes = children_of(program.pid());
        assert!(processes.len() >= 3, "the child, the compiled-in server, the watchdog: {processes:?}");
        program.signal(Signal::TERM);
        is_closed(&url).await;
        // Streams that have no end of their own get one while calls go on.
        let result = listening.outcome().await.expect("a listen ends with a result");
        assert_eq!(result["resultType"], "complete");
        assert_eq!(result["_meta"]["io.modelcontextprotocol/subscriptionId"], listening.id);
        while let Some(change) = told.next().await {
            // Of when the upstreams came up.
            assert!(change["method"].as_str().is_some_and(|method| method.ends_with("/list_changed")), "{change}");
        }
        assert!(is_running(child.pid(1).await), "calls in flight still have their upstream");
        let_go.add_permits(4 * CALLS);
        processes
    };
    let (_, processes) = tokio::join!(calls, stopping);
    let ended = program.ended().await;
    assert_eq!(ended.code(), Some(0), "{ended}");
    for process in processes {
        is_gone(process).await;
    }
}

/// Sends a call as bytes and gives all bytes that ever come back.
async fn raw_call(url: &str, client: &Client, tool: &str) -> tokio::task::JoinHandle<String> {
    let (_, head, message) = client.request_for("tools/call", json!({"name": tool, "arguments": {}}));
    let body = message.to_string();
    let mut text = format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in head.headers_ref().unwrap() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let mut stream = TcpStream::connect(address(url)).await.unwrap();
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.unwrap();
    tokio::spawn(async move {
        let mut answer = Vec::new();
        // Being cut off may look like an end or like a reset.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    })
}

#[tokio::test]
async fn a_call_that_outlasts_the_limit_is_cut_off() {
    let nobody = Arc::new(Semaphore::new(0));
    for way in [Way::Stdio, Way::Http] {
        let upstream = slow_server(Era::Modern, &nobody).that_stays().over(way).await;
        let plan = Gate::of("up", &upstream).config("timeouts: {shutdown: 300ms}");
        let (program, url) = Program::serve(TOOLGATE, &plan).await;
        let client = Client::connect(&url, Era::Modern).await;
        let answer = raw_call(&url, &client, "up__hang").await;
        upstream.heard("tools/call hang").await;
        let processes = children_of(program.pid());
        let started = Instant::now();
        program.signal(Signal::TERM);
        let ended = program.ended().await;
        assert_eq!(ended.code(), Some(0), "{way:?}: {ended}");
        assert!(started.elapsed() < SOON, "{way:?}: {:?}", started.elapsed());
        let answer = soon("the connection ends", answer).await.unwrap();
        assert!(!answer.contains("\"result\""), "{answer}");
        for process in processes {
            is_gone(process).await;
        }
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let nobody = Arc::new(Semaphore::new(0));
    let upstream = slow_server(Era::Modern, &nobody).over_stdio().await;
    let plan = Gate::of("up", &upstream).config("timeouts: {shutdown: 1h}");
    let (program, url) = Program::serve(TOOLGATE, &plan).await;
    let client = Client::connect(&url, Era::Modern).await;
    let answer = raw_call(&url, &client, "up__hang").await;
    upstream.heard("tools/call hang").await;
    let processes = children_of(program.pid());
    program.signal(Signal::TERM);
    is_closed(&url).await;
    program.signal(Signal::INT);
    let ended = program.ended().await;
    assert_eq!(ended.code(), Some(0), "{ended}");
    soon("the connection ends", answer).await.unwrap();
    for process in processes {
        is_gone(process).await;
    }
}

/// A server whose process has a child of its own, which knows nothing of any gateway.
async fn with_grandchild() -> (Upstream, Value, TempDir) {
    let nobody = Arc::new(Semaphore::new(0));
    let upstream = slow_server(Era::Legacy, &nobody).that_stays().over_stdio().await;
    let own = upstream.config();
    let program = own["command"].as_str().unwrap();
    let args: Vec<&str> = own["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!(
        "sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >{}; exec '{program}' {}",
        file.display(),
        args.join(" ")
    );
    (upstream, json!({"command": "sh", "args": ["-c", script]}), folder)
}

async fn grandchild(folder: &TempDir) -> u32 {
    let read = || async { std::fs::read_to_string(folder.path().join("pid")).ok()?.trim().parse().ok() };
    let pid = until("the grandchild's id", read).await;
    assert!(is_running(pid));
    pid
}

#[tokio::test]
async fn nothing_outlives_toolgate_however_it_ends() {
    let ends = async |command: &str, how: Signal| {
        let (upstream, config, folder) = with_grandchild().await;
        let program = Program::start(TOOLGATE, command, &Gate::of_nothing().and_config("up", config));
        let child = upstream.pid(1).await;
        upstream.heard("tools/list").await;
        let grandchild = grandchild(&folder).await;
        let processes = children_of(program.pid());
        assert!(processes.contains(&child) && processes.len() == 2, "the child and the watchdog: {processes:?}");
        program.signal(how);
        let ended = program.ended().await;
        assert_eq!(ended.code(), (how != Signal::KILL).then_some(0), "{command} {how:?}: {ended}");
        for process in processes.into_iter().chain([grandchild]) {
            is_gone(process).await;
        }
    };
    // At once, since each takes its time: the children end by a signal only.
    let hows = [Signal::TERM, Signal::INT, Signal::KILL];
    join_all(["serve", "stdio"].into_iter().flat_map(|command| hows.map(|how| ends(command, how)))).await;
}

#[tokio::test]
async fn stdio_ends_with_its_input_even_if_a_call_hangs() {
    let nobody = Arc::new(Semaphore::new(0));
    for era in Era::BOTH {
        let upstream = slow_server(Era::Legacy, &nobody).over_stdio().await;
        let plan = Gate::of("up", &upstream).config("timeouts: {shutdown: 300ms}");
        let mut program = Program::start(TOOLGATE, "stdio", &plan);
        let mut client = program.client(era).open().await;
        client.start("tools/call", json!({"name": "up__hang", "arguments": {}})).await;
        upstream.heard("tools/call hang").await;
        let processes = children_of(program.pid());
        let started = Instant::now();
        let rest = client.close().await;
        assert!(rest.iter().all(|message| message.get("result").is_none()), "{rest:?}");
        let ended = program.ended().await;
        assert_eq!(ended.code(), Some(0), "{ended}");
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
        for process in processes {
            is_gone(process).await;
        }
    }
}

/// What people type first: a request through a pipe that ends at once.
#[tokio::test]
async fn stdio_answers_what_it_was_asked_before_its_input_ended() {
    let let_go = Arc::new(Semaphore::new(0));
    for era in Era::BOTH {
        let upstream = slow_server(Era::Legacy, &let_go).over_stdio().await;
        let mut program = Program::start(TOOLGATE, "stdio", &Gate::of("up", &upstream));
        let mut client = program.client(era).open().await;
        let id = client.start("tools/call", json!({"name": "up__slow", "arguments": {"text": "late"}})).await;
        let release = async {
            upstream.heard("tools/call slow").await;
            let_go.add_permits(1);
        };
        let (rest, ()) = tokio::join!(client.close(), release);
        let answers: Vec<&Value> = rest.iter().filter(|message| message["id"] == id).collect();
        assert_eq!(answers.len(), 1, "{rest:?}");
        assert_eq!(answers[0]["result"]["content"][0]["text"], "late");
        assert!(program.ended().await.success());
    }
}

/// One life of a gateway: every kind of upstream, clients that leave in every way, and a stop.
async fn live_and_stop(upstreams: &[(&str, Upstream)]) {
    let mut plan = Gate::of_nothing().program(TOOLGATE).and_config("clock", json!({"builtin": "time"}));
    for (name, upstream) in upstreams {
        plan = plan.and(name, upstream);
    }
    let gate = plan.start().await.settled().await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        let _listening = client.listen(&[]).await;
        for (name, _) in upstreams {
            assert_eq!(client.text(&format!("{name}__echo"), json!({"text": "x"})).await, "x");
            let abandoned = client.start(
                "tools/call",
                json!({"name": format!("{name}__slow"), "arguments": {}, "_meta": {"progressToken": 1}}),
            );
            drop(abandoned.await);
        }
        client.call("clock__current_time", json!({"zone": "UTC"})).await.unwrap();
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_of_a_gateway_leave_nothing_behind() {
    if !is_alone("shutdown::lives_of_a_gateway_leave_nothing_behind").await {
        return;
    }
    let let_go = Arc::new(Semaphore::new(0));
    let upstreams = [
        ("child", slow_server(Era::Legacy, &let_go).over_stdio().await),
        ("newer", slow_server(Era::Modern, &let_go).over_stdio().await),
        ("remote", slow_server(Era::Legacy, &let_go).over_http().await),
        ("stateless", slow_server(Era::Modern, &let_go).over_http().await),
        ("stream", slow_server(Era::Legacy, &let_go).over(Way::Sse).await),
    ];
    let itself = std::process::id();
    let quiet = async |what: &str, most: (usize, usize)| {
        until(&format!("{what}: no more than {most:?} descriptors and threads, and no child"), || async {
            let (descriptors, threads) = holdings(itself);
            (descriptors <= most.0 && threads <= most.1 && children_of(itself).is_empty()).then_some(())
        })
        .await;
    };
    // The first life opens what stays for all: signal pipes, threads of the runtime.
    live_and_stop(&upstreams).await;
    quiet("after the first life", (usize::MAX, usize::MAX)).await;
    let before = holdings(itself);
    for nth in 0..6 {
        live_and_stop(&upstreams).await;
        quiet(&format!("life {nth}"), before).await;
    }
    for (name, upstream) in &upstreams {
        for pid in upstream.pids() {
            assert!(!is_running(pid), "a child of `{name}`");
        }
    }
}
