//! What happens to a call before it is served.

use syscalls::abi::signal::Siginfo;
use syscalls::abi::task::{
    AUDIT_ARCH_X86_64, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_THREAD,
    SECCOMP_RET_LOG, SECCOMP_RET_TRACE, SECCOMP_RET_TRAP, SECCOMP_RET_USER_NOTIF, SeccompData,
};
use syscalls::errno::ENOSYS;
use syscalls::{Stop, SysResult, UserAddr};

use super::Mode;
use super::filters::ACTION;
use super::listener::Answer;
use crate::ptrace::Event;
use crate::signal::Signal;
use crate::task::{Current, ExitStatus};

/// Lower half of a filter's result.
const DATA: u32 = 0xffff;
/// The highest error number.
const MAX_ERRNO: u32 = 4095;
/// read(2), write(2), rt_sigreturn(2), _exit(2).
const STRICT: [i32; 4] = [0, 1, 15, 60];

/// Whether a tracer has seen the call already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    No,
    Yes,
}

/// The number of the call in the registers.
fn number(task: &Current) -> i32 {
    let [a, b, c, d, ..] = task.regs.orig_rax.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

impl Current {
    /// Asks the filters about the call in the registers: `None` if it is to be served,
    /// else what comes of it.
    #[inline]
    pub(crate) fn check_seccomp(&mut self) -> Option<SysResult> {
        match self.seccomp.mode() {
            Mode::Disabled => None,
            Mode::Strict => self.check_strict(),
            Mode::Filter => self.check_filters(Seen::No),
        }
    }

    fn check_strict(&mut self) -> Option<SysResult> {
        if STRICT.contains(&number(self)) {
            return None;
        }
        Some(self.end_thread(Signal::KILL))
    }

    fn check_filters(&mut self, seen: Seen) -> Option<SysResult> {
        let nr = number(self);
        let data = SeccompData {
            nr,
            arch: AUDIT_ARCH_X86_64,
            instruction_pointer: self.regs.rip,
            args: self.regs.syscall_args(),
        };
        let result = self.seccomp.verdict(&data);
        if result == SECCOMP_RET_ALLOW {
            return None;
        }
        self.log_verdict(&data, result);
        let value = result & DATA;
        match result & ACTION {
            SECCOMP_RET_ALLOW | SECCOMP_RET_LOG => None,
            SECCOMP_RET_ERRNO => Some(Ok(u64::from(value.min(MAX_ERRNO)).wrapping_neg())),
            SECCOMP_RET_TRAP => {
                self.regs.rax = self.regs.orig_rax;
                let reason = u16::try_from(value).unwrap_or(u16::MAX);
                let at = UserAddr::new(self.regs.rip);
                self.force_signal(&Siginfo::seccomp(at, nr, AUDIT_ARCH_X86_64, reason));
                Some(Err(Stop::Registers))
            }
            SECCOMP_RET_TRACE => self.ask_tracer(value, seen),
            SECCOMP_RET_USER_NOTIF => self.ask_supervisor(&data),
            SECCOMP_RET_KILL_THREAD if self.group.thread_count() > 1 => {
                Some(self.end_thread(Signal::SYS))
            }
            _ => {
                let at = UserAddr::new(self.regs.rip);
                let info = Siginfo::seccomp(at, nr, AUDIT_ARCH_X86_64, 0);
                self.end_with_dump(Signal::SYS, &info);
                self.mark_work();
                Some(Err(Stop::Registers))
            }
        }
    }

    /// A tracer may change the call, or skip it with a number of -1; without one the call
    /// does not exist.
    fn ask_tracer(&mut self, value: u32, seen: Seen) -> Option<SysResult> {
        if seen == Seen::Yes {
            return None;
        }
        if !self.trace.wants_event(Event::Seccomp) {
            return Some(Err(ENOSYS.into()));
        }
        self.regs.rax = ENOSYS.to_result();
        self.stop_for_event(Event::Seccomp, u64::from(value));
        if self.must_exit() || number(self) < 0 {
            return Some(Err(Stop::Registers));
        }
        self.check_filters(Seen::Yes)
    }

    /// Another process decides, if one listens.
    fn ask_supervisor(&mut self, data: &SeccompData) -> Option<SysResult> {
        let filters = self.seccomp.filters();
        let filter = filters
            .as_ref()
            .and_then(|filters| filters.ask(data).1.cloned());
        let listener = filter.and_then(|filter| filter.listener.clone());
        let Some(listener) = listener else {
            return Some(Err(ENOSYS.into()));
        };
        drop(filters);
        match listener.ask(self, data) {
            Ok(Answer::Continue) => None,
            Ok(Answer::Result(value)) => Some(Ok(value)),
            Err(stop) => Some(Err(stop)),
        }
    }

    /// Ends this thread alone, as if by a signal.
    fn end_thread(&mut self, signal: Signal) -> SysResult {
        self.own.exit = Some(ExitStatus::Killed(signal));
        self.mark_work();
        Err(Stop::Registers)
    }

    /// What Linux sends to the audit log: what kills and what shall be logged always, the
    /// rest if the filter was installed so.
    fn log_verdict(&self, data: &SeccompData, result: u32) {
        let asked = || {
            let filters = self.seccomp.filters();
            filters.is_some_and(|f| f.ask(data).1.is_some_and(|filter| filter.log))
        };
        let logged = match result & ACTION {
            SECCOMP_RET_TRAP | SECCOMP_RET_ERRNO | SECCOMP_RET_TRACE | SECCOMP_RET_USER_NOTIF => {
                asked()
            }
            SECCOMP_RET_ALLOW => false,
            _ => true,
        };
        if logged {
            log::debug!(
                target: "seccomp",
                "thread {}: call {} at {:#x}: {result:#x}",
                self.tid(), data.nr, data.instruction_pointer
            );
        }
    }
}
