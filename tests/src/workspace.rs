//! Where things are on this machine: the workspace, its cache, and the binaries under test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The platforms that every suite runs on, and kvm where there is /dev/kvm.
/// `RUNSK_PLATFORMS=a,b` narrows or widens the list.
const PLATFORMS: &[&str] = &["systrap", "ptrace"];

/// The platforms to test.
#[must_use]
pub fn platforms() -> Vec<String> {
    match std::env::var("RUNSK_PLATFORMS") {
        Ok(list) => list
            .split(',')
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect(),
        Err(_) => PLATFORMS
            .iter()
            .copied()
            .chain(kvm())
            .map(str::to_owned)
            .collect(),
    }
}

fn kvm() -> Option<&'static str> {
    static ONCE: OnceLock<bool> = OnceLock::new();
    let there = *ONCE.get_or_init(|| {
        let device = File::options().read(true).write(true).open("/dev/kvm");
        if let Err(error) = &device {
            eprintln!("SKIPPED: the platform kvm: /dev/kvm: {error}");
        }
        device.is_ok()
    });
    there.then_some("kvm")
}

/// The workspace's top directory.
#[must_use]
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("/"))
}

/// Directory for roots, compiled guest programs and the traces of runs: `.work` in the
/// workspace, or `RUNSK_WORK_DIR`.
#[must_use]
pub fn work_dir() -> PathBuf {
    std::env::var_os("RUNSK_WORK_DIR").map_or_else(|| top().join(".work"), PathBuf::from)
}

/// The `runsk` binary under test: `RUNSK_BIN`, else what cargo builds in this profile.
///
/// # Errors
/// When the build fails or its result cannot be found.
pub fn runsk() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(find_or_build).clone()
}

fn find_or_build() -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("RUNSK_BIN") {
        return Ok(PathBuf::from(given));
    }
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The shim lies beside it.
    build
        .current_dir(top())
        .args(["build", "--quiet", "--package", "runsc-cli", "--bins"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let status = build.status().map_err(|e| format!("cargo build: {e}"))?;
    if !status.success() {
        return Err(format!("cargo build of runsk: {status}"));
    }
    // This program lies in target/PROFILE/deps or target/PROFILE.
    let me = std::env::current_exe().map_err(|e| format!("own path: {e}"))?;
    me.ancestors()
        .map(|dir| dir.join("runsk"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("no runsk above {}", me.display()))
}
