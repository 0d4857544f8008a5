//! Set-user-id and set-group-id bits go when a file's contents or owner change.

use syscalls::Errno;

use super::{FileKind, InodeRef, Mode, Owner, SetAttr};
use crate::task::{Capabilities, Credentials};

/// The mode that a write by `creds` leaves; `None` if it does not change.
pub(super) fn without(creds: &Credentials, inode: &InodeRef) -> Result<Option<Mode>, Errno> {
    if creds.has(Capabilities::FSETID) || inode.kind() != FileKind::Regular {
        return Ok(None);
    }
    let owner = inode.owner()?;
    if creds.has_over(owner.uid, owner.gid, Capabilities::FSETID) {
        return Ok(None);
    }
    Ok(stripped(creds, &owner))
}

/// The mode without the bits that privileges come from; `None` if it has none.
pub(super) fn stripped(creds: &Credentials, owner: &Owner) -> Option<Mode> {
    let (mode, gid) = (owner.mode, owner.gid);
    let mut gone = mode & Mode::SETUID;
    if mode.contains(Mode::SETGID) {
        // Without group execution the bit once meant mandatory locking.
        let outsider =
            !creds.in_group(gid) && !creds.has_over(owner.uid, gid, Capabilities::FSETID);
        if mode.contains(Mode::GROUP_EXEC) || outsider {
            gone |= Mode::SETGID;
        }
    }
    (!gone.is_empty()).then_some(mode - gone)
}

/// Before data is written through an open file.
pub(super) fn before_write(creds: &Credentials, inode: &InodeRef) -> Result<(), Errno> {
    match without(creds, inode)? {
        Some(mode) => inode.set_attr(&SetAttr {
            mode: Some(mode),
            ..SetAttr::default()
        }),
        None => Ok(()),
    }
}
