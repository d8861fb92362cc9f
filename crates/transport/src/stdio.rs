//! The gateway as a child of one client: messages on stdin and stdout, one a line.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use toolgate_gateway::Gateway;
use toolgate_identity::Presented;
use toolgate_protocol::line::{Line, LineDecoder};
use toolgate_protocol::message::{Message, Response};
use toolgate_protocol::{Json, Method, RpcError, code};

use crate::conversation::{Conversation, PipeLimits};
use crate::legacy::{Out, Outlet};

/// Requests in flight; beyond it, reading waits.
const MAX_IN_FLIGHT: usize = 1_024;
/// Messages that wait for a client that reads slowly.
const QUEUE: usize = 64;

/// Serves one client until its input ends, then lets what is in flight finish for at most `grace`.
pub async fn serve(
    gateway: Arc<Gateway>,
    presented: Presented,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    limits: PipeLimits,
    grace: Duration,
) -> io::Result<()> {
    let (outlet, inlet) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(write(inlet, output));
    let read = tokio::select! {
        read = read(gateway, presented, input, &outlet, limits, grace) => read,
        // Whoever reads no more will not be answered: there is nothing left to do.
        () = outlet.closed() => Ok(()),
    };
    drop(outlet);
    match writer.await.unwrap_or(Ok(())) {
        // That a client has left is how this ends.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => read,
        written => read.and(written),
    }
}

async fn read(
    gateway: Arc<Gateway>,
    presented: Presented,
    mut input: impl AsyncRead + Unpin,
    outlet: &Outlet,
    limits: PipeLimits,
    grace: Duration,
) -> io::Result<()> {
    let conversation = Arc::new(Conversation::new(gateway.clone(), presented, outlet.clone(), limits));
    let mut lines = LineDecoder::new(limits.message);
    let mut running = JoinSet::new();
    loop {
        while let Some(line) = lines.next_line() {
            while running.len() >= MAX_IN_FLIGHT {
                running.join_next().await;
            }
            while running.try_join_next().is_some() {}
            match line {
                Line::Text(text) if may_take_its_time(&text, limits.depth) => {
                    let conversation = conversation.clone();
                    running.spawn(async move { conversation.accept(text).await });
                }
                // A handshake, an answer or a notification takes effect before the next line is read.
                Line::Text(text) => conversation.accept(text).await,
                Line::TooLong => {
                    let error = RpcError::new(
                        code::INVALID_REQUEST,
                        format!("the message is longer than {} bytes (`limits.request`)", limits.message),
                    );
                    let _ = outlet.send(Out::Response(Response::nameless(error).encode())).await;
                }
            }
        }
        if input.read_buf(lines.buffer()).await? == 0 {
            break;
        }
    }
    // The client has closed its end. What has no end of its own gets one now; calls may still finish, without its answers.
    gateway.close_listens();
    conversation.hears_no_more();
    let drained = tokio::time::timeout(grace, async { while running.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(?grace, "requests still in flight were cut off");
    }
    Ok(())
}

/// Whether a message is a request or a batch. `initialize` is taken before the next line: what follows depends on it.
fn may_take_its_time(text: &Bytes, depth: usize) -> bool {
    match Message::parse_within(text.clone(), depth) {
        Ok(Message::Request(request)) => request.method != Method::Initialize,
        Ok(_) => false,
        Err(_) => text.starts_with(b"["),
    }
}

async fn write(mut inlet: mpsc::Receiver<Out>, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(Out::Response(text) | Out::Message(text)) = inlet.recv().await {
        output.write_all(&[&Json::single_line(text)[..], b"\n"].concat()).await?;
        // Several at once are flushed once.
        if inlet.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}
