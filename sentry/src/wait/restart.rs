//! restart_syscall(2): a relative wait that a signal without a handler interrupted goes
//! on with the time that was left.

use syscalls::errno::EINTR;
use syscalls::{Call, Restart, Run, Stop, SysResult, call};

use super::Deadline;
use crate::task::Current;

/// An interrupted wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupted {
    number: u64,
    deadline: Option<Deadline>,
}

/// Where a call that can be continued keeps its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestartState {
    interrupted: Option<Interrupted>,
    continued: Option<Deadline>,
}

impl Current {
    /// What an interrupted wait with a relative timeout returns: remembers the deadline
    /// for when the call goes on.
    pub(crate) fn restart_with(&mut self, deadline: Option<Deadline>) -> Stop {
        let number = self.regs.orig_rax;
        let kept = self
            .own
            .restart
            .interrupted
            .filter(|_| number == RESTART_SYSCALL);
        let number = kept.map_or(number, |kept| kept.number);
        self.own.restart.interrupted = Some(Interrupted { number, deadline });
        Stop::Restart(Restart::Block)
    }

    /// The deadline of the call that is being continued; `None` in a fresh call.
    pub(crate) fn restarted_deadline(&mut self) -> Option<Deadline> {
        self.own.restart.continued.take()
    }
}

/// The number of restart_syscall(2), which the signal code puts into rax.
pub(crate) const RESTART_SYSCALL: u64 = 219;

impl Run<Current> for call::RestartSyscall {
    fn run(self, task: &mut Current) -> SysResult {
        let Some(interrupted) = task.own.restart.interrupted else {
            return Err(EINTR.into());
        };
        // The argument registers are still those of the interrupted call.
        let call = Call::decode(interrupted.number, &task.regs.syscall_args())?;
        if matches!(call, Call::RestartSyscall(_)) {
            return Err(EINTR.into());
        }
        task.own.restart.continued = interrupted.deadline;
        let result = call.run(task);
        task.own.restart.continued = None;
        result
    }
}
