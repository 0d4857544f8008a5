//! Classic BPF: small programs that judge something. `program.rs` checks and decodes,
//! `run.rs` runs them; `seccomp` lets them judge calls, `net` what arrives at a socket.

mod program;
mod run;

pub(crate) use self::program::{Ancillary, Dialect, Fetch, MAX_LEN, Program};
