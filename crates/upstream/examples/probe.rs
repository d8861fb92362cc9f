//! Connects to one server as the gateway would and shows what it finds. For a look at a server that behaves strangely.
//!
//! `cargo run -p toolgate-upstream --example probe -- [--legacy|--modern] [--sse] URL|COMMAND [ARGS…] [--call TOOL JSON]`
//!
//! `RUST_LOG=debug` shows more.

#![allow(clippy::print_stdout, reason = "showing is what it is for")]

use std::error::Error;
use std::time::Instant;

use toolgate_protocol::{Event, Json, Method, Object, UpstreamName};
use toolgate_upstream::{
    Apart, Backoff, Call, Config, EraPin, Host, HttpConfig, Limits, Origin, Parking, StdioConfig, Timeouts, Transport,
    Upstream, own_meta,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let call = args.iter().position(|arg| arg == "--call").map(|at| args.split_off(at));
    let era = match args.first().map(String::as_str) {
        Some("--legacy") => EraPin::Legacy,
        Some("--modern") => EraPin::Modern,
        _ => EraPin::Auto,
    };
    args.retain(|arg| !matches!(arg.as_str(), "--legacy" | "--modern"));
    let config = Config {
        name: UpstreamName::new("probe").ok_or("a legal name")?,
        transport: transport(args)?,
        era,
        timeouts: Timeouts::default(),
        limits: Limits::default(),
        restart: Backoff::default(),

        apart: Apart::default(),
        idle: None,
    };
    let upstream = Upstream::start(config, None, Host::new(None, Parking::default()));
    let mut changes = upstream.changes();
    let began = Instant::now();
    let peer = upstream.ready(tokio::time::Instant::now() + Timeouts::default().connect).await?;
    println!("era {} revision {} after {:?}", peer.era, peer.revision, began.elapsed());
    println!("server {} capabilities {}", peer.server_info.as_str(), peer.capabilities.to_json().as_str());
    for (method, member) in
        [(Method::ToolsList, "tools"), (Method::PromptsList, "prompts"), (Method::ResourcesList, "resources")]
    {
        let names = match upstream.ask(method.clone(), Object::new()).await {
            Ok(result) => names(&result, member),
            Err(error) => error.to_string(),
        };
        println!("{method}: {names}");
    }
    if let Some([_, tool, arguments]) = call.as_deref().map(<&[String; 3]>::try_from).transpose()? {
        show_call(&upstream, &peer, tool, arguments).await?;
    }
    while let Ok(change) = changes.try_recv() {
        println!("told {change:?}");
    }
    upstream.stop().await;
    Ok(())
}

fn transport(mut args: Vec<String>) -> Result<Transport, Box<dyn Error>> {
    let sse = args.first().is_some_and(|arg| arg == "--sse");
    if sse {
        args.remove(0);
    }
    if args.is_empty() {
        return Err("a URL or a command is needed".into());
    }
    let command = args.remove(0);
    if command.starts_with("http") {
        let place = HttpConfig { url: command.parse()?, headers: Vec::new() };
        return Ok(if sse { Transport::Sse(place) } else { Transport::Http(place) });
    }
    Ok(Transport::Stdio(StdioConfig { command, args, env: Vec::new(), env_allow: Vec::new(), cwd: None }))
}

fn names(result: &Json, member: &str) -> String {
    let entries = result.object().ok().and_then(|result| result.get(member)?.array().ok()).unwrap_or_default();
    let names: Vec<String> = entries.iter().filter_map(|entry| entry.object().ok()?.string("name")).collect();
    format!("{} {}", names.len(), names.join(" "))
}

/// Calls a tool as a client that has every capability and answers every question with nonsense.
async fn show_call(
    upstream: &Upstream,
    peer: &toolgate_upstream::Peer,
    tool: &str,
    arguments: &str,
) -> Result<(), Box<dyn Error>> {
    let capabilities = Json::literal(r#"{"sampling":{},"roots":{},"elicitation":{"form":{},"url":{}}}"#);
    let meta = own_meta(toolgate_protocol::Revision::LATEST_MODERN)
        .with(toolgate_protocol::meta::CAPABILITIES, capabilities)
        .with(toolgate_protocol::meta::LOG_LEVEL, Json::literal(r#""debug""#))
        .with(toolgate_protocol::meta::PROGRESS_TOKEN, Json::literal(r#""mine""#));
    let mut params = Object::new()
        .with("name", Json::string(tool))
        .with("arguments", Json::parse(arguments.to_owned().into())?)
        .with("_meta", meta.to_json());
    println!("calling {tool} over {}", peer.era);
    for _round in 0..5 {
        let mut reply = upstream
            .send(Call {
                method: Method::ToolsCall,
                params: params.clone(),
                param_headers: Vec::new(),
                origin: Origin::anonymous("somebody"),
            })
            .await;
        while let Some(event) = reply.next().await {
            match event {
                Event::Notification(notification) => println!("  {} {:?}", notification.method, notification.params),
                Event::Done(Err(error)) => {
                    println!("  error {error} {:?}", error.data);
                    return Ok(());
                }
                Event::Done(Ok(result)) => {
                    println!("  result {}", result.as_str().chars().take(600).collect::<String>());
                    let result = result.object()?;
                    let Some(questions) = result.child("inputRequests") else { return Ok(()) };
                    let answer = |question: &toolgate_protocol::Member| match question
                        .value
                        .object()
                        .ok()
                        .and_then(|q| q.string("method"))
                        .as_deref()
                    {
                        Some("roots/list") => Json::literal(r#"{"roots":[{"uri":"file:///tmp"}]}"#),
                        Some("sampling/createMessage") => {
                            Json::literal(r#"{"role":"assistant","model":"m","content":{"type":"text","text":"four"}}"#)
                        }
                        _ => Json::literal(r#"{"action":"accept","content":{}}"#),
                    };
                    let answers = questions
                        .members()
                        .fold(Object::new(), |all, question| all.with(question.name(), answer(question)));
                    params.set("inputResponses", answers.to_json());
                    match result.get("requestState") {
                        Some(state) => params.set("requestState", state.clone()),
                        None => drop(params.remove("requestState")),
                    }
                }
            }
        }
    }
    Ok(())
}
