//! Whether a toolgate has come up: every upstream has, or has failed.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Asks `/readyz` once.
///
/// # Errors
/// When nothing answers there, or not in time.
pub(crate) async fn is_ready(address: &str) -> anyhow::Result<bool> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        anyhow::Ok(&status == b"HTTP/1.1 200")
    };
    tokio::time::timeout(Duration::from_secs(5), ask).await?
}
