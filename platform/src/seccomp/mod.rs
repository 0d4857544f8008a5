//! Which host calls a process of ours may make: filters made from rows with reasons.
//!
//! A list is data: [`Allow`] rows, each saying why the call is needed. [`Program`] compiles
//! it for the host kernel, seccomp(2). [`denied`] is what happens to any other call,
//! [`audit`] finds rows that nothing uses.

pub mod audit;
pub mod denied;
mod list;
pub(crate) mod mapper;
mod program;
pub mod sentry;
pub mod sockets;

pub use list::{Allow, Arg, Test};
pub use program::{Otherwise, Program};
