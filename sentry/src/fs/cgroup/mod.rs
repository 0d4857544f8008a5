//! cgroups(7), version 2: the sandbox's own group, read-only, as a container sees it that
//! has a cgroup name space.
//!
//! There are no groups inside the sandbox: what it may use is limited from outside.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::EPERM;

use super::proc::{Census, Memory, System};
use super::processor::list;
use super::synth::{Context, Entry, Instance, Opener, Synthetic, TableDir, put};
use crate::kernel::Kernel;
use crate::task::all_cpus;
use crate::vfs::{FileKind, InodeRef, Mode, Owner, SetAttr, SuperBlock};

/// `f_type` of statfs(2).
const CGROUP2_MAGIC: u64 = 0x6367_7270;
/// The root's inode number.
const ROOT: u64 = 1;

/// A new instance: its root directory. `source` is what /proc/mounts shows.
#[must_use]
pub fn new(kernel: &Arc<Kernel>, source: &str) -> InodeRef {
    let instance = Instance {
        name: "cgroup2",
        magic: CGROUP2_MAGIC,
        lasting: true,
        options: String::new(),
    };
    let super_block = SuperBlock::new(Box::new(instance), source);
    let group = Group(System::new(kernel));
    let owner = Owner {
        uid: 0,
        gid: 0,
        mode: Mode::from_raw(0o555),
    };
    let dir = TableDir::new(group, ENTRIES, ROOT);
    Synthetic::new(&super_block, ROOT, FileKind::Directory, owner, dir)
}

/// The only group.
#[derive(Clone)]
struct Group(System);

impl Context for Group {
    fn check_change(&self, _: &SetAttr) -> Result<(), Errno> {
        Err(EPERM)
    }
}

type E = Entry<Group>;

const ENTRIES: &[E] = &[
    Entry::fixed("cgroup.controllers", "cpuset cpu memory pids\n"),
    Entry::text("cgroup.events", events),
    Entry::fixed("cgroup.freeze", "0\n"),
    Entry::fixed("cgroup.max.depth", "0\n"),
    Entry::fixed("cgroup.max.descendants", "0\n"),
    Entry::text("cgroup.procs", processes),
    Entry::fixed("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n"),
    Entry::fixed("cgroup.subtree_control", "\n"),
    Entry::text("cgroup.threads", threads),
    Entry::fixed("cgroup.type", "domain\n"),
    Entry::fixed("cpu.idle", "0\n"),
    Entry::fixed("cpu.max", "max 100000\n"),
    Entry::fixed("cpu.max.burst", "0\n"),
    Entry::text("cpu.stat", cpu_stat),
    Entry::fixed("cpu.weight", "100\n"),
    Entry::fixed("cpu.weight.nice", "0\n"),
    Entry::fixed("cpuset.cpus", "\n"),
    Entry::text("cpuset.cpus.effective", cpus),
    Entry::fixed("cpuset.cpus.partition", "member\n"),
    Entry::fixed("cpuset.mems", "\n"),
    Entry::fixed("cpuset.mems.effective", "0\n"),
    Entry::text("memory.current", |group, _| {
        Ok(format!("{}\n", group.kernel()?.memory.used()).into_bytes())
    }),
    Entry::fixed(
        "memory.events",
        "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
    ),
    Entry::fixed("memory.high", "max\n"),
    Entry::fixed("memory.low", "0\n"),
    Entry::text("memory.max", |group, _| {
        Ok(format!("{}\n", Memory::total(&*group.kernel()?)).into_bytes())
    }),
    Entry::fixed("memory.min", "0\n"),
    Entry::fixed("memory.oom.group", "0\n"),
    Entry::text("memory.stat", memory_stat),
    Entry::fixed("memory.swap.current", "0\n"),
    Entry::fixed("memory.swap.max", "0\n"),
    Entry::text("pids.current", |group, _| {
        Ok(format!("{}\n", group.kernel()?.pids.task_count()).into_bytes())
    }),
    Entry::fixed("pids.max", "max\n"),
];

impl Group {
    fn kernel(&self) -> Result<Arc<Kernel>, Errno> {
        self.0.kernel()
    }
}

fn events(group: &Group, _: &Opener) -> Result<Vec<u8>, Errno> {
    let populated = u8::from(!group.kernel()?.pids.groups().is_empty());
    Ok(format!("populated {populated}\nfrozen 0\n").into_bytes())
}

fn processes(group: &Group, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    for process in group.kernel()?.pids.groups() {
        if !process.has_ended() {
            put!(text, "{}\n", process.pid);
        }
    }
    Ok(text.into_bytes())
}

fn threads(group: &Group, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    for process in group.kernel()?.pids.groups() {
        for thread in process.threads() {
            put!(text, "{}\n", thread.tid());
        }
    }
    Ok(text.into_bytes())
}

fn cpu_stat(group: &Group, _: &Opener) -> Result<Vec<u8>, Errno> {
    let usage = Census::take(&*group.kernel()?).usage;
    let mut text = String::new();
    let lines = [
        ("usage_usec", usage.total_ns() / 1000),
        ("user_usec", usage.user_ns / 1000),
        ("system_usec", usage.system_ns / 1000),
        ("nr_periods", 0),
        ("nr_throttled", 0),
        ("throttled_usec", 0),
    ];
    for (name, value) in lines {
        put!(text, "{name} {value}\n");
    }
    Ok(text.into_bytes())
}

fn cpus(group: &Group, _: &Opener) -> Result<Vec<u8>, Errno> {
    let set = all_cpus(group.kernel()?.cpus());
    Ok(format!("{}\n", list(set)).into_bytes())
}

fn memory_stat(group: &Group, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = group.kernel()?;
    let memory = Memory::of(&kernel);
    let files = memory.cached - memory.shared;
    let lines = [
        ("anon", memory.anonymous),
        ("file", memory.cached),
        ("kernel", 0),
        ("shmem", memory.shared),
        ("file_mapped", memory.mapped),
        ("file_dirty", 0),
        ("file_writeback", 0),
        ("inactive_anon", 0),
        ("active_anon", memory.anonymous + memory.shared),
        ("inactive_file", files),
        ("active_file", 0),
        ("unevictable", 0),
        ("slab", 0),
        ("pgfault", Census::take(&kernel).usage.faults),
        ("pgmajfault", 0),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        put!(text, "{name} {value}\n");
    }
    Ok(text.into_bytes())
}
