//! Every test.

use std::process::{Command, ExitCode};

use crate::{checks, step};

/// Programs and files that tests use, and the Debian packages they come from.
const NEEDED: [(&str, &str); 16] = [
    ("gcc", "gcc libc6-dev"),
    ("debootstrap", "debootstrap"),
    ("busybox", "busybox-static"),
    ("strace", "strace"),
    ("runc", "runc"),
    ("script", "bsdutils"),
    ("dbus-daemon", "dbus-daemon"),
    ("python3", "python3-minimal"),
    ("free", "procps"),
    ("jq", "jq"),
    ("podman", "podman"),
    ("dockerd", "docker.io"),
    ("containerd", "containerd"),
    ("newuidmap", "uidmap"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    (
        "/usr/lib/python3/dist-packages/grpc/__init__.py",
        "python3-grpcio",
    ),
];

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
        || ["/usr/sbin", "/sbin"]
            .iter()
            .any(|dir| std::path::Path::new(dir).join(program).is_file())
}

fn install() -> Result<(), String> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| !is_there(program))
        .flat_map(|(_, packages)| packages.split(' '))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_there("apt-get") {
        return Err(format!(
            "install {} first: there is no apt-get here",
            missing.join(", ")
        ));
    }
    step::must(Command::new("apt-get").args(["update", "-q"]))?;
    step::must(
        Command::new("apt-get")
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(&missing),
    )
}

/// Tests of the crates themselves, with all checks of debug builds, lock order among them.
const CRATES: &[&str] = &[
    "test",
    "--workspace",
    "--exclude",
    "tests",
    "--no-fail-fast",
];
/// Programs in the sandbox and natively; the runtime is the optimised one.
const PROGRAMS: &[&str] = &["test", "--package", "tests", "--no-fail-fast"];

pub(crate) fn run() -> Result<ExitCode, String> {
    checks::run()?;
    install()?;
    let runsk = step::build_runsk()?;
    let crates = step::run(&mut step::cargo(CRATES))?;
    let mut programs = step::cargo(PROGRAMS);
    programs.env("RUNSK_BIN", runsk);
    let programs = step::run(&mut programs)?;
    if crates.success() && programs.success() {
        eprintln!("Every test passed.");
        return Ok(ExitCode::SUCCESS);
    }
    for (suite, _) in [("the crates", crates), ("programs", programs)]
        .iter()
        .filter(|(_, s)| !s.success())
    {
        eprintln!("FAILED: tests of {suite}");
    }
    Ok(ExitCode::FAILURE)
}
