//! The OCI bundle that both sides are started from.

use std::path::Path;

use serde_json::{Value, json};

/// The container's process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Argument vector.
    pub args: Vec<String>,
    /// Environment beyond `PATH`, `HOME` and `TERM`, as `NAME=value`.
    pub env: Vec<String>,
    /// Working directory.
    pub cwd: String,
    /// User and group id.
    pub user: u32,
    /// Its capabilities.
    pub rights: Rights,
}

/// What a process may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// What Docker leaves a container.
    #[default]
    Usual,
    /// Also what one needs to make name spaces and mounts.
    Administrator,
}

impl Rights {
    fn capabilities(self) -> Vec<&'static str> {
        match self {
            Rights::Usual => CAPABILITIES.to_vec(),
            Rights::Administrator => [CAPABILITIES, ADMINISTRATION].concat(),
        }
    }
}

/// Docker's default set: what most containers in the world run with.
const CAPABILITIES: &[&str] = &[
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

const ADMINISTRATION: &[&str] = &[
    "CAP_DAC_READ_SEARCH",
    "CAP_IPC_OWNER",
    "CAP_NET_ADMIN",
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
];

/// Name of the root directory inside a bundle.
pub const ROOTFS: &str = "rootfs";

/// The configuration that runs `process` over the bundle's root.
///
/// A process that is not root gets no capability beyond the bounding set, as Docker does it.
#[must_use]
pub fn config(process: &Process) -> Value {
    let mut env = vec![
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        "HOME=/root".to_owned(),
        "LC_ALL=C.UTF-8".to_owned(),
    ];
    env.extend(process.env.iter().cloned());
    let bounding = process.rights.capabilities();
    let held = if process.user == 0 {
        bounding.clone()
    } else {
        Vec::new()
    };
    json!({
        "ociVersion": "1.2.0",
        "process": {
            "terminal": false,
            "user": { "uid": process.user, "gid": process.user },
            "args": process.args,
            "env": env,
            "cwd": process.cwd,
            "capabilities": {
                "bounding": bounding,
                "permitted": held,
                "effective": held,
                "inheritable": [],
                "ambient": [],
            },
            "rlimits": [
                { "type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096 },
                { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
                { "type": "RLIMIT_STACK", "soft": 8_388_608, "hard": 67_108_864 },
            ],
            "noNewPrivileges": false,
        },
        "root": { "path": ROOTFS, "readonly": false },
        "hostname": "runsk-test",
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &[
                "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5",
            ]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/tmp", "tmpfs", &["nosuid", "nodev", "mode=1777"]),
        ],
        "linux": {
            "namespaces": [
                { "type": "pid" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
                { "type": "network" },
            ],
        },
    })
}

fn mount(at: &str, kind: &str, options: &[&str]) -> Value {
    json!({ "destination": at, "type": kind, "source": kind, "options": options })
}

/// Writes `config` as the configuration of the bundle in `dir`.
///
/// # Errors
/// The host's, with the file's name.
pub fn write(dir: &Path, config: &Value) -> Result<(), String> {
    let file = dir.join("config.json");
    let text = serde_json::to_string_pretty(config).map_err(|e| e.to_string())?;
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))
}
