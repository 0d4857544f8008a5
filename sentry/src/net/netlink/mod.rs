//! Sockets of AF_NETLINK, netlink(7): questions about the network, answered at once.
//!
//! A program sends requests; `route.rs`, `diag.rs` and `generic.rs` make the answers, which wait
//! in the same socket to be received. The kernel tells nothing without being asked; programs
//! may talk to each other.

mod diag;
mod generic;
mod message;
mod route;
mod socket;
mod unix_diag;

pub(super) use self::route::{IFF_UP, broadcast, set_flags};
pub(crate) use self::route::{flags, hardware};
pub use self::socket::{NetlinkPorts, NetlinkSocket};
