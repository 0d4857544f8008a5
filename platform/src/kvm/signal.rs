//! The signal with which threads are called out of the machine. It does nothing; that it
//! came is what matters.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal};
use nix::sys::signal::{pthread_sigmask, sigaction};
use syscalls::Errno;

use crate::host::errno;

const KICK: Signal = Signal::SIGURG;

extern "C" fn nothing(_: libc::c_int) {}

/// Takes the signal over for this process. Calls that it meets go on.
pub(super) fn install() -> Result<(), Errno> {
    let handler = SigHandler::Handler(nothing);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does nothing, so it may run at any time.
    unsafe { sigaction(KICK, &action) }.map_err(errno)?;
    let set = SigSet::from(KICK);
    pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None).map_err(errno)
}

/// The calling thread's number.
pub(super) fn this_thread() -> libc::pid_t {
    thread_local! {
        static THREAD: libc::pid_t = nix::unistd::gettid().as_raw();
    }
    THREAD.with(|thread| *thread)
}

/// Sends it to a thread of this process, if there still is one of that number.
pub(super) fn kick(thread: libc::pid_t) {
    let process = nix::unistd::getpid().as_raw();
    // SAFETY: takes numbers only. The signal does nothing to whoever gets it.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, KICK as libc::c_int) };
}
