//! What is about the sandbox as a whole.

use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EPERM, ESRCH};

use super::census::Census;
use super::{cpu, devices, memory, sys, sysvipc};
use crate::fs::synth::{Context, Entry, Opener, put};
use crate::kernel::Kernel;
use crate::system::{RELEASE, SYSNAME, VERSION};
use crate::task::Current;
use crate::time::now_monotonic;
use crate::vfs::fs_types::FS_TYPES;
use crate::vfs::{LinkTarget, SetAttr};

/// The sandbox.
#[derive(Clone)]
pub(in crate::fs) struct System(Weak<Kernel>);

impl System {
    pub(in crate::fs) fn new(kernel: &Arc<Kernel>) -> Self {
        System(Arc::downgrade(kernel))
    }

    pub(in crate::fs) fn kernel(&self) -> Result<Arc<Kernel>, Errno> {
        self.0.upgrade().ok_or(ESRCH)
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
}

/// What is in the root, apart from processes.
pub(super) const ENTRIES: &[Entry<System>] = &[
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
    Entry::dir("sys", sys::ENTRIES),
    Entry::dir("sysvipc", sysvipc::ENTRIES),
    Entry::magic("thread-self", own_thread),
    Entry::dir("tty", devices::TTY),
    Entry::text("uptime", uptime),
    Entry::text("version", version),
    Entry::text("vmstat", memory::vmstat),
];

fn own_process(_: &System, task: &Current) -> Result<LinkTarget, Errno> {
    Ok(LinkTarget::Text(task.pid().to_string().into_bytes()))
}

fn own_thread(_: &System, task: &Current) -> Result<LinkTarget, Errno> {
    let text = format!("{}/task/{}", task.pid(), task.tid());
    Ok(LinkTarget::Text(text.into_bytes()))
}

fn filesystems(_: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    for fs_type in FS_TYPES {
        put!(text, "nodev\t{}\n", fs_type.name);
    }
    Ok(text.into_bytes())
}

fn loadavg(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = system.kernel()?;
    let census = Census::take(&kernel);
    let [one, five, fifteen] = census.load(&kernel);
    let (running, threads, last) = (census.running, census.threads, kernel.pids.last());
    let text = format!("{one:.2} {five:.2} {fifteen:.2} {running}/{threads} {last}\n");
    Ok(text.into_bytes())
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
