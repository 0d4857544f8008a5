//! Futexes of the host, futex(2), in their shared form: the word may be mapped by several
//! processes.

use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use nix::errno::Errno as HostErrno;
use syscalls::Errno;

/// Sleeps while `*word == expected`, until a [`wake`] on it.
///
/// `Ok` after a wake or for no reason; `EAGAIN` if the value differs, `EINTR` after a
/// signal, `ETIMEDOUT` after `timeout` (monotonic clock).
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Result<(), Errno> {
    let limit = timeout.map(|timeout| libc::timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `word` and `limit` are valid for the call; the host only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            limit,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_raw(HostErrno::last_raw()))
    }
}

/// Wakes up to `count` sleepers on `word`; returns how many there were.
pub fn wake(word: &AtomicU32, count: u32) -> usize {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: waking does not access the word, its address is only a name.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    usize::try_from(woken).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{wait, wake};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;
    use syscalls::errno::{EAGAIN, ETIMEDOUT};

    #[test]
    fn differs_times_out_wakes() {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 0, None), Err(EAGAIN));
        assert_eq!(
            wait(&word, 1, Some(Duration::from_millis(1))),
            Err(ETIMEDOUT)
        );
        assert_eq!(wake(&word, 1), 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while word.load(Ordering::Acquire) == 1 {
                    let _ = wait(&word, 1, None);
                }
            });
            word.store(2, Ordering::Release);
            wake(&word, u32::MAX);
        });
    }
}
