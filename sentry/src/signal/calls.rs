//! What a program says about its own signals.

use syscalls::abi::signal::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGSET_SIZE};
use syscalls::errno::{EAGAIN, EINTR, EINVAL, ETIMEDOUT};
use syscalls::{Errno, Restart, Run, Stop, SysResult, UserPtr, call};

use super::{Action, SigSet, Signal};
use crate::task::Current;
use crate::wait::Deadline;

fn check_size(size: usize) -> Result<(), Errno> {
    if size == SIGSET_SIZE {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

impl Current {
    fn read_set(&self, at: UserPtr<u64>) -> Result<SigSet, Errno> {
        self.mem().read(at).map(SigSet::from_bits)
    }
}

impl Run<Current> for call::RtSigaction {
    fn run(self, task: &mut Current) -> SysResult {
        check_size(self.sigsetsize)?;
        let new = match self.act.non_null() {
            Some(at) => Some(Action::from_abi(&task.mem().read(at)?)),
            None => None,
        };
        let signal = Signal::new(self.signum)?;
        if new.is_some() && SigSet::UNBLOCKABLE.contains(signal) {
            return Err(EINVAL.into());
        }
        let handlers = task.group.handlers.get();
        let old = match new {
            Some(action) => handlers.set(signal, action),
            None => handlers.get(signal),
        };
        // What is pending and would now be ignored is forgotten, POSIX 3.3.1.3.
        if new.is_some_and(|action| action.ignores(signal)) {
            task.group.forget_signal(signal);
        }
        if let Some(at) = self.oldact.non_null() {
            task.mem().write(at, &old.to_abi())?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::RtSigprocmask {
    fn run(self, task: &mut Current) -> SysResult {
        check_size(self.sigsetsize)?;
        let old = task.signals.blocked();
        if let Some(at) = self.set.non_null() {
            let set = task.read_set(at)?.without(SigSet::UNBLOCKABLE);
            let new = match self.how {
                SIG_BLOCK => old.union(set),
                SIG_UNBLOCK => old.without(set),
                SIG_SETMASK => set,
                _ => return Err(EINVAL.into()),
            };
            task.set_blocked(new);
        }
        if let Some(at) = self.oldset.non_null() {
            task.mem().write(at, &old.bits())?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::RtSigpending {
    fn run(self, task: &mut Current) -> SysResult {
        // Linux takes smaller sets here.
        if self.sigsetsize > SIGSET_SIZE {
            return Err(EINVAL.into());
        }
        let pending = task.pending_signals().intersection(task.signals.blocked());
        let bytes = pending.bits().to_le_bytes();
        let bytes = bytes.get(..self.sigsetsize).unwrap_or(&bytes);
        task.mem().write_bytes(self.set.addr(), bytes)?;
        Ok(0)
    }
}

impl Run<Current> for call::RtSigreturn {
    fn run(self, task: &mut Current) -> SysResult {
        if task.pop_frame().is_err() {
            log::debug!("thread {}: bad signal frame", task.tid());
            task.force_fault_after(Signal::SEGV);
        }
        Err(Stop::Registers)
    }
}

impl Run<Current> for call::RtSigsuspend {
    fn run(self, task: &mut Current) -> SysResult {
        check_size(self.sigsetsize)?;
        let mask = task.read_set(self.mask)?;
        task.set_blocked_during_call(mask);
        pause(task)
    }
}

impl Run<Current> for call::Pause {
    fn run(self, task: &mut Current) -> SysResult {
        pause(task)
    }
}

fn pause(task: &Current) -> SysResult {
    match task.sleep(None) {
        Err(Stop::Restart(_)) => Err(Stop::Restart(Restart::NoHand)),
        result => result.map(|()| 0),
    }
}

impl Run<Current> for call::RtSigtimedwait {
    fn run(self, task: &mut Current) -> SysResult {
        check_size(self.sigsetsize)?;
        let wanted = task.read_set(self.set)?.without(SigSet::UNBLOCKABLE);
        let deadline = match self.timeout.non_null() {
            Some(at) => {
                let timeout = crate::time::duration(task.mem().read(at)?)?;
                Some(Deadline::after(timeout))
            }
            None => None,
        };
        let attempt = || task.take_signal(wanted).ok_or(Stop::Errno(EAGAIN));
        let result = task.awaiting(wanted, || {
            task.block_on_with(deadline, |_| Vec::new(), attempt)
        });
        // Signals that were let through while waiting may be ones to be taken.
        task.mark_work();
        let info = match result {
            Ok(info) => info,
            Err(Stop::Errno(ETIMEDOUT)) => return Err(EAGAIN.into()),
            // Never restarted, signal(7).
            Err(Stop::Restart(_)) => return Err(EINTR.into()),
            Err(stop) => return Err(stop),
        };
        if let Some(at) = self.info.non_null() {
            task.mem().write(at, &info)?;
        }
        Ok(u64::from(info.signo.cast_unsigned()))
    }
}

impl Run<Current> for call::Sigaltstack {
    fn run(self, task: &mut Current) -> SysResult {
        let old = task.own.alt_stack.to_abi_at(task.regs.rsp);
        if let Some(at) = self.ss.non_null() {
            let new = task.mem().read(at)?;
            task.set_alt_stack(&new)?;
        }
        if let Some(at) = self.old_ss.non_null() {
            task.mem().write(at, &old)?;
        }
        Ok(0)
    }
}
