//! Tests of the program `runsk` from outside.
#![forbid(unsafe_code)]

mod cgroup;
mod errors;
mod jail;
mod limits;
mod machine;
mod sandbox;
mod seccomp;
mod written;
