//! Programs that a command runs one after the other.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The workspace's directory.
pub(crate) fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Says what is run, and runs it.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus, String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    eprintln!("==> {}", line.join(" "));
    command
        .status()
        .map_err(|error| format!("{}: {error}", line.join(" ")))
}

/// As [`run`]; an unsuccessful end is an error.
pub(crate) fn must(command: &mut Command) -> Result<(), String> {
    let status = run(command)?;
    let name = command.get_program().to_string_lossy().into_owned();
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name}: {status}"))
    }
}

/// cargo in the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace()).args(args);
    command
}

/// Builds the runtime, optimised; where it is then.
pub(crate) fn build_runsk() -> Result<PathBuf, String> {
    must(&mut cargo(&[
        "build",
        "--release",
        "--package",
        "runsc-cli",
    ]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), PathBuf::from);
    Ok(target.join("release").join("runsk"))
}
