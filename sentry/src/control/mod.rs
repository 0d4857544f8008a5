//! The control socket: what the commands of the host ask of a running sandbox.
//!
//! The command line makes a listening Unix socket in the container's state directory, which
//! only its owner can reach, and hands it to the Sentry. A thread accepts connections
//! ([`server`]); each has a thread of its own that reads one [`Request`] after the other and
//! answers each with one [`Answer`] ([`message`], [`wire`]). After [`Request::Exec`] a
//! connection belongs to the new process: it carries signals, and at last how that ended.
//! Whoever closes it before ends the process.
//!
//! A pod's further containers are asked for on the socket of the first one with
//! [`Request::Create`]. That connection belongs to the new container in the same way, and the
//! container has a control socket of its own.

mod attend;
mod debug;
mod member;
mod message;
mod processes;
mod ready;
mod server;
mod stats;
mod wire;

pub use message::{
    Answer, CreateRequest, ExecRequest, Limits, Phase, ProcessInfo, Request, Stats, Target,
    Terminal,
};
pub use server::serve;
pub use wire::Connection;
