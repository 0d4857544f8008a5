//! The bundle that the containers of the benchmark are made from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::step;

/// Of every program.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A directory with a config.json, and a root.
pub(super) struct Bundle {
    pub(super) dir: PathBuf,
    pub(super) root: PathBuf,
}

/// What the parts but `programs` run.
pub(super) struct Bundles {
    /// Root with the guest program (/bench), a program that does nothing (/nothing) and
    /// a megabyte of data.
    pub(super) small: Bundle,
}

/// Where everything lies that the benchmark makes and keeps.
pub(super) fn work_dir() -> PathBuf {
    step::workspace().join("target").join("bench")
}

impl Bundles {
    pub(super) fn prepare() -> Result<Self, String> {
        let small = Bundle::at(&work_dir().join("small"))?;
        let guest = step::workspace().join("tools").join("guest");
        let sources =
            fs::read_dir(&guest).map_err(|error| format!("{}: {error}", guest.display()))?;
        let sources = sources.flatten().map(|entry| entry.path());
        let sources: Vec<_> = sources
            .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
            .collect();
        let gcc = || {
            let mut gcc = Command::new("gcc");
            gcc.args(["-O2", "-Wall", "-static", "-pthread", "-o"]);
            gcc
        };
        step::must(gcc().arg(small.root.join("bench")).args(sources))?;
        let nothing = small.dir.join("nothing.c");
        write(&nothing, b"int main(void) { return 0; }\n")?;
        step::must(gcc().arg(small.root.join("nothing")).arg(nothing))?;
        write(&small.root.join("bench-data"), &vec![b'b'; 1 << 20])?;
        Ok(Bundles { small })
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

impl Bundle {
    /// A bundle whose root has the directories to mount on.
    pub(super) fn at(dir: &Path) -> Result<Self, String> {
        let root = dir.join("root");
        for place in ["dev", "proc", "sys", "tmp"] {
            let place = root.join(place);
            fs::create_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        }
        Ok(Bundle {
            dir: dir.to_owned(),
            root,
        })
    }

    /// Writes the configuration of a container that runs `args`.
    pub(super) fn configure(&self, args: &[&str]) -> Result<(), String> {
        let text = serde_json::to_vec(&self.config(args)).map_err(|error| error.to_string())?;
        let file = self.dir.join("config.json");
        // Somebody may be reading it.
        match fs::read(&file).is_ok_and(|there| there == text) {
            true => Ok(()),
            false => write(&file, &text),
        }
    }

    /// As container engines write it, without cgroups and without a filter of calls.
    fn config(&self, args: &[&str]) -> Value {
        let caps = [
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FOWNER",
            "CAP_KILL",
            "CAP_SETGID",
            "CAP_SETUID",
        ];
        let mount = |at: &str, kind: &str, options: &[&str]| json!({ "destination": at, "type": kind, "source": kind, "options": options });
        json!({
            "ociVersion": "1.2.0",
            "process": {
                "args": args,
                "cwd": "/",
                "env": [format!("PATH={PATH}"), "HOME=/root"],
                "user": { "uid": 0, "gid": 0 },
                "capabilities": { "bounding": caps, "effective": caps, "permitted": caps },
            },
            "root": { "path": self.root },
            "hostname": "bench",
            "mounts": [
                mount("/proc", "proc", &[]),
                mount("/dev", "tmpfs", &["nosuid", "mode=755"]),
                mount("/tmp", "tmpfs", &["mode=1777"]),
            ],
            "linux": { "namespaces": [
                { "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" },
                { "type": "network" },
            ] },
        })
    }
}
