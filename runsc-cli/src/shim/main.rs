//! `containerd-shim-runsk-v1`: what containerd starts for each container whose runtime is
//! `io.containerd.runsk.v1`.
//!
//! containerd runs it three ways. `start` leaves a server behind and prints its address
//! ([`start`]); the server answers containerd's requests about the one container ([`task`]),
//! is the parent of the container's processes, and outlives containerd; `delete` clears away
//! what a server left that was killed. What is done to a container is done by the command
//! `runsk` ([`runsk`]): this program keeps books ([`container`], [`process`]), holds the other
//! ends of standard streams ([`streams`], [`terminal`]), and tells containerd what happened
//! ([`events`]).
//!
//! The crate `containerd_shim` takes up every child that ends, in a thread of its own. So
//! nothing here waits for a child but by [`exit`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_in_result, reason = "how tests fail"))]

mod at_work;
mod container;
mod control;
mod events;
mod exit;
mod fault;
mod logger;
mod metrics;
mod oom;
mod options;
mod process;
mod rootfs;
mod runsk;
mod start;
mod streams;
mod task;
mod terminal;

const NAME: &str = "io.containerd.runsk.v1";

fn main() {
    let asks = |flags: &[&str]| {
        let first = std::env::args().nth(1);
        first.is_some_and(|first| flags.contains(&first.as_str()))
    };
    if asks(&["-v", "-version", "--version"]) {
        println!("{NAME} {}", env!("CARGO_PKG_VERSION"));
        return;
    }
    containerd_shim::run::<start::Shim>(NAME, None);
}
