//! Signals, signal(7).

mod frame;
mod info;

pub use frame::*;
pub use info::*;

use super::layout;
use crate::flags::{flags, numbers};
use crate::uaddr::UserAddr;

layout! {
    /// What a process does on a signal: the kernel's structure, not the C library's,
    /// rt_sigaction(2).
    pub struct Sigaction {
        pub handler: UserAddr,
        pub flags: u64,
        pub restorer: UserAddr,
        pub mask: u64,
    }

    /// A stack for handlers, sigaltstack(2).
    pub struct AltStack {
        pub sp: UserAddr,
        pub flags: u32,
        pub pad0: u32,
        pub size: u64,
    }

    /// How a program wants to hear of an event, sigevent(3type).
    pub struct Sigevent {
        pub value: u64,
        pub signo: i32,
        pub notify: i32,
        /// Whom, with `SIGEV_THREAD_ID`.
        pub tid: i32,
        pub pad: [i32; 11],
    }
}

flags! {
    /// `sa_flags`, sigaction(2).
    pub struct SigactionFlags: u64, "SA_", kept {
        RESTORER = 0x0400_0000;
        ONSTACK = 0x0800_0000;
        RESTART = 0x1000_0000;
        NODEFER = 0x4000_0000;
        RESETHAND = 0x8000_0000;
        SIGINFO = 0x4;
        NOCLDSTOP = 0x1;
        NOCLDWAIT = 0x2;
        UNSUPPORTED = 0x400;
        EXPOSE_TAGBITS = 0x800;
    }

    /// signalfd(2).
    pub struct SignalfdFlags: u32, "SFD_", refused {
        NONBLOCK = 0o4000;
        CLOEXEC = 0o2_000_000;
    }
}

numbers! {
    /// `how` of sigprocmask(2).
    pub const MASK_CHANGES: i32 {
        SIG_BLOCK = 0;
        SIG_UNBLOCK = 1;
        SIG_SETMASK = 2;
    }

    /// `sigev_notify`, sigevent(3type).
    pub const NOTIFICATIONS: i32 {
        SIGEV_SIGNAL = 0;
        SIGEV_NONE = 1;
        SIGEV_THREAD = 2;
        SIGEV_THREAD_ID = 4;
    }
}

flags! {
    /// `ss_flags`, sigaltstack(2).
    pub struct AltStackFlags: u32, "SS_", kept {
        ONSTACK = 1;
        DISABLE = 2;
        AUTODISARM = 1 << 31;
    }
}

/// The handler address that means the default action.
pub const SIG_DFL: u64 = 0;
/// The handler address that means ignoring the signal.
pub const SIG_IGN: u64 = 1;
/// Bytes of a signal set; what every `sigsetsize` has to be.
pub const SIGSET_SIZE: usize = 8;
/// The least size of an alternate stack, bytes; sigaltstack(2).
pub const MINSIGSTKSZ: u64 = 2048;
