//! What is measured: the host itself, runsk on each of its platforms, other runtimes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::bundle::Bundle;

/// One way to run a program of a bundle.
#[derive(Clone)]
pub(super) struct System {
    /// As the table names it.
    pub(super) name: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// chroot(1) in a mount namespace of its own.
    Native,
    Runsk {
        binary: PathBuf,
        platform: String,
    },
    /// A runtime with runc's command line.
    Peer(PathBuf),
}

/// Other runtimes; those that are not there are left out.
const PEERS: [&str; 3] = ["runc", "crun", "runsc"];

/// All of them, the native one first.
pub(super) fn all(runsk: &Path) -> Result<Vec<System>, String> {
    let mut systems = vec![System {
        name: "native".to_owned(),
        kind: Kind::Native,
    }];
    for platform in platforms(runsk)? {
        systems.push(System {
            name: format!("runsk-{platform}"),
            kind: Kind::Runsk {
                binary: runsk.to_owned(),
                platform,
            },
        });
    }
    for name in PEERS {
        if let Some(path) = find(name) {
            systems.push(System {
                name: name.to_owned(),
                kind: Kind::Peer(path),
            });
        }
    }
    Ok(systems)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

/// Those that the binary says it has.
fn platforms(runsk: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(runsk)
        .args(["--platform", "?", "spec"])
        .output()
        .map_err(|error| format!("{}: {error}", runsk.display()))?;
    // "… [possible values: auto, ptrace]"
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let list = text
        .split_once("possible values: ")
        .and_then(|(_, rest)| rest.split_once(']'))
        .ok_or_else(|| format!("{}: which platforms? {text}", runsk.display()))?;
    let names = list.0.split(',').map(str::trim);
    Ok(names
        .filter(|name| *name != "auto")
        .map(str::to_owned)
        .collect())
}

/// Tells containers apart.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// In a mount namespace of its own: what a container gets, then the program.
const NATIVE: &str = "mount -t tmpfs tmpfs \"$1/tmp\" && mount --rbind /dev \"$1/dev\" && \
    mount -t proc proc \"$1/proc\" && root=$1 && shift && exec chroot \"$root\" \"$@\"";

impl System {
    pub(super) fn is_native(&self) -> bool {
        matches!(self.kind, Kind::Native)
    }

    pub(super) fn is_runsk(&self) -> bool {
        matches!(self.kind, Kind::Runsk { .. })
    }

    /// Writes the configuration where there is one; the command then runs `args`.
    pub(super) fn command(&self, bundle: &Bundle, args: &[&str]) -> Result<Command, String> {
        let mut command = match &self.kind {
            Kind::Native => {
                let mut command = Command::new("unshare");
                command.args([
                    "--mount",
                    "--propagation",
                    "private",
                    "sh",
                    "-c",
                    NATIVE,
                    "sh",
                ]);
                command.arg(&bundle.root).args(args);
                command.env_clear().env("PATH", super::bundle::PATH);
                command
            }
            Kind::Runsk { binary, platform } => {
                bundle.configure(args)?;
                let mut command = Command::new(binary);
                command
                    .args(["--platform", platform, "run"])
                    .arg(&bundle.dir);
                command
            }
            Kind::Peer(binary) => {
                bundle.configure(args)?;
                let mut command = Command::new(binary);
                command.args(["run", "--bundle"]).arg(&bundle.dir);
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                command.arg(format!("runsk-bench-{}-{number}", std::process::id()));
                command
            }
        };
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// The least that starts the program natively; for all others as [`Self::command`].
    pub(super) fn bare_command(&self, bundle: &Bundle, args: &[&str]) -> Result<Command, String> {
        if !self.is_native() {
            return self.command(bundle, args);
        }
        let mut command = Command::new("chroot");
        command.arg(&bundle.root).args(args).stdin(Stdio::null());
        Ok(command)
    }
}
