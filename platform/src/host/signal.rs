//! Dispositions of signals. Masks and signalfd are safe in nix.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
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
