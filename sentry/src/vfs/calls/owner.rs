//! chmod(2), chown(2).

use syscalls::abi::fs::PathFlags;
use syscalls::errno::EINVAL;
use syscalls::{Errno, Fd, Run, SysResult, UserCStr, call};

use crate::namespace::Ids;
use crate::task::Current;
use crate::vfs::attributes::{change_mode, change_owner};
use crate::vfs::walk::Walking;
use crate::vfs::{Location, Mode};

/// How the flags of the *at calls walk.
pub(super) fn walking(flags: PathFlags) -> Walking {
    let mut how = Walking::empty();
    if !flags.contains(PathFlags::SYMLINK_NOFOLLOW) {
        how |= Walking::FOLLOW;
    }
    if flags.contains(PathFlags::EMPTY_PATH) {
        how |= Walking::EMPTY;
    }
    how
}

fn locate(task: &Current, dirfd: Fd, path: UserCStr, flags: PathFlags) -> Result<Location, Errno> {
    let path = task.read_path(path)?;
    task.walk_at(dirfd, &path, walking(flags))
}

fn chmod(task: &Current, at: &Location, mode: u32) -> SysResult {
    change_mode(&task.creds.get(), at, Mode::from_raw(mode))?;
    Ok(0)
}

fn chown(task: &Current, at: &Location, uid: u32, gid: u32) -> SysResult {
    let creds = task.creds.get();
    let given = |ids: Ids, id: u32| match id {
        u32::MAX => Ok(None),
        id => creds.user.kernel_id(ids, id).map(Some).ok_or(EINVAL),
    };
    let (uid, gid) = (given(Ids::Users, uid)?, given(Ids::Groups, gid)?);
    change_owner(&creds, at, uid, gid)?;
    Ok(0)
}

impl Run<Current> for call::Chmod {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, Fd::CWD, self.pathname, PathFlags::empty())?;
        chmod(task, &at, self.mode)
    }
}

impl Run<Current> for call::Fchmod {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        chmod(task, &file.location, self.mode)
    }
}

impl Run<Current> for call::Fchmodat {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, self.dirfd, self.pathname, PathFlags::empty())?;
        chmod(task, &at, self.mode)
    }
}

impl Run<Current> for call::Fchmodat2 {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, self.dirfd, self.pathname, self.flags)?;
        chmod(task, &at, self.mode)
    }
}

impl Run<Current> for call::Chown {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, Fd::CWD, self.pathname, PathFlags::empty())?;
        chown(task, &at, self.owner, self.group)
    }
}

impl Run<Current> for call::Lchown {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, Fd::CWD, self.pathname, PathFlags::SYMLINK_NOFOLLOW)?;
        chown(task, &at, self.owner, self.group)
    }
}

impl Run<Current> for call::Fchown {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        chown(task, &file.location, self.owner, self.group)
    }
}

impl Run<Current> for call::Fchownat {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, self.dirfd, self.pathname, self.flags)?;
        chown(task, &at, self.owner, self.group)
    }
}
