//! Sockets of AF_NETLINK, netlink(7): questions about the network, answered at once.
//!
//! A program sends requests; `route.rs` and `diag.rs` make the answers, which wait in the
//! same socket to be received. Nothing is ever told without being asked.

mod diag;
mod message;
mod route;
mod socket;

pub(super) use self::route::{IFF_UP, broadcast, flags, hardware, set_flags};
pub use self::socket::{NetlinkPorts, NetlinkSocket};
