//! Signals, signal(7).

use super::layout;
use crate::flags::flags;
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

    /// What came with a signal, sigaction(2).
    pub struct Siginfo {
        pub signo: i32,
        pub errno: i32,
        pub code: i32,
        pub pad0: u32,
        /// A union that `code` and `signo` select.
        pub fields: [u64; 14],
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
        NOCLDSTOP = 0x1;
        NOCLDWAIT = 0x2;
        SIGINFO = 0x4;
        UNSUPPORTED = 0x400;
        EXPOSE_TAGBITS = 0x800;
        RESTORER = 0x0400_0000;
        ONSTACK = 0x0800_0000;
        RESTART = 0x1000_0000;
        NODEFER = 0x4000_0000;
        RESETHAND = 0x8000_0000;
    }

    /// signalfd(2).
    pub struct SignalfdFlags: u32, "SFD_", refused {
        NONBLOCK = 0o4000;
        CLOEXEC = 0o2_000_000;
    }
}
