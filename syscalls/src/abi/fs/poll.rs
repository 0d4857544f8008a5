//! Readiness: poll(2), select(2), epoll(7).

use crate::abi::layout;
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
