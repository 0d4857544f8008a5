//! proc(5).
//!
//! Everything is made when it is looked up, from constant tables: [`system`] is about the
//! whole sandbox, [`process`] about one process or thread. Inode numbers are
//! - below 2^22: the system's, in the order of the tables;
//! - `tid << 22 | n`: of a process (its number in the first name space, whatever the
//!   instance shows), with bit 44 below another one's `task` directory;
//!   what `n` stands for is [`process`]'s own.

mod census;
mod cpu;
mod devices;
mod load;
mod memory;
mod net;
mod process;
mod root;
mod sys;
mod system;
mod sysvipc;

use std::sync::Arc;

pub(in crate::fs) use self::census::Census;
use self::root::Root;
pub(in crate::fs) use self::system::System;
use super::synth::{Instance, Synthetic};
use crate::kernel::Kernel;
use crate::task::PidNamespace;
use crate::vfs::{FileKind, InodeRef, Mode, Owner, SuperBlock};

pub use load::Load;
pub(crate) use memory::Memory;
pub(crate) use process::{arguments, process_of};
pub use sys::{BootId, set as set_sysctl};

/// `f_type` of statfs(2).
const PROC_MAGIC: u64 = 0x9fa0;
/// The root's inode number.
const ROOT: u64 = 1;

/// A new instance, which shows the processes of `pids`: its root directory. `source` is
/// what /proc/mounts shows.
#[must_use]
pub fn new(kernel: &Arc<Kernel>, pids: &Arc<PidNamespace>, source: &str) -> InodeRef {
    super::processor::prepare();
    let instance = Instance {
        name: "proc",
        magic: PROC_MAGIC,
        lasting: false,
        options: String::new(),
    };
    let super_block = SuperBlock::new(Box::new(instance), source);
    let owner = Owner {
        uid: 0,
        gid: 0,
        mode: Mode::from_raw(0o555),
    };
    let root = Root::new(System::new(kernel, pids), ROOT);
    Synthetic::new(&super_block, ROOT, FileKind::Directory, owner, root)
}
