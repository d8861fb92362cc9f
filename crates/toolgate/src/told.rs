//! What a running gateway tells on its own machine, besides MCP.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use toolgate_app::{Posted, Reading, whole_name};
use toolgate_config::Settings;

use crate::Failure;
use crate::screen::Paint;
use crate::settings;

/// No answer is longer.
const MAX_ANSWER: usize = 64 << 20;

/// The address of the gateway that a URL names, or that the config listens on.
pub(crate) async fn address(url: Option<&str>) -> Result<String, Failure> {
    match url {
        Some(url) => Ok(authority(url)?),
        None => of_config().await,
    }
}

async fn of_config() -> Result<String, Failure> {
    let Some(named) = settings::named(None)? else {
        return listened_on(&settings::load(None).await?.settings);
    };
    // A gateway that runs with it goes on as it is, and has said where.
    let or_running = |failure: &dyn Fn() -> Failure| running_with(&named).ok_or_else(failure);
    match settings::location(&named)?.in_force().await {
        Ok(Reading { said: Ok((settings, _)), .. }) => listened_on(&settings),
        Ok(Reading { said: Err(faults), .. }) => or_running(&|| {
            eprint!("{}", Paint::stderr().faults(&faults));
            eprintln!("so where a gateway runs with it cannot be told; name that with --url");
            Failure::Config
        }),
        Err(error) => or_running(&|| Failure::Unavailable(anyhow::anyhow!("{error}"))),
    }
}

fn listened_on(settings: &Settings) -> Result<String, Failure> {
    Ok(settings.listen.first().context("no address is configured")?.to_string())
}

/// Where the one gateway serves that runs on this machine with this config.
fn running_with(named: &Path) -> Option<String> {
    let config = whole_name(named);
    let mut running = Posted::all(&settings::surroundings().state?);
    running.retain(|one| one.config.as_ref() == Some(&config) && one.mcp.is_some());
    match &running[..] {
        [one] => Some(one.mcp?.to_string()),
        _ => None,
    }
}

/// Host and port of a URL or of what may be one.
fn authority(url: &str) -> anyhow::Result<String> {
    let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: http::Uri = with_scheme.parse().with_context(|| format!("`{url}` is no URL"))?;
    let host = uri.host().with_context(|| format!("`{url}` names no host"))?;
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80)))
}

/// What the gateway there answers at `path`.
pub(crate) async fn get(address: &str, path: &str, wait: Duration) -> Result<Bytes, Failure> {
    let ask = async {
        let stream = tokio::net::TcpStream::connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = hyper::Request::get(path).header("host", address).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        anyhow::ensure!(response.status().is_success(), "it answers {}", response.status());
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        Ok(body.map_err(|error| anyhow::anyhow!("its answer cannot be read: {error}"))?.to_bytes())
    };
    let answered = tokio::time::timeout(wait, ask).await;
    let answer = answered.with_context(|| format!("no answer within {} s", wait.as_secs())).and_then(|answer| answer);
    answer.map_err(|error| {
        Failure::Unavailable(
            error.context(format!(
                "no gateway answers at {address}; is `toolgate serve` running? Name another with --url"
            )),
        )
    })
}
