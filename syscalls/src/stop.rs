//! How a system call ends without a result.

use crate::errno::Errno;

/// What a served call returns.
pub type SysResult = Result<u64, Stop>;

/// Why a call has no result. Interruption is not an errno: only the dispatcher, which
/// knows whether a handler will run, turns [`Stop::Restart`] into `EINTR` or a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The call failed.
    Errno(Errno),
    /// A signal came while the call waited.
    Restart(Restart),
    /// The registers are already what the caller shall see (rt_sigreturn, execve).
    Registers,
}

/// What happens to an interrupted call, signal(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Restarted, unless a handler without `SA_RESTART` runs (ERESTARTSYS).
    Sys,
    /// Always restarted (ERESTARTNOINTR).
    NoIntr,
    /// Restarted only if no handler runs (ERESTARTNOHAND).
    NoHand,
    /// As `NoHand`, but continued through restart_syscall(2) with the time that is left.
    Block,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Stop::Errno(errno)
    }
}
