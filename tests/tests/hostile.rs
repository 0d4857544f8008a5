//! Applications that attack the sandbox from inside.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::hostile::main(env!("CARGO_BIN_EXE_testkit"))
}
