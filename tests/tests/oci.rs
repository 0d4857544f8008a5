//! Scripts that use runc and runsk as Docker, podman, containerd and people do, compared.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::scenario::main(env!("CARGO_BIN_EXE_testkit"))
}
