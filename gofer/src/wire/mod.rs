//! What client and server agree on: where things stand in the shared region ([`layout`])
//! and what is said in them ([`request`]). Both sides run the same binary, so there is no
//! version to negotiate; but neither believes what the other wrote.
//!
//! # What a request costs
//! Median times of requests between two processes, µs (`examples/bench.rs`; virtual
//! machine with 2 CPUs, ext4, everything in the host's page cache):
//!
//! | | getattr | walk of 3 | read 4 KiB | read 1 MiB | getattr every ms |
//! |---|---|---|---|---|---|
//! | 2 CPUs free, spinning as it pays | 1.4 | 10 | 1.0 | 36 | 10 |
//! | 2 CPUs free, never spinning | 7 to 60 | 17 | 7 to 60 | 44 | 14 |
//! | both sides on one CPU | 5.7 | 13 | 5.4 | 44 | 17 |
//! | one busy loop beside | 5.0 | 16 | 6.9 | 47 | 18 |
//! | two busy loops beside | 5 | 11 | 6.4 | 45 | 22 |
//!
//! (7 where the scheduler puts both on one CPU, 60 where it does not.) Spinning wins by a
//! factor of ten where a CPU is free, so it is tried first; where none is, [`Patience`]
//! notices after a few futile spins, and futexes on one CPU are nearly as good as can be.
//! Lists of 50,000 names take 20 ms, with attributes 110 ms.

pub(crate) mod layout;
pub(crate) mod name;
mod patience;
pub(crate) mod request;
mod ring;

pub use layout::{ClientEnd, REGION_SIZE, ServerEnd, channel};
pub(crate) use patience::Patience;
pub(crate) use ring::{Ring, state};
