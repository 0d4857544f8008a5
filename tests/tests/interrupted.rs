//! Lifecycles in which something is killed.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::interrupted::main()
}
