//! A safe face of the few host facilities that are unsafe to call or need care.
//!
//! Whatever nix offers as a safe function (mount, poll, epoll, timerfd, prctl, …) is
//! used from there and not repeated here; [`errno`] converts its error.

pub mod allocator;
pub mod caps;
pub mod clock;
pub mod cpu;
pub mod cpu_time;
pub mod fdpass;
pub mod futex;
pub mod image;
pub(crate) mod mapping;
pub(crate) mod memfd;
pub mod mounts;
pub mod packet;
pub mod placement;
pub mod random;
mod shared;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod tty;

use syscalls::Errno;

pub use shared::SharedRegion;

/// The error of a nix call as ours.
#[must_use]
pub fn errno(error: nix::errno::Errno) -> Errno {
    Errno::from_raw(error as i32)
}

/// The error of the host call that just failed on this thread.
pub(crate) fn last_errno() -> Errno {
    errno(nix::errno::Errno::last())
}

/// The usual convention of host calls: -1 is an error.
pub(crate) fn check(result: i32) -> Result<i32, Errno> {
    if result == -1 {
        Err(last_errno())
    } else {
        Ok(result)
    }
}

/// As [`check`], for raw system calls.
pub(crate) fn check_long(result: libc::c_long) -> Result<i64, Errno> {
    if result == -1 {
        Err(last_errno())
    } else {
        Ok(result)
    }
}

/// As [`check`], for calls that return a count of bytes.
pub(crate) fn check_size(result: libc::ssize_t) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| last_errno())
}
