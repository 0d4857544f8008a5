//! mount(2), umount2(2), pivot_root(2).

use std::sync::Arc;

use syscalls::abi::fs::{MS_MGC_MSK, MS_MGC_VAL, MountFlags as MountCall, UmountFlags};
use syscalls::errno::{EAGAIN, EINVAL, ENOTDIR, EPERM};
use syscalls::{Errno, PAGE_SIZE, Run, SysResult, UserCStr, call};

use crate::config::Propagation;
use crate::task::{Capabilities, Current};
use crate::vfs::fs_types::{MountRequest, instantiate_as};
use crate::vfs::mounting::Depth;
use crate::vfs::walk::Walking;
use crate::vfs::{Dentry, Location, MountFlags, MountNamespace};

/// The flags that stay with a mount.
fn mount_flags(flags: MountCall) -> MountFlags {
    let kept = [
        (MountCall::RDONLY, MountFlags::READ_ONLY),
        (MountCall::NOSUID, MountFlags::NOSUID),
        (MountCall::NODEV, MountFlags::NODEV),
        (MountCall::NOEXEC, MountFlags::NOEXEC),
        (MountCall::NOSYMFOLLOW, MountFlags::NOSYMFOLLOW),
        (MountCall::NOATIME, MountFlags::NOATIME),
        (MountCall::NODIRATIME, MountFlags::NODIRATIME),
    ];
    let mut all = kept
        .into_iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .fold(MountFlags::empty(), |all, (_, flag)| all | flag);
    // As Linux: relatime unless something else is said.
    if !flags.intersects(MountCall::NOATIME | MountCall::STRICTATIME) {
        all |= MountFlags::RELATIME;
    }
    all
}

pub(super) fn namespace(task: &Current) -> Arc<MountNamespace> {
    task.fs.with(|fs| fs.mounts.get())
}

pub(super) fn privileged(task: &Current) -> Result<(), Errno> {
    let owner = &namespace(task).user;
    if task.creds.get().has_in(owner, Capabilities::SYS_ADMIN) {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// A string argument that may be NULL.
fn text(task: &Current, at: UserCStr) -> Result<String, Errno> {
    if at.0.is_null() {
        return Ok(String::new());
    }
    let max = usize::try_from(PAGE_SIZE).map_err(|_| EINVAL)?;
    let bytes = task.mem().read_cstr(at, max, EINVAL)?;
    String::from_utf8(bytes).map_err(|_| EINVAL)
}

/// How mounts on a mount are to propagate; `EINVAL` unless one is named.
pub(super) fn propagation(flags: MountCall) -> Result<Propagation, Errno> {
    match flags {
        MountCall::SHARED => Ok(Propagation::Shared),
        MountCall::SLAVE => Ok(Propagation::Slave),
        MountCall::PRIVATE => Ok(Propagation::Private),
        MountCall::UNBINDABLE => Ok(Propagation::Unbindable),
        _ => Err(EINVAL),
    }
}

fn check_mounted(at: &Location) -> Result<(), Errno> {
    if at.is_mount_root() {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

fn mount(task: &Current, call: &call::Mount) -> Result<(), Errno> {
    let mut flags = call.mountflags;
    if flags.bits() & MS_MGC_MSK == MS_MGC_VAL {
        flags = MountCall::from_bits_retain(flags.bits() & !MS_MGC_MSK);
    }
    let kind = text(task, call.filesystemtype)?;
    let data = text(task, call.data)?;
    let source = text(task, call.source)?;
    let target = task.read_path(call.target)?;
    let at = task.walk(&target, Walking::FOLLOW)?;
    privileged(task)?;
    let propagation =
        MountCall::SHARED | MountCall::PRIVATE | MountCall::SLAVE | MountCall::UNBINDABLE;
    let depth = if flags.contains(MountCall::REC) {
        Depth::All
    } else {
        Depth::One
    };
    let from = || task.walk(source.as_bytes(), Walking::FOLLOW);
    if flags.contains(MountCall::REMOUNT) {
        check_mounted(&at)?;
        let mut new = mount_flags(flags);
        let times = MountCall::NOATIME
            | MountCall::NODIRATIME
            | MountCall::RELATIME
            | MountCall::STRICTATIME;
        if !flags.intersects(times) {
            let kept = MountFlags::NOATIME | MountFlags::NODIRATIME | MountFlags::RELATIME;
            new = (new - kept) | (at.mount.flags() & kept);
        }
        let owner = at.mount.super_block.user();
        let whole = !flags.contains(MountCall::BIND);
        if !at.mount.allows(new)
            || (whole && !task.creds.get().has_in(&owner, Capabilities::SYS_ADMIN))
        {
            return Err(EPERM);
        }
        at.mount.set_flags(new);
        Ok(())
    } else if flags.contains(MountCall::BIND) {
        if source.is_empty() {
            return Err(EINVAL);
        }
        namespace(task).bind(&from()?, &at, depth)
    } else if flags.intersects(propagation) {
        // One kind; and MS_SILENT says nothing.
        let to = self::propagation(flags - (MountCall::REC | MountCall::SILENT))?;
        namespace(task).set_propagation(&at, to, depth)
    } else if flags.contains(MountCall::MOVE) {
        namespace(task).move_mount(&from()?, &at)
    } else {
        let request = MountRequest {
            kernel: &task.kernel,
            ipc: &task.ipc.get(),
            pids: task.pid_namespace(),
            creds: &task.creds.get(),
            cgroups: &task.cgroups.get(),
            source: if source.is_empty() { "none" } else { &source },
            data: &data,
        };
        let creds = task.creds.get();
        let network = task.net.get();
        let root = Dentry::root(instantiate_as(&creds, &network, &kind, &request)?);
        namespace(task).mount_new(root, mount_flags(flags), &at)?;
        Ok(())
    }
}

impl Run<Current> for call::Mount {
    fn run(self, task: &mut Current) -> SysResult {
        mount(task, &self)?;
        Ok(0)
    }
}

impl Run<Current> for call::Umount2 {
    fn run(self, task: &mut Current) -> SysResult {
        let flags = self.flags;
        let other = UmountFlags::FORCE | UmountFlags::DETACH;
        if flags.contains(UmountFlags::EXPIRE) && flags.intersects(other) {
            return Err(EINVAL.into());
        }
        let path = task.read_path(self.target)?;
        let how = if flags.contains(UmountFlags::NOFOLLOW) {
            Walking::empty()
        } else {
            Walking::FOLLOW
        };
        let at = task.walk(&path, how)?;
        privileged(task)?;
        check_mounted(&at)?;
        if flags.contains(UmountFlags::EXPIRE) {
            // Always "used since the last time".
            return Err(EAGAIN.into());
        }
        let detach = flags.contains(UmountFlags::DETACH);
        let depth = if detach { Depth::All } else { Depth::One };
        // `at` is one reference.
        namespace(task).unmount(&at, depth, 1)?;
        Ok(0)
    }
}

impl Run<Current> for call::PivotRoot {
    fn run(self, task: &mut Current) -> SysResult {
        privileged(task)?;
        let how = Walking::FOLLOW | Walking::DIRECTORY;
        let new = task.walk(&task.read_path(self.new_root)?, how)?;
        let old = task.walk(&task.read_path(self.put_old)?, how)?;
        let root = task.root();
        if !root.dentry.is_dir() {
            return Err(ENOTDIR.into());
        }
        namespace(task).pivot(&root, &new, &old)?;
        // Everybody who stood at the old root stands at the new one.
        for group in task.kernel.pids.groups() {
            for thread in group.threads() {
                let fs = thread.fs.get();
                for slot in [&fs.root, &fs.cwd] {
                    if slot.with(|at| at.is_same(&root)) {
                        slot.set(new.clone());
                    }
                }
            }
        }
        Ok(0)
    }
}
