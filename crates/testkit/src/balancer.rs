//! A plain load balancer: each connection goes to the next backend in turn, as bytes, and nothing is remembered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A balancer that runs until it is dropped.
pub struct Balancer {
    address: SocketAddr,
    served: Arc<Vec<AtomicUsize>>,
    _task: AbortOnDropHandle<()>,
}

// === impl Balancer ===

impl Balancer {
    /// One in front of these, given as `http://host:port`.
    pub async fn over(backends: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port can be bound");
        let address = listener.local_addr().expect("it is bound");
        let backends: Vec<String> = backends.iter().map(|url| url.trim_start_matches("http://").to_owned()).collect();
        let served: Arc<Vec<AtomicUsize>> = Arc::new(backends.iter().map(|_| AtomicUsize::new(0)).collect());
        let counts = served.clone();
        let task = tokio::spawn(async move {
            let mut turn = 0;
            while let Ok((mut client, _)) = listener.accept().await {
                let (backend, at) = (backends[turn % backends.len()].clone(), turn % backends.len());
                turn += 1;
                counts[at].fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut backend = TcpStream::connect(backend).await.expect("backends listen");
                    // Either end may leave when it likes.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
                });
            }
        });
        Self { address, served, _task: AbortOnDropHandle::new(task) }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections each backend was given.
    pub fn served(&self) -> Vec<usize> {
        self.served.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}
