//! Who may do what with a file, path_resolution(7) and capabilities(7).

use bitflags::bitflags;
use syscalls::Errno;
use syscalls::errno::{EACCES, EPERM};

use super::{FileKind, InodeRef, Mode, Owner};
use crate::task::{Capabilities, Credentials};

bitflags! {
    /// What is to be done with a file; the bits of access(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Access: u16 {
        /// Execute it, or search the directory.
        const EXEC = 1;
        /// Write it, or change the directory's entries.
        const WRITE = 2;
        /// Read it.
        const READ = 4;
    }
}

/// `EACCES` unless `creds` may do `want` with `inode`.
pub fn permit(creds: &Credentials, inode: &InodeRef, want: Access) -> Result<(), Errno> {
    let directory = inode.kind() == FileKind::Directory;
    if directory && creds.has(Capabilities::DAC_OVERRIDE) {
        return Ok(());
    }
    let owner = inode.owner()?;
    let has = |cap| creds.has_over(owner.uid, owner.gid, cap);
    if directory && has(Capabilities::DAC_OVERRIDE) {
        return Ok(());
    }
    if granted(creds, &owner).contains(want) {
        return Ok(());
    }
    let reads = if directory {
        !want.contains(Access::WRITE)
    } else {
        want == Access::READ
    };
    if reads && has(Capabilities::DAC_READ_SEARCH) {
        return Ok(());
    }
    // Nobody executes a file that has no execute bit at all.
    let executable = owner.mode.bits() & 0o111 != 0;
    if has(Capabilities::DAC_OVERRIDE) && (!want.contains(Access::EXEC) || executable) {
        return Ok(());
    }
    Err(EACCES)
}

/// What the mode bits alone give.
fn granted(creds: &Credentials, owner: &Owner) -> Access {
    let shift = if creds.uid.fs == owner.uid {
        6
    } else if creds.in_group(owner.gid) {
        3
    } else {
        0
    };
    Access::from_bits_truncate(owner.mode.bits() >> shift)
}

/// True if `creds` may act as the owner of a file of `uid`.
#[must_use]
pub fn acts_as_owner(creds: &Credentials, uid: u32) -> bool {
    let known = || creds.user.is_first() || creds.user.known_uid(uid).is_some();
    creds.uid.fs == uid || (creds.has_here(Capabilities::FOWNER) && known())
}

/// `EPERM` if the sticky bit of `dir` keeps `creds` from removing `child`.
pub(super) fn check_sticky(
    creds: &Credentials,
    dir: &InodeRef,
    child: &InodeRef,
) -> Result<(), Errno> {
    if creds.has(Capabilities::FOWNER) {
        return Ok(());
    }
    let dir = dir.owner()?;
    let free = !dir.mode.contains(Mode::STICKY) || dir.uid == creds.uid.fs;
    let child = child.owner()?;
    if free
        || child.uid == creds.uid.fs
        || creds.has_over(child.uid, child.gid, Capabilities::FOWNER)
    {
        Ok(())
    } else {
        Err(EPERM)
    }
}
