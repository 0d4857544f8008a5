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

impl Restart {
    /// What a tracer finds as the result of an interrupted call: Linux's own numbers.
    #[must_use]
    pub const fn to_result(self) -> u64 {
        let number: u64 = match self {
            Restart::Sys => 512,
            Restart::NoIntr => 513,
            Restart::NoHand => 514,
            Restart::Block => 516,
        };
        number.wrapping_neg()
    }

    /// The other way round.
    #[must_use]
    pub fn of_result(result: u64) -> Option<Self> {
        let all = [
            Restart::Sys,
            Restart::NoIntr,
            Restart::NoHand,
            Restart::Block,
        ];
        all.into_iter()
            .find(|restart| restart.to_result() == result)
    }
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Stop::Errno(errno)
    }
}
