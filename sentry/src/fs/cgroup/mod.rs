//! Groups as files, cgroups(7), version 2, as a container sees them that has a cgroup name
//! space: the container's own group is the root.
//!
//! The root shows the container's limits, which cannot be changed from inside, and what it
//! uses. Directories made in it are groups; the kernel's side is [`crate::cgroup`].
//!
//! Differs from Linux: of the controllers, `pids` alone can be passed on to such groups.

mod core;
mod cpu;
mod dir;
mod memory;
mod pids;

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EACCES, EPERM};

use self::dir::GroupDir;
use super::proc::System;
use super::synth::{Context, Instance, Opener, Refusal};
use crate::cgroup::{Group, MAX};
use crate::kernel::Kernel;
use crate::vfs::{InodeRef, SetAttr, SuperBlock};

/// `f_type` of statfs(2).
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// The container's controllers.
pub(super) const CONTROLLERS: [&str; 4] = ["cpuset", "cpu", "memory", "pids"];

/// A new instance: its root directory, which shows the container's `group`. `source` is what
/// /proc/mounts shows.
#[must_use]
pub fn new(kernel: &Arc<Kernel>, group: &Arc<Group>, source: &str) -> InodeRef {
    let instance = Instance {
        name: "cgroup2",
        magic: CGROUP2_MAGIC,
        // Files come and go with controllers, directories with groups.
        lasting: false,
        options: String::new(),
    };
    let super_block = SuperBlock::new(Box::new(instance), source);
    let control = Control {
        system: System::new(kernel, kernel.pids.first()),
        group: group.clone(),
    };
    GroupDir::inode(control, &super_block)
}

/// The group whose directory this is.
pub(crate) fn group_of(inode: &InodeRef) -> Option<Arc<Group>> {
    GroupDir::group_of(inode)
}

/// A group that files are about.
#[derive(Clone)]
struct Control {
    system: System,
    group: Arc<Group>,
}

impl Context for Control {
    fn is_alive(&self) -> bool {
        self.group.is_alive()
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.system.check_change(set)
    }

    fn refusal(&self) -> Refusal {
        Refusal::Open(EACCES)
    }
}

impl Control {
    fn kernel(&self) -> Result<Arc<Kernel>, Errno> {
        self.system.kernel()
    }

    /// `EPERM` for the container's own group, whose limits are set from outside.
    fn check_own(&self) -> Result<(), Errno> {
        if self.group.is_container() {
            Err(EPERM)
        } else {
            Ok(())
        }
    }
}

/// For files of the container that show a limit.
fn refuse(_: &Control, _: &Opener, _: &[u8]) -> Result<(), Errno> {
    Err(EPERM)
}

/// A limit as files have it.
fn limit(value: u64) -> String {
    match value {
        MAX => "max\n".to_owned(),
        value => format!("{value}\n"),
    }
}
