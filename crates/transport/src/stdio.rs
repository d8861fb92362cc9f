//! The gateway as a child of one client: messages on stdin and stdout, one a line.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use toolgate_gateway::Gateway;
use toolgate_identity::Presented;
use toolgate_protocol::line::{Line, LineDecoder};
use toolgate_protocol::message::{Message, Response};
use toolgate_protocol::{Json, RpcError, code};

use crate::conversation::Conversation;
use crate::legacy::{Out, Outlet};

/// Requests in flight; beyond it, reading waits.
const MAX_IN_FLIGHT: usize = 1_024;
/// Messages that wait for a client that reads slowly.
const QUEUE: usize = 64;

/// Serves one client until its input ends, then finishes what is in flight. Lines longer than `max_line` bytes are refused.
pub async fn serve(
    gateway: Arc<Gateway>,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    max_line: usize,
) -> io::Result<()> {
    let (outlet, inlet) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(write(inlet, output));
    let read = read(gateway, input, &outlet, max_line).await;
    drop(outlet);
    let written = writer.await.unwrap_or(Ok(()));
    read.and(written)
}

async fn read(
    gateway: Arc<Gateway>,
    mut input: impl AsyncRead + Unpin,
    outlet: &Outlet,
    max_line: usize,
) -> io::Result<()> {
    let conversation = Arc::new(Conversation::new(gateway, Presented::default(), outlet.clone()));
    let mut lines = LineDecoder::new(max_line);
    let mut running = JoinSet::new();
    loop {
        while let Some(line) = lines.next_line() {
            while running.len() >= MAX_IN_FLIGHT {
                running.join_next().await;
            }
            while running.try_join_next().is_some() {}
            match line {
                Line::Text(text) if is_request(&text) => {
                    let conversation = conversation.clone();
                    running.spawn(async move { conversation.accept(text).await });
                }
                // A handshake, an answer or a notification takes effect before the next line is read.
                Line::Text(text) => conversation.accept(text).await,
                Line::TooLong => {
                    let error = RpcError::new(
                        code::INVALID_REQUEST,
                        format!("the message is longer than {max_line} bytes (`limits.request`)"),
                    );
                    let _ = outlet.send(Out::Response(Response::nameless(error).encode())).await;
                }
            }
        }
        if input.read_buf(lines.buffer()).await? == 0 {
            break;
        }
    }
    // The client has closed its end: it waits for nothing that has no end of its own.
    running.abort_all();
    while running.join_next().await.is_some() {}
    Ok(())
}

/// Whether a message may take its time. `initialize` may not: what follows it depends on it.
fn is_request(text: &bytes::Bytes) -> bool {
    match Message::parse(text.clone()) {
        Ok(Message::Request(request)) => request.method != toolgate_protocol::Method::Initialize,
        _ => false,
    }
}

async fn write(mut inlet: mpsc::Receiver<Out>, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(Out::Response(text) | Out::Message(text)) = inlet.recv().await {
        output.write_all(&Json::single_line(text)).await?;
        output.write_all(b"\n").await?;
        // Several at once are flushed once.
        if inlet.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}
