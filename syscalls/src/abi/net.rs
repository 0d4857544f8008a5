//! Sockets, socket(7).

use super::fs::IoVec;
use super::layout;
use crate::uaddr::{UserAddr, UserPtr};

layout! {
    /// A message's parts, sendmsg(2).
    pub struct MsgHdr {
        pub name: UserAddr,
        pub namelen: i32,
        pub pad0: u32,
        pub iov: UserPtr<IoVec>,
        pub iovlen: u64,
        pub control: UserAddr,
        pub controllen: u64,
        pub flags: u32,
        pub pad1: u32,
    }

    /// One of several messages, sendmmsg(2).
    pub struct MMsgHdr {
        pub hdr: MsgHdr,
        /// Bytes sent or received.
        pub len: u32,
        pub pad0: u32,
    }
}
