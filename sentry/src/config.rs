//! What a sandbox is started with. The command line makes it from an OCI configuration
//! and passes it to the Sentry's process in a serialised form.

use serde::{Deserialize, Serialize};

use crate::vfs::Depth;

/// A container. The first one's goes for the sandbox too.
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
    /// Device nodes and FIFOs beside those that every container has.
    pub devices: Vec<DeviceConfig>,
    /// Settings of /proc/sys by name ("kernel.msgmax"), and what is written there.
    pub sysctls: Vec<(String, String)>,
    /// The name of a socket inside, alone in a mount, on which the container says that it is
    /// ready; sd_notify(3).
    pub notify: Option<Vec<u8>>,
    /// The first process.
    pub process: ProcessConfig,
    /// Of the sandbox: whether every call of every task is traced, to the log at level `info`, target "strace".
    pub strace: bool,
    /// Of the sandbox: what clones of `nproc` see; 0: the host's.
    pub cpus: u32,
    /// What the container's memory may grow to, bytes: `free` sees it as total. 0: no
    /// limit but the memory file's.
    pub memory_limit: u64,
    /// How many tasks there may be; 0: no limit.
    pub pids_limit: u64,
    /// Processor time in each period, microseconds; 0: no limit. The host enforces it.
    pub cpu_quota: u64,
    /// That period, microseconds; 0: Linux's own.
    pub cpu_period: u64,
}

/// Whose name spaces a further container of a sandbox lives in; `None`: one of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// pid_namespaces(7).
    pub pids: Option<Neighbour>,
    /// ipc_namespaces(7).
    pub ipc: Option<Neighbour>,
    /// uts_namespaces(7).
    pub uts: Option<Neighbour>,
    /// network_namespaces(7).
    pub network: Option<Neighbour>,
}

/// A container of the same sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Neighbour {
    /// The one that the sandbox was started with.
    First,
    /// A further one, by its name.
    Further(String),
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
    /// How mounts on it propagate, once everything is mounted; private without.
    pub propagation: Option<(Propagation, Depth)>,
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
    /// How mounts on it propagate; private without.
    pub propagation: Option<(Propagation, Depth)>,
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

/// A device node or a FIFO.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceConfig {
    /// Where, absolute, inside the root.
    pub path: Vec<u8>,
    /// What.
    pub node: DeviceNode,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What a [`DeviceConfig`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceNode {
    /// A character device, (major, minor).
    Char(u32, u32),
    /// A FIFO.
    Fifo,
}

/// A process to start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProcessConfig {
    /// argv; the program is looked up in PATH of `env` as execvpe(3) does.
    pub args: Vec<Vec<u8>>,
    /// The program, where it is not what `args` begins with: a path, absolute.
    pub program: Option<Vec<u8>>,
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
    /// What it may call, seccomp(2); `None`: everything.
    pub seccomp: Option<SeccompConfig>,
    /// The process has a controlling terminal on descriptors 0, 1 and 2.
    pub terminal: bool,
    /// What it has set for itself.
    pub settings: SettingsConfig,
}

/// What a process starts with as if it had set it for itself. 0 is what every process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsConfig {
    /// setpriority(2): -20 to 19.
    pub nice: i32,
    /// SCHED_*, sched(7).
    pub policy: i32,
    /// 1 to 99 with SCHED_FIFO and SCHED_RR, else 0.
    pub priority: i32,
    /// SCHED_RESET_ON_FORK.
    pub reset_on_fork: bool,
    /// ioprio_set(2).
    pub io_priority: u16,
    /// personality(2).
    pub personality: u32,
    /// proc_pid_oom_score_adj(5): -1000 to 1000.
    pub oom_score_adj: i32,
}

/// A filter of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeccompConfig {
    /// Classic BPF over `struct seccomp_data`, x86-64: (code, jt, jf, k).
    pub program: Vec<(u16, u8, u8, u32)>,
    /// What it refuses is logged, as with `SECCOMP_FILTER_FLAG_LOG`.
    pub log: bool,
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

/// What becomes of mounts on a mount elsewhere: MS_SHARED and the like, mount(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// Its peers get them, and it gets theirs.
    Shared,
    /// It gets those of the group that it was in, and gives none.
    Slave,
    /// Nothing is given nor got.
    Private,
    /// As private; and it cannot be bound elsewhere.
    Unbindable,
}
