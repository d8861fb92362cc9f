//! `status`: how a running gateway and its upstreams are doing.

use std::process::ExitCode;

use anyhow::Context;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

use crate::args;
use crate::screen::{Paint, harmless, table};
use crate::settings;
use crate::{Failure, Outcome};

/// As the gateway says it; unknown members are left for `--json`.
#[derive(Deserialize)]
struct Status {
    version: String,
    uptime_seconds: u64,
    sessions: usize,
    upstreams: Vec<Upstream>,
}

#[derive(Deserialize)]
struct Upstream {
    name: String,
    state: String,
    era: Option<String>,
    revision: Option<String>,
    error: Option<String>,
    retry_in_seconds: Option<f64>,
    from_cache: bool,
    counts: Counts,
    dropped: Vec<Dropped>,
}

#[derive(Deserialize)]
struct Counts {
    tools: usize,
    prompts: usize,
    resources: usize,
    templates: usize,
}

#[derive(Deserialize)]
struct Dropped {
    kind: String,
    name: String,
    reason: String,
}

/// Asks and shows.
pub(crate) async fn status(options: args::Status) -> Outcome {
    let address = match &options.url {
        Some(url) => authority(url)?,
        None => settings::load(None)?.settings.listen.first().context("no address is configured")?.to_string(),
    };
    let text =
        get(&address, "/status").await.map_err(|error| {
            Failure::Unavailable(error.context(format!(
                "no gateway answers at {address}; is `toolgate serve` running? Name another with --url"
            )))
        })?;
    if options.json {
        println!("{}", String::from_utf8_lossy(&text));
        return Ok(ExitCode::SUCCESS);
    }
    let status: Status =
        serde_json::from_slice(&text).with_context(|| format!("what answers at {address} is no toolgate"))?;
    show(&address, &status);
    Ok(ExitCode::SUCCESS)
}

fn show(address: &str, status: &Status) {
    let paint = Paint::stdout();
    println!(
        "toolgate {} at http://{address}/mcp, up for {} s, {} legacy sessions",
        status.version, status.uptime_seconds, status.sessions
    );
    let mut rows = vec![["upstream", "state", "era", "tools", "prompts", "resources", ""].map(str::to_owned).to_vec()];
    for upstream in &status.upstreams {
        let era = match (&upstream.era, &upstream.revision) {
            (Some(era), Some(revision)) => format!("{era} {revision}"),
            _ => "?".into(),
        };
        let mut remarks = Vec::new();
        remarks.extend(upstream.error.as_deref().map(harmless));
        remarks.extend(upstream.retry_in_seconds.map(|seconds| format!("next try in {seconds} s")));
        if upstream.from_cache {
            remarks.push("lists as remembered".into());
        }
        if !upstream.dropped.is_empty() {
            remarks.push(format!("{} not offered", upstream.dropped.len()));
        }
        rows.push(vec![
            upstream.name.clone(),
            upstream.state.clone(),
            era,
            upstream.counts.tools.to_string(),
            upstream.counts.prompts.to_string(),
            (upstream.counts.resources + upstream.counts.templates).to_string(),
            remarks.join("; "),
        ]);
    }
    print!("{}", table(&rows));
    for upstream in &status.upstreams {
        for dropped in &upstream.dropped {
            println!(
                "{} {}: {} `{}` is not offered: {}",
                paint.yellow("note"),
                upstream.name,
                dropped.kind,
                harmless(&dropped.name),
                harmless(&dropped.reason)
            );
        }
    }
}

/// Host and port of a URL or of what may be one.
fn authority(url: &str) -> anyhow::Result<String> {
    let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: http::Uri = with_scheme.parse().with_context(|| format!("`{url}` is no URL"))?;
    let host = uri.host().with_context(|| format!("`{url}` names no host"))?;
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80)))
}

async fn get(address: &str, path: &str) -> anyhow::Result<bytes::Bytes> {
    let ask = async {
        let stream = tokio::net::TcpStream::connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = hyper::Request::get(path).header("host", address).body(Empty::<bytes::Bytes>::new())?;
        let response = sender.send_request(request).await?;
        anyhow::ensure!(response.status().is_success(), "it answers {}", response.status());
        Ok(response.into_body().collect().await?.to_bytes())
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), ask).await.context("no answer within 5 s")?
}
