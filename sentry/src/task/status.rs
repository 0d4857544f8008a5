//! How a process or thread ended, and what else wait4(2) tells.

use syscalls::abi::signal::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED};

use crate::signal::Signal;

/// How a process or thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// exit(2) or exit_group(2), with the low byte of its argument.
    Exited(u8),
    /// A signal.
    Killed(Signal),
    /// A signal, and there is a core file, core(5).
    Dumped(Signal),
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
        /// WCOREDUMP.
        const DUMPED: i32 = 0x80;
        match self {
            ExitStatus::Exited(code) => i32::from(code) << 8,
            ExitStatus::Killed(signal) => signal.raw(),
            ExitStatus::Dumped(signal) => signal.raw() | DUMPED,
        }
    }

    /// `si_code` and `si_status` of SIGCHLD.
    #[must_use]
    pub(crate) fn to_child(self) -> (i32, i32) {
        match self {
            ExitStatus::Exited(code) => (CLD_EXITED, i32::from(code)),
            ExitStatus::Killed(signal) => (CLD_KILLED, signal.raw()),
            ExitStatus::Dumped(signal) => (CLD_DUMPED, signal.raw()),
        }
    }

    /// What a shell shows as `$?`, and what the sandbox's command returns.
    #[must_use]
    pub fn to_shell(self) -> i32 {
        match self {
            ExitStatus::Exited(code) => i32::from(code),
            ExitStatus::Killed(signal) | ExitStatus::Dumped(signal) => 128 + signal.raw(),
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
