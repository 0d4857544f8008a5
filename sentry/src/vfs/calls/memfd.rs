//! memfd_create(2).

use std::sync::Arc;

use syscalls::abi::fs::{MemfdFlags, Seals};
use syscalls::errno::{EINVAL, ENOSYS};
use syscalls::{Errno, Run, SysResult, UserCStr, call};

use super::open::fd_result;
use crate::fd::CloseOnExec;
use crate::task::Current;
use crate::vfs::{Dentry, File, Location, Mode, OpenMode, Owner, seals};

/// The longest name, bytes: "memfd:" and it make a file name.
const NAME_MAX: usize = 249;

fn create(task: &Current, name: UserCStr, flags: MemfdFlags) -> Result<Arc<File>, Errno> {
    let huge = flags.contains(MemfdFlags::HUGETLB);
    if !huge && flags.intersects(MemfdFlags::HUGE_MASK) {
        return Err(EINVAL);
    }
    if flags.contains(MemfdFlags::EXEC | MemfdFlags::NOEXEC_SEAL) {
        return Err(EINVAL);
    }
    let name = task.mem().read_cstr(name, NAME_MAX + 1, EINVAL)?;
    if huge {
        return Err(ENOSYS.why("no huge pages"));
    }
    let creds = task.creds.get();
    let executable = !flags.contains(MemfdFlags::NOEXEC_SEAL);
    let owner = Owner {
        uid: creds.uid.fs,
        gid: creds.gid.fs,
        mode: Mode::from_raw(if executable { 0o777 } else { 0o666 }),
    };
    let mount = task
        .kernel
        .shared_memory_of(&task.kernel.cgroup_of(&task.group));
    let inode = mount.root.inode().create_unnamed(owner)?;
    seals::attach(&inode, initial_seals(flags));
    let mode = OpenMode::READ_WRITE | OpenMode::LARGEFILE;
    let ops = inode.clone().open(task, mode)?;
    let mut label = b"/memfd:".to_vec();
    label.extend_from_slice(&name);
    label.extend_from_slice(b" (deleted)");
    let location = Location {
        mount,
        dentry: Dentry::nameless(inode, label.into()),
    };
    Ok(File::new(location, ops, mode))
}

fn initial_seals(flags: MemfdFlags) -> Seals {
    if flags.contains(MemfdFlags::NOEXEC_SEAL) {
        Seals::EXEC
    } else if flags.contains(MemfdFlags::ALLOW_SEALING) {
        Seals::empty()
    } else {
        Seals::SEAL
    }
}

impl Run<Current> for call::MemfdCreate {
    fn run(self, task: &mut Current) -> SysResult {
        let file = create(task, self.name, self.flags)?;
        let close = CloseOnExec::when(self.flags.contains(MemfdFlags::CLOEXEC));
        Ok(fd_result(task.reserve_fd()?.fill(file, close)))
    }
}
