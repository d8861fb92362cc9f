//! Patience: waiting for a condition, and giving up loudly.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// Far more than anything takes on a busy machine; a story that runs into it has failed.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// How often a condition is looked at that nothing announces.
const LOOK: Duration = Duration::from_millis(5);

/// What `future` gives, which must not take long.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}

/// Waits until `condition` gives something.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        sleep(LOOK).await;
    }
}
