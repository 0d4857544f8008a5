//! Debian's own programs, natively and in the sandbox.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use tests::{apps, suite};

fn main() -> ExitCode {
    suite::main(suite::rows(apps::ALL), env!("CARGO_BIN_EXE_testkit"))
}
