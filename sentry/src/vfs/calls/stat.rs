//! stat(2), statx(2).

use syscalls::abi::fs::{Stat, StatFlags, Statx, StatxAttributes, StatxMask, StatxTimestamp};
use syscalls::abi::time::Timespec;
use syscalls::errno::{EINVAL, EOVERFLOW};
use syscalls::{Errno, Fd, Run, SysResult, UserCStr, UserPtr, call};

use crate::namespace::UserNamespace;
use crate::task::Current;
use crate::vfs::walk::Walking;
use crate::vfs::{Attr, DeviceNumber, Location, Timestamp};

const NS: i128 = 1_000_000_000;

fn timespec(at: Timestamp) -> Timespec {
    Timespec {
        sec: i64::try_from(at.div_euclid(NS)).unwrap_or(i64::MAX),
        nsec: i64::try_from(at.rem_euclid(NS)).unwrap_or_default(),
    }
}

fn statx_time(at: Timestamp) -> StatxTimestamp {
    StatxTimestamp {
        sec: i64::try_from(at.div_euclid(NS)).unwrap_or(i64::MAX),
        nsec: u32::try_from(at.rem_euclid(NS)).unwrap_or_default(),
        reserved: 0,
    }
}

fn mode(attr: &Attr) -> u32 {
    attr.kind.bits() | u32::from(attr.mode.bits())
}

fn stat(attr: &Attr, user: &UserNamespace) -> Result<Stat, Errno> {
    let signed = |value: u64| i64::try_from(value).map_err(|_| EOVERFLOW);
    Ok(Stat {
        dev: attr.dev,
        ino: attr.ino,
        nlink: attr.nlink.into(),
        mode: mode(attr),
        uid: user.shown_uid(attr.uid),
        gid: user.shown_gid(attr.gid),
        rdev: attr.rdev.to_raw(),
        size: signed(attr.size)?,
        blksize: attr.blksize.into(),
        blocks: signed(attr.blocks)?,
        atime: timespec(attr.atime),
        mtime: timespec(attr.mtime),
        ctime: timespec(attr.ctime),
        ..Stat::default()
    })
}

fn statx(
    attr: &Attr,
    at: &Location,
    mask: StatxMask,
    user: &UserNamespace,
) -> Result<Statx, Errno> {
    let dev = DeviceNumber::from_raw(attr.dev);
    let mut given = StatxMask::BASIC_STATS | StatxMask::BTIME | StatxMask::MNT_ID;
    if mask.contains(StatxMask::MNT_ID_UNIQUE) {
        given = (given - StatxMask::MNT_ID) | StatxMask::MNT_ID_UNIQUE;
    }
    let mnt_id = match given.contains(StatxMask::MNT_ID_UNIQUE) {
        true => at.mount.unique_id(),
        false => at.mount.id,
    };
    let attributes = if at.is_mount_root() {
        StatxAttributes::MOUNT_ROOT
    } else {
        StatxAttributes::empty()
    };
    Ok(Statx {
        mask: given.bits(),
        blksize: attr.blksize,
        attributes: attributes.bits(),
        nlink: attr.nlink,
        uid: user.shown_uid(attr.uid),
        gid: user.shown_gid(attr.gid),
        mode: u16::try_from(mode(attr)).map_err(|_| EOVERFLOW)?,
        ino: attr.ino,
        size: attr.size,
        blocks: attr.blocks,
        attributes_mask: StatxAttributes::MOUNT_ROOT.bits(),
        atime: statx_time(attr.atime),
        btime: statx_time(attr.btime),
        ctime: statx_time(attr.ctime),
        mtime: statx_time(attr.mtime),
        rdev_major: attr.rdev.major,
        rdev_minor: attr.rdev.minor,
        dev_major: dev.major,
        dev_minor: dev.minor,
        mnt_id,
        ..Statx::default()
    })
}

fn walking(flags: StatFlags) -> Walking {
    let mut how = Walking::empty();
    if !flags.contains(StatFlags::SYMLINK_NOFOLLOW) {
        how |= Walking::FOLLOW;
    }
    if flags.contains(StatFlags::EMPTY_PATH) {
        how |= Walking::EMPTY;
    }
    how
}

/// Where the path of a stat call leads; NULL counts as empty with AT_EMPTY_PATH.
fn locate(task: &Current, dirfd: Fd, path: UserCStr, flags: StatFlags) -> Result<Location, Errno> {
    let empty = flags.contains(StatFlags::EMPTY_PATH);
    if empty && path.0.is_null() {
        return task.walk_at(dirfd, b"", walking(flags));
    }
    let path = task.read_path(path)?;
    task.walk_at(dirfd, &path, walking(flags))
}

fn answer(task: &Current, at: &Location, to: UserPtr<Stat>) -> SysResult {
    let user = task.creds.with(|creds| creds.user.clone());
    let stat = stat(&at.inode().attr()?, &user)?;
    task.mem().write(to, &stat)?;
    Ok(0)
}

impl Run<Current> for call::Stat {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, Fd::CWD, self.pathname, StatFlags::empty())?;
        answer(task, &at, self.statbuf)
    }
}

impl Run<Current> for call::Lstat {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, Fd::CWD, self.pathname, StatFlags::SYMLINK_NOFOLLOW)?;
        answer(task, &at, self.statbuf)
    }
}

impl Run<Current> for call::Fstat {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.any_file(self.fd)?;
        answer(task, &file.location, self.statbuf)
    }
}

impl Run<Current> for call::Newfstatat {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, self.dirfd, self.pathname, self.flags)?;
        answer(task, &at, self.statbuf)
    }
}

impl Run<Current> for call::Statx {
    fn run(self, task: &mut Current) -> SysResult {
        let sync = StatFlags::STATX_FORCE_SYNC | StatFlags::STATX_DONT_SYNC;
        if self.mask.contains(StatxMask::RESERVED) || self.flags.contains(sync) {
            return Err(EINVAL.into());
        }
        let at = locate(task, self.dirfd, self.pathname, self.flags)?;
        let user = task.creds.with(|creds| creds.user.clone());
        let statx = statx(&at.inode().attr()?, &at, self.mask, &user)?;
        task.mem().write(self.statxbuf, &statx)?;
        Ok(0)
    }
}
