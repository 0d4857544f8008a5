//! Who may change which attribute of a file: chmod(2), chown(2), utimensat(2),
//! truncate(2).

use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL, EISDIR, EOPNOTSUPP, EPERM, EROFS};

use super::access::{Access, acts_as_owner, permit};
use super::notify::{self, Event};
use super::write_access::WriteAccess;
use super::{FileKind, Location, Mode, SetAttr, SetTime, seals, set_id};
use crate::task::{Capabilities, Credentials};

fn writable(at: &Location) -> Result<(), Errno> {
    if at.mount.is_writable() {
        Ok(())
    } else {
        Err(EROFS)
    }
}

fn set(at: &Location, set: &SetAttr, event: Event) -> Result<(), Errno> {
    at.inode().set_attr(set)?;
    notify::event(event, at);
    Ok(())
}

/// chmod(2).
pub(super) fn change_mode(creds: &Credentials, at: &Location, mode: Mode) -> Result<(), Errno> {
    writable(at)?;
    if at.inode().kind() == FileKind::Symlink {
        return Err(EOPNOTSUPP);
    }
    let owner = at.inode().owner()?;
    if !acts_as_owner(creds, owner.uid) {
        return Err(EPERM);
    }
    seals::check_mode(at.inode(), owner.mode, mode)?;
    let mut mode = mode;
    if !creds.in_group(owner.gid) && !creds.has_over(owner.uid, owner.gid, Capabilities::FSETID) {
        mode -= Mode::SETGID;
    }
    let change = SetAttr {
        mode: Some(mode),
        ..SetAttr::default()
    };
    set(at, &change, Event::Attrib)
}

/// chown(2); `None` leaves an id.
pub(super) fn change_owner(
    creds: &Credentials,
    at: &Location,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<(), Errno> {
    writable(at)?;
    let owner = at.inode().owner()?;
    let owns = creds.uid.fs == owner.uid;
    let privileged = creds.has_over(owner.uid, owner.gid, Capabilities::CHOWN);
    let uid_allowed = uid.is_none_or(|uid| privileged || (owns && uid == owner.uid));
    let gid_allowed =
        gid.is_none_or(|gid| privileged || (owns && (gid == owner.gid || creds.in_group(gid))));
    if !uid_allowed || !gid_allowed {
        return Err(EPERM);
    }
    let mode = match at.inode().kind() {
        FileKind::Directory | FileKind::Symlink => None,
        _ => set_id::stripped(creds, &owner),
    };
    if mode.is_some() && !acts_as_owner(creds, owner.uid) {
        return Err(EPERM);
    }
    let change = SetAttr {
        uid,
        gid,
        mode,
        ..SetAttr::default()
    };
    set(at, &change, Event::Attrib)
}

/// A time argument of utimensat(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewTime {
    /// UTIME_OMIT.
    Keep,
    /// UTIME_NOW, or no times at all.
    Now,
    /// This, nanoseconds since 1970.
    At(i128),
}

impl NewTime {
    fn set(self) -> Option<SetTime> {
        match self {
            NewTime::Keep => None,
            NewTime::Now => Some(SetTime::Now),
            NewTime::At(at) => Some(SetTime::To(at)),
        }
    }
}

/// utimensat(2): setting both to the present takes only the right to write.
pub(super) fn change_times(
    creds: &Credentials,
    at: &Location,
    atime: NewTime,
    mtime: NewTime,
) -> Result<(), Errno> {
    writable(at)?;
    let inode = at.inode();
    if !acts_as_owner(creds, inode.owner()?.uid) {
        let touch = (atime, mtime) == (NewTime::Now, NewTime::Now);
        if !touch {
            return Err(EPERM);
        }
        permit(creds, inode, Access::WRITE).map_err(|_| EACCES)?;
    }
    let change = SetAttr {
        atime: atime.set(),
        mtime: mtime.set(),
        ..SetAttr::default()
    };
    // As Linux tells them apart: a single time is set when the file is read or written.
    let event = match (atime, mtime) {
        (NewTime::Keep, NewTime::Keep) => return inode.set_attr(&change),
        (_, NewTime::Keep) => Event::Access,
        (NewTime::Keep, _) => Event::Modify,
        _ => Event::Attrib,
    };
    set(at, &change, event)
}

/// truncate(2); RLIMIT_FSIZE was looked at.
pub(super) fn truncate_path(creds: &Credentials, at: &Location, size: u64) -> Result<(), Errno> {
    match at.inode().kind() {
        FileKind::Regular => {}
        FileKind::Directory => return Err(EISDIR),
        _ => return Err(EINVAL),
    }
    writable(at)?;
    permit(creds, at.inode(), Access::WRITE)?;
    let _access = WriteAccess::take(at.inode())?;
    resize(creds, at, size)
}

/// Gives a regular file another size.
pub(super) fn resize(creds: &Credentials, at: &Location, size: u64) -> Result<(), Errno> {
    seals::check_resize(at.inode(), size)?;
    let change = SetAttr {
        size: Some(size),
        mode: set_id::without(creds, at.inode())?,
        ..SetAttr::default()
    };
    set(at, &change, Event::Modify)
}
