//! access(2).

use std::sync::Arc;

use syscalls::abi::fs::{AccessFlags, AccessMode};
use syscalls::errno::{EACCES, EROFS};
use syscalls::{Fd, Run, SysResult, UserCStr, call};

use crate::task::{Capabilities, Credentials, Current, SecureBits};
use crate::vfs::walk::Walking;
use crate::vfs::{Access, FileKind, MountFlags, permit};

/// The credentials as a set-user-id program sees its caller's.
fn as_real(creds: &Credentials) -> Credentials {
    let mut real = creds.clone();
    real.uid.fs = creds.uid.real;
    real.gid.fs = creds.gid.real;
    if !creds.securebits.contains(SecureBits::NO_SETUID_FIXUP) {
        real.effective = if Some(creds.uid.real) == creds.root_uid() {
            creds.permitted
        } else {
            Capabilities::empty()
        };
    }
    real
}

fn access(
    task: &Current,
    dirfd: Fd,
    path: UserCStr,
    mode: AccessMode,
    flags: AccessFlags,
) -> SysResult {
    let path = task.read_path(path)?;
    let mut creds = task.creds.get();
    let same = creds.uid.real == creds.uid.fs && creds.gid.real == creds.gid.fs;
    let plain =
        same && Some(creds.uid.real) == creds.root_uid() && creds.effective == creds.permitted;
    if !flags.contains(AccessFlags::EACCESS) && !plain {
        creds = Arc::new(as_real(&creds));
    }
    let mut how = Walking::empty();
    if !flags.contains(AccessFlags::SYMLINK_NOFOLLOW) {
        how |= Walking::FOLLOW;
    }
    if flags.contains(AccessFlags::EMPTY_PATH) {
        how |= Walking::EMPTY;
    }
    let at = task.walk_as(&creds, dirfd, &path, how)?;
    let inode = at.inode();
    let want = Access::from_bits_truncate(u16::try_from(mode.bits()).unwrap_or_default());
    if want.is_empty() {
        return Ok(0);
    }
    let kind = inode.kind();
    let mount = at.mount.flags();
    if want.contains(Access::EXEC)
        && kind == FileKind::Regular
        && mount.contains(MountFlags::NOEXEC)
    {
        return Err(EACCES.into());
    }
    permit(&creds, inode, want)?;
    let stored = matches!(
        kind,
        FileKind::Regular | FileKind::Directory | FileKind::Symlink
    );
    if want.contains(Access::WRITE) && stored && !at.mount.is_writable() {
        return Err(EROFS.into());
    }
    Ok(0)
}

impl Run<Current> for call::Access {
    fn run(self, task: &mut Current) -> SysResult {
        access(
            task,
            Fd::CWD,
            self.pathname,
            self.mode,
            AccessFlags::empty(),
        )
    }
}

impl Run<Current> for call::Faccessat {
    fn run(self, task: &mut Current) -> SysResult {
        access(
            task,
            self.dirfd,
            self.pathname,
            self.mode,
            AccessFlags::empty(),
        )
    }
}

impl Run<Current> for call::Faccessat2 {
    fn run(self, task: &mut Current) -> SysResult {
        access(task, self.dirfd, self.pathname, self.mode, self.flags)
    }
}
