//! A few connections, lent to one operation each.
//!
//! sqlx has a pool, which answers a server that is down with five seconds of silence and "timed out" instead of the cause,
//! and takes a connection back in whatever state a cancelled operation left it. This one takes back only what an operation
//! has finished with in good order: anything else is dropped, which ends the transaction too. So whatever became of a
//! connection, the next operation has a good one, or hears why there is none.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::link::{Link, Stop};
use crate::sqlite::{self, FileId};
use crate::{Address, Error};

/// The most connections: one that waits for a lock, one that reads, and one to spare.
const LINKS: u32 = 3;
/// How long may be waited for a connection to be free, and how long for one to be made.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may take to show that it is alive. One that lost its server without a word takes for ever.
const PULSE: Duration = Duration::from_secs(2);

/// The connections to one store.
pub(crate) struct Pool {
    address: Address,
    free: Mutex<Vec<Held>>,
    permits: Semaphore,
}

/// A connection that is lent. Dropped, it is closed; only [`Taken::give_back`] keeps it.
pub(crate) struct Taken<'p> {
    held: Held,
    pool: &'p Pool,
    _permit: SemaphorePermit<'p>,
}

/// A connection, and the file it was made to. A file that was removed or replaced since can still be written to, and nobody
/// would ever read that.
struct Held {
    link: Link,
    file: Option<FileId>,
}

// === impl Pool ===

impl Pool {
    /// A pool without connections; they are made when they are needed.
    pub(crate) fn new(address: Address) -> Self {
        Self { address, free: Mutex::default(), permits: Semaphore::new(LINKS as usize) }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// A connection that was alive a moment ago.
    pub(crate) async fn take(&self) -> Result<Taken<'_>, Error> {
        let permit = match timeout(PATIENCE, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_closed)) => {
                return Err(Error::Unavailable(format!("the store at {} has been closed", self.address)));
            }
            Err(_elapsed) => {
                let message = format!(
                    "the store at {} is busy: its {LINKS} connections have not been free for {PATIENCE:?}. Try again",
                    self.address
                );
                return Err(Error::Unavailable(message));
            }
        };
        let file = sqlite::file_id(&self.address).await;
        let link = match self.living(file).await {
            Some(link) => link,
            None => self.connect().await?,
        };
        Ok(Taken { held: Held { link, file }, pool: self, _permit: permit })
    }

    /// A free connection that answers, and whose file is the one that is there.
    async fn living(&self, file: Option<FileId>) -> Option<Link> {
        loop {
            let mut held = self.free().pop()?;
            if held.file == file && timeout(PULSE, held.link.ping()).await.is_ok_and(|answer| answer.is_ok()) {
                return Some(held.link);
            }
        }
    }

    async fn connect(&self) -> Result<Link, Error> {
        let connected = timeout(PATIENCE, Link::connect(&self.address)).await;
        let connected = connected.unwrap_or_else(|_elapsed| {
            let message = format!("the store at {} cannot be reached: no answer in {PATIENCE:?}", self.address);
            Err(Stop::Said(Error::Unavailable(message)))
        });
        connected.map_err(|stop| stop.told_of(&self.address))
    }

    /// Waits for what is under way, lends nothing more, and ends all connections in good order.
    pub(crate) async fn close(&self) {
        // Every operation has an end, so this has; when it was closed before, there is nothing to wait for.
        let _all = self.permits.acquire_many(LINKS).await;
        self.permits.close();
        let free = std::mem::take(&mut *self.free());
        for held in free {
            // It is gone either way.
            let _ = timeout(PULSE, held.link.close()).await;
        }
    }

    /// The free connections. They are whole whoever panicked: nothing but pushing and popping happens under the lock.
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Held>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Taken ===

impl<'p> Taken<'p> {
    /// Keeps the connection for the next operation. Nothing may be under way on it.
    pub(crate) fn give_back(self) {
        self.pool.free().push(self.held);
    }

    pub(crate) fn address(&self) -> &'p Address {
        &self.pool.address
    }
}

impl Deref for Taken<'_> {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.held.link
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.held.link
    }
}
