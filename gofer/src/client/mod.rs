//! What the Sentry calls. Every call blocks until the Gofer has answered; waits are not
//! interrupted by signals (Linux sleeps uninterruptibly there too).

mod create;
mod dir;
mod exchange;
mod inode;
mod io;
mod open;
mod seccomp;
mod watch;
mod xattr;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::Errno;

use crate::wire::ClientEnd;
use exchange::Exchange;
pub use open::{Beginning, OpenedChild};
pub use seccomp::seccomp_rows;

/// Asks a Gofer for files. Cheap to clone; clones share the channel, and calls from many
/// threads run side by side.
///
/// # Errors
/// Every call may fail with the host's errno for it, and with
/// - `ESTALE` for a handle that is not valid,
/// - `EROFS` for a change in a tree that is read-only,
/// - `ENOTDIR` where a directory's handle is expected,
/// - `EMFILE` if the server is out of descriptors: forget handles that are not needed and
///   try again,
/// - `EINVAL` for a name that is empty, `.`, `..` or contains `/` or NUL, `ENAMETOOLONG`
///   for one of more than 255 bytes,
/// - `EIO` once the Gofer is dead, see [`Self::is_broken`].
#[derive(Clone, Debug)]
pub struct Client {
    exchange: Arc<Exchange>,
}

impl Client {
    /// Most bytes that one transfer's segments may carry together.
    pub const MAX_TRANSFER: u64 = 64 << 20;
    /// Most segments of one transfer.
    pub const MAX_SEGMENTS: usize = 1024;

    /// Takes the Sentry's end of a channel into use. The Gofer need not run yet. A thread
    /// watches over it, and calls `on_broken` once if the Gofer dies; by then every call
    /// under way fails with `EIO`. `on_broken` is not called when the last clone is dropped.
    pub fn connect(
        end: ClientEnd,
        on_broken: impl FnOnce() + Send + 'static,
    ) -> Result<Self, Errno> {
        let exchange = Arc::new(Exchange::new(end.region)?);
        watch::start(&exchange, end.socket, on_broken)?;
        Ok(Client { exchange })
    }

    /// True once the Gofer is dead.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.exchange.is_broken()
    }

    /// Tells both sides whether a CPU is to spare for waiting by spinning: `false` while
    /// more guest threads want to run than there are CPUs. Without a word they find out
    /// by trying, which costs some microseconds now and then.
    pub fn set_spare_cpu(&self, spare: bool) {
        let crowded = self.exchange.ring().crowded();
        crowded.store(u32::from(!spare), Ordering::Relaxed);
    }
}
