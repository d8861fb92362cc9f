//! A child process as upstream: one writer, one reader, one keeper of the process.
//!
//! All three end with the connection. The keeper is the last: it has closed the child's stdin, waited, asked and finally
//! forced it to end before it is done.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_protocol::UpstreamName;
use toolgate_protocol::line::{Line, LineDecoder};
use tracing::Instrument as _;

use crate::config::{Limits, StdioConfig};
use crate::error::Failure;
use crate::host::Host;
use crate::mux::{Mux, Outgoing};
use crate::process::{self, Process};

/// How long the last output of an exited child, or the exit of one that closed its output, is waited for.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// Starts the child and connects it.
pub(crate) fn connect(
    config: &StdioConfig,
    limits: &Limits,
    upstream: &UpstreamName,
    host: &Arc<Host>,
    tasks: &TaskTracker,
) -> Result<Arc<Mux>, Failure> {
    let (process, pipes) = Process::start(config, host)?;
    let (mux, outgoing) = Mux::new(limits.depth);
    let output_ended = CancellationToken::new();
    let span = tracing::Span::current();
    tasks.spawn(write(pipes.stdin, outgoing, mux.clone()).instrument(span.clone()));
    let reading = read(pipes.stdout, limits.message_bytes, mux.clone());
    let (ended, gone) = (output_ended.clone(), CancellationToken::new());
    let until = gone.clone();
    tasks.spawn(
        async move {
            until.run_until_cancelled(reading).await;
            ended.cancel();
        }
        .instrument(span.clone()),
    );
    let (until, upstream, lines) = (gone.clone(), upstream.clone(), host.lines(upstream));
    tasks.spawn(async move {
        until.run_until_cancelled(process::log_stderr(pipes.stderr, upstream, &lines)).await;
    });
    tasks.spawn(keep(process, mux.clone(), output_ended, gone).instrument(span));
    Ok(mux)
}

/// Writes messages until the connection ends, then closes the child's stdin.
async fn write(mut stdin: ChildStdin, mut outgoing: mpsc::Receiver<Outgoing>, mux: Arc<Mux>) {
    let writing = async {
        while let Some(Outgoing { call, text }) = outgoing.recv().await {
            if call.is_some_and(|id| !mux.flight().begin(id)) {
                continue;
            }
            let mut line = Vec::with_capacity(text.len() + 1);
            line.extend_from_slice(&text);
            line.push(b'\n');
            if stdin.write_all(&line).await.is_err() {
                // The end of the line did not go out, so nobody can have read a message.
                if let Some(id) = call {
                    mux.flight().take_back(id);
                }
                // The reader or the keeper knows more; this is for a child that closes its stdin and lives on.
                tokio::time::sleep(2 * LAST_WORDS).await;
                return mux.close("it closed its input");
            }
        }
    };
    mux.closing().run_until_cancelled(writing).await;
}

/// Reads messages until the child's stdout ends.
async fn read(mut stdout: ChildStdout, longest: usize, mux: Arc<Mux>) {
    let mut lines = LineDecoder::new(longest);
    loop {
        while let Some(line) = lines.next_line() {
            match line {
                Line::Text(text) => mux.receive(text),
                Line::TooLong => mux.too_long(longest),
            }
        }
        lines.buffer().reserve(CHUNK);
        match stdout.read_buf(lines.buffer()).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Notices the child's end, or brings it about when the connection is closed.
async fn keep(mut process: Process, mux: Arc<Mux>, output_ended: CancellationToken, gone: CancellationToken) {
    let reason = tokio::select! {
        how = process.exited() => {
            // A grandchild may hold the pipe open for ever.
            let _ = timeout(LAST_WORDS, output_ended.cancelled()).await;
            how
        }
        () = output_ended.cancelled() => match timeout(LAST_WORDS, process.exited()).await {
            Ok(how) => how,
            Err(_) => "it closed its output".to_owned(),
        },
        () = mux.closed() => String::new(),
    };
    mux.close(&reason);
    process.end().await;
    gone.cancel();
}
