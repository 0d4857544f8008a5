//! The program's own code, as the host maps it for us.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

unsafe extern "C" {
    /// The program's first byte in memory; made by the linker.
    static __executable_start: u8;
    /// The end of its instructions; made by the linker.
    static etext: u8;
}

const PAGE: usize = 4096;

/// Lets go of the program's code and constants in this process; what is needed again comes
/// back from the host's cache by itself. For processes that have started up and now mostly
/// wait: most of what they have mapped was needed once.
pub fn let_go() {
    let start = (&raw const __executable_start)
        .addr()
        .next_multiple_of(PAGE);
    let end = (&raw const etext).addr() & !(PAGE - 1);
    // SAFETY: between the two lie nothing but read-only mappings of the program's file, which
    // have the same bytes when they are touched the next time.
    unsafe {
        libc::madvise(
            std::ptr::without_provenance_mut(start),
            end.saturating_sub(start),
            libc::MADV_DONTNEED,
        )
    };
}

/// For how long a process is to be quiet first: so that short lives are not held up.
const QUIET: Duration = Duration::from_secs(1);

/// As [`let_go`], unless something happens on `fd` within the next second.
pub fn let_go_when_quiet(fd: impl AsFd) {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    if ppoll(&mut fds, Some(TimeSpec::from_duration(QUIET)), None) == Ok(0) {
        let_go();
    }
}

/// As [`let_go`], a second from now.
pub fn let_go_later() {
    std::thread::sleep(QUIET);
    let_go();
}
