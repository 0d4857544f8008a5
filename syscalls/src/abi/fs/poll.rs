//! Readiness: poll(2), select(2), epoll(7).

use crate::abi::layout;
use crate::flags::{flags, numbers};
use crate::uaddr::UserPtr;

layout! {
    /// A descriptor to wait for, poll(2).
    pub struct PollFd {
        pub fd: i32,
        pub events: u16,
        pub revents: u16,
    }

    /// The last argument of pselect6(2) and io_pgetevents(2): a signal set and its size.
    pub struct SigsetArg {
        pub set: UserPtr<u64>,
        pub size: u64,
    }
}

/// An event and the word that the program attached to it, epoll_ctl(2). Packed on x86-64.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(C, packed)]
pub struct EpollEvent {
    /// Which events are meant or have come.
    pub events: u32,
    /// The program's own word.
    pub data: u64,
}

flags! {
    /// Readiness as poll(2) names it; 16 bits in a [`PollFd`].
    pub struct PollEvents: u16, "POLL", kept {
        IN = 0x1;
        PRI = 0x2;
        OUT = 0x4;
        RDNORM = 0x40;
        RDBAND = 0x80;
        WRNORM = 0x100;
        WRBAND = 0x200;
        MSG = 0x400;
        REMOVE = 0x1000;
        RDHUP = 0x2000;
        ERR = 0x8;
        HUP = 0x10;
        NVAL = 0x20;
    }

    /// Readiness and the way to tell of it, epoll_ctl(2).
    pub struct EpollEvents: u32, "EPOLL", kept {
        IN = 0x1;
        PRI = 0x2;
        OUT = 0x4;
        RDNORM = 0x40;
        RDBAND = 0x80;
        WRNORM = 0x100;
        WRBAND = 0x200;
        MSG = 0x400;
        ERR = 0x8;
        HUP = 0x10;
        NVAL = 0x20;
        RDHUP = 0x2000;
        EXCLUSIVE = 1 << 28;
        WAKEUP = 1 << 29;
        ONESHOT = 1 << 30;
        ET = 1 << 31;
    }

    /// epoll_create1(2).
    pub struct EpollFlags: u32, "EPOLL_", refused {
        CLOEXEC = 0o2_000_000;
    }

    /// eventfd(2).
    pub struct EventfdFlags: u32, "EFD_", refused {
        SEMAPHORE = 1;
        NONBLOCK = 0o4000;
        CLOEXEC = 0o2_000_000;
    }
}

numbers! {
    /// `op` of epoll_ctl(2).
    pub const EPOLL_OPERATIONS: i32 {
        EPOLL_CTL_ADD = 1;
        EPOLL_CTL_DEL = 2;
        EPOLL_CTL_MOD = 3;
    }
}

/// The size of a descriptor set of the C library, descriptors; select(2). The kernel
/// takes larger ones.
pub const FD_SETSIZE: usize = 1024;
