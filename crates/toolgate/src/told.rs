//! What a running gateway tells on its own machine, besides MCP.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;

use crate::Failure;
use crate::settings;

/// No answer is longer.
const MAX_ANSWER: usize = 64 << 20;

/// The address of the gateway that a URL names, or that the config listens on.
pub(crate) async fn address(url: Option<&str>) -> Result<String, Failure> {
    match url {
        Some(url) => Ok(authority(url)?),
        None => {
            let loaded = settings::load_in_force(None).await?;
            Ok(loaded.settings.listen.first().context("no address is configured")?.to_string())
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
