//! What a sandbox is started with. The command line makes it from an OCI configuration
//! and passes it to the Sentry's process in a serialised form.

use serde::{Deserialize, Serialize};

/// A sandbox.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Config {
    /// uname(2)'s nodename.
    pub hostname: Vec<u8>,
    /// uname(2)'s domainname.
    pub domainname: Vec<u8>,
    /// What "/" is.
    pub root: RootConfig,
    /// Mounts, in order.
    pub mounts: Vec<MountConfig>,
    /// Paths that cannot be read (/proc/kcore …).
    pub masked_paths: Vec<Vec<u8>>,
    /// Paths that cannot be written (/proc/sys …).
    pub readonly_paths: Vec<Vec<u8>>,
    /// The first process.
    pub process: ProcessConfig,
    /// Whether every call of every task is traced, to the log at level `info`, target "strace".
    pub strace: bool,
    /// What clones of `nproc` see; 0: the host's.
    pub cpus: u32,
    /// What `free` sees as total, bytes; 0: the limit of the memory file.
    pub memory_limit: u64,
}

/// The root file system.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RootConfig {
    /// Which of the Gofer's trees.
    pub tree: u32,
    /// Mounted read-only.
    pub readonly: bool,
    /// Writes go to memory and are gone at the end.
    pub overlay: bool,
}

/// A mount.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MountConfig {
    /// Where, absolute, inside the root.
    pub destination: Vec<u8>,
    /// What.
    pub source: MountSource,
    /// MS_* of mount(2).
    pub flags: u32,
    /// Options that are not flags: "size=65536k", "mode=755".
    pub data: Vec<String>,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// A tree of the Gofer (bind mounts). A single file if the tree's root is one.
    Gofer {
        /// Which.
        tree: u32,
        /// What /proc/mounts shows as the source.
        name: String,
        /// Nobody else writes it: attributes and absence may be cached.
        exclusive: bool,
        /// Writes go to memory and are gone at the end, as with [`RootConfig::overlay`].
        overlay: bool,
    },
    /// A file system of the kernel's own: "tmpfs", "proc", "sysfs", "devpts", "mqueue",
    /// "cgroup", "cgroup2", "devtmpfs".
    Kernel {
        /// The type.
        kind: String,
    },
}

/// A process to start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProcessConfig {
    /// argv; the program is looked up in PATH of `env` as execvpe(3) does.
    pub args: Vec<Vec<u8>>,
    /// Environment, "NAME=value".
    pub env: Vec<Vec<u8>>,
    /// Working directory, absolute.
    pub cwd: Vec<u8>,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// umask; `None`: 0o022.
    pub umask: Option<u16>,
    /// Capability sets, bit n is capability n.
    pub capabilities: CapabilityConfig,
    /// Resource limits: (RLIMIT_* number, soft, hard).
    pub rlimits: Vec<(u32, u64, u64)>,
    /// prctl(PR_SET_NO_NEW_PRIVS).
    pub no_new_privs: bool,
    /// The process has a controlling terminal on descriptors 0, 1 and 2.
    pub terminal: bool,
}

/// capabilities(7).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in capabilities(7)")]
pub struct CapabilityConfig {
    pub bounding: u64,
    pub effective: u64,
    pub inheritable: u64,
    pub permitted: u64,
    pub ambient: u64,
}
