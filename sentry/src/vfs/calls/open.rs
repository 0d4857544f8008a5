//! open(2) and its kin.

use syscalls::abi::fs::{OPEN_HOW_SIZE_VER0, OpenFlags, OpenHow, ResolveFlags};
use syscalls::errno::{E2BIG, EINVAL};
use syscalls::{Errno, Fd, PAGE_SIZE, Run, SysResult, UserCStr, UserPtr, call};

use crate::fd::CloseOnExec;
use crate::task::Current;
use crate::vfs::open::Opening;
use crate::vfs::walk::Walking;

fn open(task: &Current, dirfd: Fd, path: UserCStr, open: &Opening) -> SysResult {
    let path = task.read_path(path)?;
    let reservation = task.reserve_fd()?;
    let file = task.open_at(dirfd, &path, open)?;
    let close = CloseOnExec::when(open.closes_on_exec());
    Ok(fd_result(reservation.fill(file, close)))
}

/// A new descriptor as a call's result.
pub(super) fn fd_result(fd: Fd) -> u64 {
    // Reserved numbers are never negative.
    u64::try_from(fd.0).unwrap_or_default()
}

/// The argument of openat2(2), of any size that a program of the past or future has.
fn read_how(task: &Current, how: UserPtr<OpenHow>, size: usize) -> Result<OpenHow, Errno> {
    if size < OPEN_HOW_SIZE_VER0 {
        return Err(EINVAL);
    }
    if size as u64 > PAGE_SIZE {
        return Err(E2BIG);
    }
    let mut rest = vec![0; size - OPEN_HOW_SIZE_VER0];
    task.mem()
        .read_bytes(how.addr().add(OPEN_HOW_SIZE_VER0 as u64)?, &mut rest)?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(E2BIG);
    }
    task.mem().read(how)
}

fn walking(resolve: ResolveFlags) -> Walking {
    let pairs = [
        (ResolveFlags::NO_XDEV, Walking::NO_XDEV),
        (ResolveFlags::NO_MAGICLINKS, Walking::NO_MAGICLINKS),
        (
            ResolveFlags::NO_SYMLINKS,
            Walking::NO_SYMLINKS.union(Walking::NO_MAGICLINKS),
        ),
        (ResolveFlags::BENEATH, Walking::BENEATH),
        (ResolveFlags::IN_ROOT, Walking::IN_ROOT),
        (ResolveFlags::CACHED, Walking::CACHED),
    ];
    pairs
        .into_iter()
        .filter(|(flag, _)| resolve.contains(*flag))
        .fold(Walking::empty(), |all, (_, how)| all | how)
}

impl Run<Current> for call::Open {
    fn run(self, task: &mut Current) -> SysResult {
        let opening = Opening::lenient(self.flags, self.mode)?;
        open(task, Fd::CWD, self.pathname, &opening)
    }
}

impl Run<Current> for call::Openat {
    fn run(self, task: &mut Current) -> SysResult {
        let opening = Opening::lenient(self.flags, self.mode)?;
        open(task, self.dirfd, self.pathname, &opening)
    }
}

impl Run<Current> for call::Creat {
    fn run(self, task: &mut Current) -> SysResult {
        let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
        let opening = Opening::lenient(flags, self.mode)?;
        open(task, Fd::CWD, self.pathname, &opening)
    }
}

impl Run<Current> for call::Openat2 {
    fn run(self, task: &mut Current) -> SysResult {
        let how = read_how(task, self.how, self.size)?;
        let flags = u32::try_from(how.flags)
            .ok()
            .and_then(OpenFlags::from_bits)
            .ok_or(EINVAL)?;
        let resolve = ResolveFlags::from_bits(how.resolve).ok_or(EINVAL)?;
        let opening = Opening::strict(flags, how.mode, walking(resolve))?;
        open(task, self.dirfd, self.pathname, &opening)
    }
}
