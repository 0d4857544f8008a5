//! Descriptor tables.

mod calls;
mod fcntl;
mod ioctl;
mod lock_calls;
mod table;

use syscalls::Errno;

use crate::task::{Resource, Task};

pub(crate) use fcntl::owner;
pub use table::{CloseOnExec, FdEntry, FdTable, Reservation};

impl Task {
    /// Takes the lowest free descriptor number; `EMFILE` at RLIMIT_NOFILE.
    pub fn reserve_fd(&self) -> Result<Reservation, Errno> {
        self.reserve_fd_from(0)
    }

    /// As [`Self::reserve_fd`], at least `lowest` (F_DUPFD).
    pub fn reserve_fd_from(&self, lowest: u32) -> Result<Reservation, Errno> {
        self.fds.get().reserve(lowest, self.open_files_limit())
    }

    /// RLIMIT_NOFILE's soft limit.
    pub(crate) fn open_files_limit(&self) -> u64 {
        self.group.limits.soft(Resource::Nofile)
    }
}
