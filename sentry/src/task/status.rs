//! How a process or thread ended, and what else wait4(2) tells.

use syscalls::abi::signal::{CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED};

use crate::signal::Signal;

/// How a process or thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// exit(2) or exit_group(2), with the low byte of its argument.
    Exited(u8),
    /// A signal. Differs from Linux: memory is never dumped, so that the bit for "core
    /// dumped" is never set, as with RLIMIT_CORE 0.
    Killed(Signal),
}

impl ExitStatus {
    /// Of the argument of exit(2).
    #[must_use]
    pub fn of_code(code: i32) -> Self {
        let [low, ..] = code.to_le_bytes();
        ExitStatus::Exited(low)
    }

    /// As wait4(2) stores it.
    #[must_use]
    pub fn to_wait(self) -> i32 {
        match self {
            ExitStatus::Exited(code) => i32::from(code) << 8,
            ExitStatus::Killed(signal) => signal.raw(),
        }
    }

    /// `si_code` and `si_status` of SIGCHLD.
    #[must_use]
    pub(crate) fn to_child(self) -> (i32, i32) {
        match self {
            ExitStatus::Exited(code) => (CLD_EXITED, i32::from(code)),
            ExitStatus::Killed(signal) => (CLD_KILLED, signal.raw()),
        }
    }

    /// What a shell shows as `$?`, and what the sandbox's command returns.
    #[must_use]
    pub fn to_shell(self) -> i32 {
        match self {
            ExitStatus::Exited(code) => i32::from(code),
            ExitStatus::Killed(signal) => 128 + signal.raw(),
        }
    }
}

/// A change that a parent has not waited for yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopEvent {
    /// All threads stopped.
    Stopped(Signal),
    /// SIGCONT came.
    Continued,
}

impl StopEvent {
    pub(crate) fn to_wait(self) -> i32 {
        match self {
            StopEvent::Stopped(signal) => (signal.raw() << 8) | 0x7f,
            StopEvent::Continued => 0xffff,
        }
    }

    pub(crate) fn to_child(self) -> (i32, i32) {
        match self {
            StopEvent::Stopped(signal) => (CLD_STOPPED, signal.raw()),
            StopEvent::Continued => (CLD_CONTINUED, Signal::CONT.raw()),
        }
    }
}
