//! sysfs(5): what programs ask of processors, memory, disks (none) and the loopback
//! interface.

mod cpu;
mod kernel;
mod net;
mod node;

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EACCES, EPERM};

use super::proc::System;
use super::synth::{Context, Entry, Instance, Refusal, Synthetic, TableDir};
use crate::kernel::Kernel;
use crate::vfs::{Attr, FileKind, InodeRef, Mode, Owner, SetAttr, SuperBlock};

/// `f_type` of statfs(2).
const SYSFS_MAGIC: u64 = 0x6265_6572;
/// The root's inode number.
const ROOT: u64 = 1;
/// What Linux says that an attribute's file has, bytes.
const FILE_SIZE: u64 = 4096;

/// A new instance: its root directory. `source` is what /proc/mounts shows.
#[must_use]
pub fn new(kernel: &Arc<Kernel>, source: &str) -> InodeRef {
    super::processor::prepare();
    let instance = Instance {
        name: "sysfs",
        magic: SYSFS_MAGIC,
        lasting: true,
        options: String::new(),
    };
    let super_block = SuperBlock::new(Box::new(instance), source);
    let machine = Machine(System::new(kernel, kernel.pids.first()));
    let owner = Owner {
        uid: 0,
        gid: 0,
        mode: Mode::from_raw(0o555),
    };
    let dir = TableDir::new(machine, ENTRIES, ROOT);
    Synthetic::new(&super_block, ROOT, FileKind::Directory, owner, dir)
}

/// The machine as the sandbox sees it.
#[derive(Clone)]
struct Machine(System);

impl Machine {
    fn kernel(&self) -> Result<Arc<Kernel>, Errno> {
        self.0.kernel()
    }

    /// Number of processors.
    fn cpus(&self) -> u32 {
        self.kernel().map_or(1, |kernel| kernel.cpus())
    }
}

/// What a directory of sysfs is about.
trait Subject: Clone + Send + Sync + 'static {}

impl Subject for Machine {}

impl<T: Subject> Context for T {
    fn attr(&self, attr: &mut Attr) {
        if attr.kind == FileKind::Regular {
            attr.size = FILE_SIZE;
            attr.blksize = 4096;
        }
    }

    fn check_change(&self, _: &SetAttr) -> Result<(), Errno> {
        Err(EPERM)
    }

    fn refusal(&self) -> Refusal {
        Refusal::Open(EACCES)
    }
}

type E = Entry<Machine>;

/// A directory as sysfs has them.
const fn dir(name: &'static str, entries: &'static [E]) -> E {
    Entry::dir(name, entries).mode(0o755)
}

const ENTRIES: &[E] = &[
    dir("block", &[]),
    dir("bus", BUS),
    dir("class", CLASS),
    dir("dev", &[dir("block", &[]), dir("char", &[])]),
    dir("devices", DEVICES),
    dir("firmware", &[]),
    dir("fs", FS),
    dir("kernel", kernel::ENTRIES),
    dir("module", &[]),
    dir("power", &[]),
];

const BUS: &[E] = &[
    dir("clocksource", &[]),
    dir("cpu", &[]),
    dir("node", &[]),
    dir("pci", &[dir("devices", &[])]),
    dir("platform", &[]),
    dir("workqueue", &[]),
];

const CLASS: &[E] = &[
    dir("block", &[]),
    dir("mem", &[]),
    dir("misc", &[]),
    net::CLASS,
    dir("power_supply", &[]),
    dir("thermal", &[]),
    dir("tty", &[]),
];

const DEVICES: &[E] = &[
    dir("platform", &[]),
    dir("system", SYSTEM),
    dir("virtual", &[net::INTERFACES]),
];

const SYSTEM: &[E] = &[
    dir("clocksource", &[dir("clocksource0", CLOCK)]),
    cpu::DIRECTORY,
    node::DIRECTORY,
];

const CLOCK: &[E] = &[
    Entry::fixed("available_clocksource", "tsc \n"),
    Entry::fixed("current_clocksource", "tsc\n"),
];

/// Places where file systems are mounted.
const FS: &[E] = &[dir("bpf", &[]), dir("cgroup", &[]), dir("fuse", &[])];
