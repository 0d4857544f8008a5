//! What is about the sandbox as a whole.

use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EACCES, EIO, ENOENT, EPERM, ESRCH};

use super::census::Census;
use super::{cpu, devices, memory, sys, sysvipc};
use crate::fs::cgroup::CONTROLLERS;
use crate::fs::synth::{Context, Entry, Opener, Refusal, Site, TableDir, put};
use crate::kernel::Kernel;
use crate::system::{RELEASE, SYSNAME, VERSION};
use crate::task::{Current, Pid, PidNamespace};
use crate::time::now_monotonic;
use crate::vfs::fs_types::FS_TYPES;
use crate::vfs::{FileKind, InodeRef, LinkTarget, SetAttr};

/// The sandbox.
#[derive(Clone)]
pub(in crate::fs) struct System {
    kernel: Weak<Kernel>,
    /// Whose processes are shown.
    pids: Arc<PidNamespace>,
    refusal: Refusal,
}

impl System {
    pub(in crate::fs) fn new(kernel: &Arc<Kernel>, pids: &Arc<PidNamespace>) -> Self {
        System {
            kernel: Arc::downgrade(kernel),
            pids: pids.clone(),
            refusal: Refusal::Write(EIO),
        }
    }

    pub(in crate::fs) fn kernel(&self) -> Result<Arc<Kernel>, Errno> {
        self.kernel.upgrade().ok_or(ESRCH)
    }

    /// Whose processes are shown.
    pub(super) fn pids(&self) -> &Arc<PidNamespace> {
        &self.pids
    }
}

impl Context for System {
    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() {
            Err(EPERM)
        } else {
            Ok(())
        }
    }

    fn refusal(&self) -> Refusal {
        self.refusal
    }
}

/// What is in the root, apart from processes.
pub(super) const ENTRIES: &[Entry<System>] = &[
    Entry::text("cgroups", cgroups),
    Entry::fixed("cmdline", "\n"),
    Entry::fixed("consoles", ""),
    Entry::text("cpuinfo", cpu::info),
    Entry::fixed("devices", devices::NUMBERS),
    Entry::fixed("diskstats", ""),
    Entry::fixed("execdomains", "0-0\tLinux           \t[kernel]\n"),
    Entry::text("filesystems", filesystems),
    Entry::text("interrupts", devices::interrupts),
    Entry::text("loadavg", loadavg),
    Entry::text("meminfo", memory::info),
    Entry::fixed("misc", ""),
    Entry::fixed("modules", ""),
    Entry::link("mounts", "self/mounts"),
    Entry::link("net", "self/net"),
    Entry::fixed("partitions", "major minor  #blocks  name\n\n"),
    Entry::magic("self", own_process),
    Entry::text("softirqs", devices::softirqs),
    Entry::text("stat", cpu::stat),
    Entry::fixed(
        "swaps",
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    ),
    Entry::made("sys", FileKind::Directory, settings).numbers(1 << 10),
    Entry::dir("sysvipc", sysvipc::ENTRIES),
    Entry::magic("thread-self", own_thread),
    Entry::dir("tty", devices::TTY),
    Entry::text("uptime", uptime),
    Entry::text("version", version),
    Entry::text("vmstat", memory::vmstat),
];

/// What cannot be written there cannot be opened for writing either.
fn settings(site: &Site<'_, System>) -> InodeRef {
    let system = System {
        refusal: Refusal::Open(EACCES),
        ..site.context.clone()
    };
    let dir = TableDir::new(system, sys::ENTRIES, site.ino);
    site.put(FileKind::Directory, dir)
}

/// The asker's numbers here, process and thread; `ENOENT` for one that is not shown.
fn own_numbers(system: &System, task: &Current) -> Result<(Pid, Pid), Errno> {
    let pid = task.group.numbers.seen_from(&system.pids);
    let tid = task.numbers().seen_from(&system.pids);
    if pid == 0 {
        Err(ENOENT)
    } else {
        Ok((pid, tid))
    }
}

fn own_process(system: &System, task: &Current) -> Result<LinkTarget, Errno> {
    let (pid, _) = own_numbers(system, task)?;
    Ok(LinkTarget::Text(pid.to_string().into_bytes()))
}

fn own_thread(system: &System, task: &Current) -> Result<LinkTarget, Errno> {
    let (pid, tid) = own_numbers(system, task)?;
    Ok(LinkTarget::Text(format!("{pid}/task/{tid}").into_bytes()))
}

/// The controllers; all are in the hierarchy of version 2.
fn cgroups(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n".to_owned();
    let groups = 1 + system.kernel()?.cgroup.descendants();
    for name in CONTROLLERS {
        put!(text, "{name}\t0\t{groups}\t1\n");
    }
    Ok(text.into_bytes())
}

fn filesystems(_: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    for fs_type in FS_TYPES {
        put!(text, "nodev\t{}\n", fs_type.name);
    }
    Ok(text.into_bytes())
}

fn loadavg(system: &System, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = system.kernel()?;
    let census = Census::take(&kernel);
    let [one, five, fifteen] = census.load(&kernel);
    let last = last_number(system, opener)?;
    let (running, threads) = (census.running, census.threads);
    let text = format!("{one:.2} {five:.2} {fifteen:.2} {running}/{threads} {last}\n");
    Ok(text.into_bytes())
}

/// The number that the opener's PID name space gave last.
pub(super) fn last_number(system: &System, opener: &Opener) -> Result<Pid, Errno> {
    Ok(match opener.task.upgrade() {
        Some(task) => task.pid_namespace().last(),
        None => system.kernel()?.pids.last(),
    })
}

/// Hundredths of a second.
const NS_PER_HUNDREDTH: u64 = 10_000_000;

fn uptime(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = system.kernel()?;
    let up = now_monotonic();
    let idle = cpu::idle(&kernel, &Census::take(&kernel));
    let seconds = |ns: u64| {
        let hundredths = ns / NS_PER_HUNDREDTH;
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    Ok(format!("{} {}\n", seconds(up), seconds(idle)).into_bytes())
}

fn version(_: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let text = format!("{SYSNAME} version {RELEASE} (runsk@runsk) (rustc) {VERSION}\n");
    Ok(text.into_bytes())
}
