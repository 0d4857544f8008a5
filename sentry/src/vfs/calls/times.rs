//! utimensat(2) and its elders.

use syscalls::abi::fs::{PathFlags, UTIME_NOW, UTIME_OMIT};
use syscalls::abi::time::{Timespec, Timeval};
use syscalls::errno::{EFAULT, EINVAL};
use syscalls::{Errno, Fd, Run, SysResult, UserCStr, UserPtr, call};

use super::owner::walking;
use crate::task::Current;
use crate::vfs::Location;
use crate::vfs::attributes::{NewTime, change_times};
use crate::vfs::walk::Walking;

const NS: i128 = 1_000_000_000;

fn from_timespec(time: Timespec) -> Result<NewTime, Errno> {
    match time.nsec {
        UTIME_NOW => Ok(NewTime::Now),
        UTIME_OMIT => Ok(NewTime::Keep),
        nsec @ 0..=999_999_999 => Ok(NewTime::At(i128::from(time.sec) * NS + i128::from(nsec))),
        _ => Err(EINVAL),
    }
}

fn from_timeval(time: Timeval) -> Result<NewTime, Errno> {
    match time.usec {
        usec @ 0..=999_999 => {
            let ns = i128::from(time.sec) * NS + i128::from(usec) * 1000;
            Ok(NewTime::At(ns))
        }
        _ => Err(EINVAL),
    }
}

fn set(task: &Current, at: &Location, [atime, mtime]: [NewTime; 2]) -> SysResult {
    change_times(&task.creds.get(), at, atime, mtime)?;
    Ok(0)
}

fn timevals(task: &Current, times: UserPtr<[Timeval; 2]>) -> Result<[NewTime; 2], Errno> {
    let Some(times) = times.non_null() else {
        return Ok([NewTime::Now; 2]);
    };
    let [atime, mtime] = task.mem().read(times)?;
    Ok([from_timeval(atime)?, from_timeval(mtime)?])
}

fn walk(task: &Current, dirfd: Fd, path: UserCStr) -> Result<Location, Errno> {
    let path = task.read_path(path)?;
    task.walk_at(dirfd, &path, Walking::FOLLOW)
}

impl Run<Current> for call::Utimensat {
    fn run(self, task: &mut Current) -> SysResult {
        let times = match self.times.non_null() {
            None => [NewTime::Now; 2],
            Some(times) => {
                let [atime, mtime] = task.mem().read(times)?;
                if (atime.nsec, mtime.nsec) == (UTIME_OMIT, UTIME_OMIT) {
                    return Ok(0);
                }
                [from_timespec(atime)?, from_timespec(mtime)?]
            }
        };
        // The C library's futimens(3).
        if self.pathname.0.is_null() && self.dirfd != Fd::CWD {
            if self.flags != PathFlags::empty() {
                return Err(EINVAL.into());
            }
            let file = task.file(self.dirfd)?;
            return set(task, &file.location, times);
        }
        let path = task.read_path(self.pathname)?;
        let at = task.walk_at(self.dirfd, &path, walking(self.flags))?;
        set(task, &at, times)
    }
}

impl Run<Current> for call::Futimesat {
    fn run(self, task: &mut Current) -> SysResult {
        let times = timevals(task, self.times)?;
        if self.pathname.0.is_null() {
            if self.dirfd == Fd::CWD {
                return Err(EFAULT.into());
            }
            let file = task.file(self.dirfd)?;
            return set(task, &file.location, times);
        }
        let at = walk(task, self.dirfd, self.pathname)?;
        set(task, &at, times)
    }
}

impl Run<Current> for call::Utimes {
    fn run(self, task: &mut Current) -> SysResult {
        let times = timevals(task, self.times)?;
        let at = walk(task, Fd::CWD, self.filename)?;
        set(task, &at, times)
    }
}

impl Run<Current> for call::Utime {
    fn run(self, task: &mut Current) -> SysResult {
        let times = match self.times.non_null() {
            None => [NewTime::Now; 2],
            Some(times) => {
                let times = task.mem().read(times)?;
                [times.actime, times.modtime].map(|sec| NewTime::At(i128::from(sec) * NS))
            }
        };
        let at = walk(task, Fd::CWD, self.filename)?;
        set(task, &at, times)
    }
}
