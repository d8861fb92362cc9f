//! The way out: a bounded queue of lines, and the one place that writes them.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;
use toolgate_protocol::Notification;

/// Lines that may wait for a client that reads slowly, before whoever has more to say waits too.
const QUEUE: usize = 64;

/// Takes lines for the client.
#[derive(Clone)]
pub(crate) struct Outbox(mpsc::Sender<Bytes>);

// === impl Outbox ===

impl Outbox {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (Self(sender), queue)
    }

    /// Queues one message, which is one line without its end. Waits while the queue is full; a client that is gone takes
    /// everything.
    pub(crate) async fn send(&self, line: Bytes) {
        let _ = self.0.send(line).await;
    }

    /// Queues one message if there is room right now, for those who cannot wait.
    pub(crate) fn try_send(&self, line: Bytes) {
        let _ = self.0.try_send(line);
    }

    pub(crate) async fn notify(&self, notification: &Notification) {
        self.send(notification.encode()).await;
    }
}

/// Writes what is queued until all outboxes are gone, flushing whenever nothing more waits.
pub(crate) async fn write(mut queue: mpsc::Receiver<Bytes>, writer: impl AsyncWrite) -> io::Result<()> {
    let mut writer = std::pin::pin!(BufWriter::with_capacity(64 * 1024, writer));
    while let Some(line) = queue.recv().await {
        writer.write_all(&line).await?;
        writer.write_all(b"\n").await?;
        if queue.is_empty() {
            writer.flush().await?;
        }
    }
    writer.flush().await
}
