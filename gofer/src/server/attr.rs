//! Attributes: getattr, setattr, statfs, readlink.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, StatxFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid,
    chmodat, chownat, fstatfs, ftruncate, makedev, readlinkat_raw, statx, utimensat,
};
use syscalls::Errno;
use syscalls::errno::{EINVAL, EISDIR, ENAMETOOLONG};

use super::Files;
use super::dispatch::Serve;
use super::node::Node;
use crate::host::HostResult;
use crate::wire::request::{self, Nothing, valid};
use crate::{Attr, FileType, StatFs, Time};

/// Attributes of what `fd` is open on.
pub(super) fn attributes(fd: impl AsFd) -> Result<Attr, Errno> {
    named_attributes(fd, c"", AtFlags::EMPTY_PATH)
}

/// Attributes of `name` in `dir`, of the link itself if it is a symbolic one.
pub(super) fn named_attributes(
    dir: impl AsFd,
    name: &std::ffi::CStr,
    flags: AtFlags,
) -> Result<Attr, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let flags = flags | AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let s = statx(dir, name, flags, wanted).host()?;
    let time = |t: rustix::fs::StatxTimestamp| Time {
        sec: t.tv_sec,
        nsec: i64::from(t.tv_nsec),
    };
    Ok(Attr {
        dev: makedev(s.stx_dev_major, s.stx_dev_minor),
        ino: s.stx_ino,
        mode: u32::from(s.stx_mode),
        nlink: s.stx_nlink,
        uid: s.stx_uid,
        gid: s.stx_gid,
        rdev: makedev(s.stx_rdev_major, s.stx_rdev_minor),
        size: s.stx_size,
        blocks: s.stx_blocks,
        blksize: u64::from(s.stx_blksize),
        atime: time(s.stx_atime),
        mtime: time(s.stx_mtime),
        ctime: time(s.stx_ctime),
        btime: time(s.stx_btime),
    })
}

/// Changes the mode; `O_PATH` descriptors have no fchmod(2).
pub(super) fn change_mode(node: &Node, mode: u32) -> Result<(), Errno> {
    if mode & !0o7777 != 0 {
        return Err(EINVAL);
    }
    let mode = Mode::from_bits_truncate(mode);
    chmodat(CWD, node.proc_path(), mode, AtFlags::empty()).host()
}

/// Changes owners, those that are given.
pub(super) fn change_owner(node: &Node, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
    // The id -1 would mean to leave it.
    if uid == Some(u32::MAX) || gid == Some(u32::MAX) {
        return Err(EINVAL);
    }
    let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
    chownat(node.path(), c"", uid, gid, AtFlags::EMPTY_PATH).host()
}

fn change_size(files: &Files, node: &Node, size: u64) -> Result<(), Errno> {
    match node.file_type {
        FileType::Regular => {}
        FileType::Directory => return Err(EISDIR),
        _ => return Err(EINVAL),
    }
    match node.writer() {
        Ok(file) => ftruncate(&*file, size).host(),
        Err(_) => {
            let file = files.with_room(|| node.open_as(OFlags::WRONLY))?;
            ftruncate(file, size).host()
        }
    }
}

fn change_times(node: &Node, change: &request::SetAttr) -> Result<(), Errno> {
    let one = |time: Time, set: u32, now: u32| -> Result<Timespec, Errno> {
        let (tv_sec, tv_nsec) = match (change.valid & set != 0, change.valid & now != 0) {
            (false, false) => (0, UTIME_OMIT),
            (false, true) => (0, UTIME_NOW),
            (true, false) if (0..1_000_000_000).contains(&time.nsec) => (time.sec, time.nsec),
            (true, _) => return Err(EINVAL),
        };
        Ok(Timespec { tv_sec, tv_nsec })
    };
    let times = Timestamps {
        last_access: one(change.atime, valid::ATIME, valid::ATIME_NOW)?,
        last_modification: one(change.mtime, valid::MTIME, valid::MTIME_NOW)?,
    };
    utimensat(node.path(), c"", &times, AtFlags::EMPTY_PATH).host()
}

impl Serve for request::GetAttr {
    fn serve(self, files: &Files, _: &[u8], _: &mut Vec<u8>) -> Result<Attr, Errno> {
        attributes(files.node(self.handle)?.path())
    }
}

impl Serve for request::SetAttr {
    fn serve(self, files: &Files, _: &[u8], _: &mut Vec<u8>) -> Result<Attr, Errno> {
        let node = files.writable(self.handle)?;
        let given = |bit: u32| self.valid & bit != 0;
        if self.valid & !valid::ALL != 0 {
            return Err(EINVAL);
        }
        if given(valid::SIZE) {
            change_size(files, &node, self.size)?;
        }
        if given(valid::UID | valid::GID) {
            let uid = given(valid::UID).then_some(self.uid);
            let gid = given(valid::GID).then_some(self.gid);
            change_owner(&node, uid, gid)?;
        }
        if given(valid::MODE) {
            change_mode(&node, self.mode)?;
        }
        let times = valid::ATIME | valid::ATIME_NOW | valid::MTIME | valid::MTIME_NOW;
        if given(times) {
            change_times(&node, &self)?;
        }
        attributes(node.path())
    }
}

impl Serve for request::StatFsOf {
    fn serve(self, files: &Files, _: &[u8], _: &mut Vec<u8>) -> Result<StatFs, Errno> {
        let node = files.node(self.handle)?;
        let s = fstatfs(node.path()).host()?;
        // Never negative, whatever the types say.
        let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
        Ok(StatFs {
            fs_type: unsigned(s.f_type),
            bsize: unsigned(s.f_bsize),
            frsize: unsigned(s.f_frsize),
            blocks: s.f_blocks,
            bfree: s.f_bfree,
            bavail: s.f_bavail,
            files: s.f_files,
            ffree: s.f_ffree,
            namelen: unsigned(s.f_namelen),
            flags: unsigned(s.f_flags),
        })
    }
}

impl Serve for request::Readlink {
    fn serve(self, files: &Files, _: &[u8], out: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let node = files.node(self.handle)?;
        if node.file_type != FileType::Symlink {
            return Err(EINVAL);
        }
        let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
        let (target, rest) = readlinkat_raw(node.path(), c"", &mut buffer).host()?;
        if rest.is_empty() {
            return Err(ENAMETOOLONG.why("target longer than any path"));
        }
        out.extend_from_slice(target);
        Ok(Nothing {})
    }
}
