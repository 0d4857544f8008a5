//! Small C programs, each a walk through a family of calls, natively and in the sandbox.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use tests::{guest, suite};

fn main() -> ExitCode {
    match guest::rows() {
        Ok(rows) => suite::main(rows, env!("CARGO_BIN_EXE_testkit")),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
