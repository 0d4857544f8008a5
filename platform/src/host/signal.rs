//! Dispositions of signals. Masks and signalfd are safe in nix.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::Pid;
use syscalls::Errno;

use super::errno;

/// Ignores a signal. Inherited over execve.
pub fn ignore(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigIgn, SaFlags::empty())
}

/// Gives a signal its default effect.
pub fn default(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigDfl, SaFlags::empty())
}

/// Sends a signal by its number, those of real time too; kill(2). `EINVAL` if there is none.
pub fn send(process: Pid, number: i32) -> Result<(), Errno> {
    // SAFETY: it touches none of our memory.
    let sent = unsafe { libc::kill(process.as_raw(), number) };
    nix::errno::Errno::result(sent).map_err(errno).map(drop)
}

/// Spares us a SIGCHLD for every stop of a traced process (it would be generated and
/// thrown away, some hundred nanoseconds each time); waiting is not affected.
pub(crate) fn no_sigchld_for_stops() -> Result<(), Errno> {
    set(Signal::SIGCHLD, SigHandler::SigDfl, SaFlags::SA_NOCLDSTOP)
}

fn set(signal: Signal, handler: SigHandler, flags: SaFlags) -> Result<(), Errno> {
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: no handler function is installed.
    unsafe { sigaction(signal, &action) }
        .map_err(errno)
        .map(drop)
}
