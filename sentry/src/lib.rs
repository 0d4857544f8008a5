//! The Sentry: a Linux-compatible kernel in an ordinary process.
//!
//! Application code runs on a [`platform`]; its system calls land in [`dispatch`], which
//! runs the implementation beside the object concerned ([`vfs`], [`mm`], [`task`] …).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_in_result, reason = "how tests fail"))]

pub(crate) mod aio;
pub mod boot;
mod bpf;
pub mod cgroup;
pub mod config;
pub mod control;
mod core_dump;
mod dispatch;
pub mod epoll;
pub mod eventfd;
pub mod fd;
pub mod fs;
pub mod futex;
mod inotify;
pub mod ipc;
pub mod kernel;
pub mod loader;
pub mod mm;
pub mod namespace;
pub mod net;
pub mod pipe;
mod poll;
pub mod ptrace;
pub mod seccomp;
pub mod signal;
pub mod sync;
pub mod sysctl;
pub mod system;
pub mod task;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
pub mod tty;
pub mod vfs;
pub mod wait;

pub use config::Config;
