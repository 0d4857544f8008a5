//! The sentences of the OCI runtime specification that say MUST.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::conform::main()
}
