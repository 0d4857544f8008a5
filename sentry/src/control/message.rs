//! What is said on the control socket.

use serde::{Deserialize, Serialize};

use crate::config::{Config, ProcessConfig, Shared};
use crate::net::inet::Network;

/// To the Sentry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// The first process shall run its program.
    Start,
    /// The same, and once that is done, a second answer tells when the program says that it is
    /// ready, or has ended.
    StartAndTell,
    /// The sandbox's interfaces. With each beyond the loopback comes a packet socket, and
    /// perhaps one more that is connected to Docker's resolver.
    Network(Box<Network>),
    /// What the sandbox does.
    Phase,
    /// Start a process. Its descriptors come along.
    Exec(Box<ExecRequest>),
    /// Hand over the memory file: a further container's Gofer needs it.
    Memory,
    /// Make a further container. With it come the two ends of the channel to its Gofer, its
    /// listening control socket, and the descriptors of its first process.
    Create(Box<CreateRequest>),
    /// Send a signal.
    Signal(Target, i32),
    /// List the processes.
    Processes,
    /// Hold all processes back.
    Pause,
    /// Let them go on.
    Resume,
    /// What the sandbox uses.
    Stats,
    /// Keep to other limits.
    Limit(Limits),
    /// What the sandbox is made of, for people.
    Debug,
}

/// Limits that change; `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes; `u64::MAX` for no limit.
    pub memory: Option<u64>,
    /// Tasks; `u64::MAX` for no limit.
    pub tasks: Option<u64>,
    /// Microseconds of processor time in each period, to be shown; `u64::MAX` for no limit.
    pub cpu_quota: Option<u64>,
    /// That period, microseconds.
    pub cpu_period: Option<u64>,
}

/// Who gets a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The first process.
    First,
    /// Every process.
    All,
    /// The process, or the first process of the container, that this connection has started.
    Own,
}

/// A process to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecRequest {
    /// The process.
    pub process: ProcessConfig,
    /// What the descriptors are that come along.
    pub terminal: Terminal,
}

/// A further container of a pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateRequest {
    /// Tells it apart from others.
    pub name: String,
    /// The container.
    pub config: Config,
    /// What it has in common with others.
    pub shared: Shared,
    /// After the control socket comes one that is told of processes ended because memory had
    /// run out; see [`crate::cgroup::Limits::set_oom_listener`].
    pub oom_listener: bool,
    /// What the last descriptors are that come along.
    pub terminal: Terminal,
}

/// Which descriptors come with [`Request::Exec`], and at the end with [`Request::Create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Terminal {
    /// Descriptors 0, 1, 2 and further ones.
    No,
    /// A terminal, an eventfd(2) that rings when its window has changed, and descriptors
    /// from 3 on.
    Yes,
}

/// From the Sentry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Done.
    Done,
    /// Not done; the reason is for the user.
    Failed(String),
    /// The container has said so, in these words; none if it has ended before.
    Ready(Option<String>),
    /// What the sandbox does.
    Phase(Phase),
    /// A process runs; its number inside.
    Started(i32),
    /// It ended: its exit status, 128+n for signal n.
    Exited(i32),
    /// The processes.
    Processes(Vec<ProcessInfo>),
    /// What the sandbox uses.
    Stats(Stats),
    /// What the sandbox is made of.
    Debug(String),
    /// The memory file comes along.
    Memory,
}

/// What a sandbox does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The first process waits for its start.
    Created,
    /// It runs.
    Running,
    /// All processes are held back.
    Paused,
}

/// A process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its number inside.
    pub pid: i32,
    /// Its parent's; 0: none inside.
    pub ppid: i32,
    /// Its user.
    pub uid: u32,
    /// Its terminal, as ps(1) shows it; "?" without one.
    pub tty: String,
    /// How long it has been there, nanoseconds.
    pub age_ns: u64,
    /// Processor time used, nanoseconds.
    pub cpu_ns: u64,
    /// Its arguments.
    pub command: Vec<String>,
}

/// What a sandbox uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Memory, bytes.
    pub memory: u64,
    /// What it may grow to, bytes.
    pub memory_limit: u64,
    /// Processor time of all processes that live or were waited for, nanoseconds.
    pub cpu_user_ns: u64,
    /// The same in the kernel.
    pub cpu_system_ns: u64,
    /// Threads, those included that ended and were not waited for.
    pub tasks: u64,
    /// How many there may be; `u64::MAX` for no limit.
    pub tasks_limit: u64,
    /// Processes.
    pub processes: u64,
    /// Page faults.
    pub faults: u64,
    /// Processes ended because memory had run out.
    pub oom_kills: u64,
}
