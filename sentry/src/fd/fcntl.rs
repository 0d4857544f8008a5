//! fcntl(2).

use std::sync::Arc;

use syscalls::abi::fs::{
    DN_MULTISHOT, F_ADD_SEALS, F_CREATED_QUERY, F_DUPFD, F_DUPFD_CLOEXEC, F_DUPFD_QUERY,
    F_GET_RW_HINT, F_GET_SEALS, F_GETFD, F_GETFL, F_GETLEASE, F_GETLK, F_GETOWN, F_GETOWN_EX,
    F_GETPIPE_SZ, F_GETSIG, F_NOTIFY, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_OWNER_PGRP,
    F_OWNER_PID, F_OWNER_TID, F_RDLCK, F_SET_RW_HINT, F_SETFD, F_SETFL, F_SETLEASE, F_SETLK,
    F_SETLKW, F_SETOWN, F_SETOWN_EX, F_SETPIPE_SZ, F_SETSIG, F_UNLCK, F_WRLCK, FD_CLOEXEC,
};
use syscalls::errno::{EBADF, EINVAL, EPERM, ESRCH};
use syscalls::{Arg, Errno, Fd, Run, SysResult, UserAddr, call};

use super::calls::result;
use super::lock_calls::{self, Family};
use super::{CloseOnExec, FdEntry};
use crate::pipe::PipeEnd;
use crate::signal::Signal;
use crate::task::{Capabilities, Current};
use crate::vfs::access::acts_as_owner;
use crate::vfs::locks::{LockKind, Patience, lease};
use crate::vfs::{File, OpenMode, SignalOwner, seals, write_hint};

/// The largest pipe that anybody may ask for, bytes: /proc/sys/fs/pipe-max-size.
const PIPE_MAX: usize = 1 << 20;

/// What an O_PATH descriptor knows.
const PATH_COMMANDS: [u32; 6] = [
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_DUPFD_QUERY,
    F_GETFD,
    F_SETFD,
    F_GETFL,
];

impl Run<Current> for call::Fcntl {
    fn run(self, task: &mut Current) -> SysResult {
        let entry = task.fds.get().entry(self.fd)?;
        let path_only = entry.file.mode().contains(OpenMode::PATH);
        if path_only && !PATH_COMMANDS.contains(&self.cmd) {
            return Err(EBADF.into());
        }
        let file = &entry.file;
        let at = UserAddr::new(self.arg).cast();
        match self.cmd {
            F_GETLK => Ok(lock_calls::get(task, file, Family::Posix, at)?),
            F_SETLK => lock_calls::set(task, self.fd, file, Family::Posix, at, Patience::Try),
            F_SETLKW => lock_calls::set(task, self.fd, file, Family::Posix, at, Patience::Wait),
            F_OFD_GETLK => Ok(lock_calls::get(task, file, Family::Ofd, at)?),
            F_OFD_SETLK => lock_calls::set(task, self.fd, file, Family::Ofd, at, Patience::Try),
            F_OFD_SETLKW => lock_calls::set(task, self.fd, file, Family::Ofd, at, Patience::Wait),
            _ => Ok(simple(task, self.fd, &entry, self.cmd, self.arg)?),
        }
    }
}

/// The commands that do not wait.
fn simple(task: &Current, fd: Fd, entry: &FdEntry, command: u32, arg: u64) -> Result<u64, Errno> {
    let file = &entry.file;
    match command {
        F_DUPFD => duplicate(task, file, arg, CloseOnExec::No),
        F_DUPFD_CLOEXEC => duplicate(task, file, arg, CloseOnExec::Yes),
        F_DUPFD_QUERY => {
            let other = task.any_file(Fd::decode(arg)?)?;
            Ok(u64::from(Arc::ptr_eq(&other, file)))
        }
        F_GETFD => Ok(if entry.close_on_exec { FD_CLOEXEC } else { 0 }),
        F_SETFD => {
            let close = CloseOnExec::when(arg & FD_CLOEXEC != 0);
            task.fds.get().set_close_on_exec(fd, close)?;
            Ok(0)
        }
        F_GETFL => Ok(file.mode().bits().into()),
        F_SETFL => {
            set_status(
                task,
                fd,
                file,
                OpenMode::from_bits_retain(u32::decode(arg)?),
            )?;
            Ok(0)
        }
        F_SETOWN | F_GETOWN | F_SETOWN_EX | F_GETOWN_EX | F_SETSIG | F_GETSIG => {
            owner(task, file, command, arg)
        }
        F_GETPIPE_SZ => {
            let end = file.downcast::<PipeEnd>().ok_or(EBADF)?;
            Ok(end.pipe().capacity() as u64)
        }
        F_SETPIPE_SZ => {
            let end = file.downcast::<PipeEnd>().ok_or(EBADF)?;
            let size = usize::try_from(u32::decode(arg)?).map_err(|_| EINVAL)?;
            let privileged = task.creds.get().has(Capabilities::SYS_RESOURCE);
            let limit = if privileged { usize::MAX } else { PIPE_MAX };
            Ok(end.pipe().set_capacity(size, limit)? as u64)
        }
        F_ADD_SEALS => seals::add(file, u32::decode(arg)?),
        F_GET_SEALS => seals::get(file),
        // Takes back what was asked for: nothing. Watching, by signals, is not served.
        F_NOTIFY if u32::try_from(arg) == Ok(DN_MULTISHOT) || arg == 0 => Ok(0),
        F_GETLEASE | F_SETLEASE => use_lease(task, fd, file, command, arg),
        F_GET_RW_HINT => {
            task.mem()
                .write(UserAddr::new(arg).cast(), &write_hint::get(file))?;
            Ok(0)
        }
        F_SET_RW_HINT => {
            let hint = task.mem().read(UserAddr::new(arg).cast())?;
            write_hint::set(&task.creds.get(), file, hint)?;
            Ok(0)
        }
        F_CREATED_QUERY => Ok(u64::from(file.made_its_file())),
        _ => Err(EINVAL.why("fcntl command")),
    }
}

fn duplicate(
    task: &Current,
    file: &Arc<File>,
    lowest: u64,
    close: CloseOnExec,
) -> Result<u64, Errno> {
    let lowest = u32::decode(lowest)?;
    if u64::from(lowest) >= task.open_files_limit() {
        return Err(EINVAL);
    }
    Ok(result(
        task.reserve_fd_from(lowest)?.fill(file.clone(), close),
    ))
}

/// F_SETFL.
fn set_status(task: &Current, fd: Fd, file: &Arc<File>, status: OpenMode) -> Result<(), Errno> {
    let added = status - file.mode();
    if added.contains(OpenMode::NOATIME) {
        let owner = file.inode().owner()?;
        if !acts_as_owner(&task.creds.get(), owner.uid) {
            return Err(EPERM);
        }
    }
    file.set_status(status);
    crate::vfs::sigio::update(task, file, fd);
    Ok(())
}

fn use_lease(
    task: &Current,
    fd: Fd,
    file: &Arc<File>,
    command: u32,
    arg: u64,
) -> Result<u64, Errno> {
    if command == F_GETLEASE {
        let kind = lease::of(file).map_or(F_UNLCK, LockKind::raw);
        return Ok(u64::try_from(kind).unwrap_or_default());
    }
    let kind = match i16::try_from(u32::decode(arg)?).map_err(|_| EINVAL)? {
        F_UNLCK => return lease::give_up(file).map(|()| 0),
        F_RDLCK => LockKind::Read,
        F_WRLCK => LockKind::Write,
        _ => return Err(EINVAL),
    };
    lease::take(task, file, fd, kind)?;
    Ok(0)
}

/// Whom SIGIO goes to.
pub(crate) fn owner(
    task: &Current,
    file: &Arc<File>,
    command: u32,
    arg: u64,
) -> Result<u64, Errno> {
    let now = *file.owner.lock();
    let set = |owner: SignalOwner| {
        *file.owner.lock() = owner;
        crate::vfs::sigio::owned(task, file);
        Ok(0)
    };
    match command {
        F_SETOWN => {
            let raw = i32::decode(arg)?;
            if raw == i32::MIN {
                return Err(EINVAL);
            }
            let kind = if raw < 0 { F_OWNER_PGRP } else { F_OWNER_PID };
            let id = raw.abs();
            let id = owner_id(task, kind, id)?;
            set(SignalOwner { kind, id, ..now })
        }
        F_GETOWN => {
            let id = task.number_of(now.id);
            let id = if now.kind == F_OWNER_PGRP { -id } else { id };
            Ok(i64::from(id).cast_unsigned())
        }
        F_SETOWN_EX => {
            let [kind, id] = task.mem().read(UserAddr::new(arg).cast::<[i32; 2]>())?;
            if ![F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP].contains(&kind) {
                return Err(EINVAL);
            }
            let id = owner_id(task, kind, id)?;
            set(SignalOwner { kind, id, ..now })
        }
        F_GETOWN_EX => {
            let at = UserAddr::new(arg).cast::<[i32; 2]>();
            task.mem().write(at, &[now.kind, task.number_of(now.id)])?;
            Ok(0)
        }
        F_SETSIG => {
            let raw = i32::decode(arg)?;
            Signal::or_none(raw)?;
            set(SignalOwner { signal: raw, ..now })
        }
        _ => Ok(u64::try_from(now.signal).unwrap_or_default()),
    }
}

/// The kernel's number for what the task means; `ESRCH` for one that nobody has. 0 means
/// nobody.
fn owner_id(task: &Current, kind: i32, id: i32) -> Result<i32, Errno> {
    if id == 0 {
        return Ok(0);
    }
    let pids = &task.kernel.pids;
    let id = task.resolve(id).ok_or(ESRCH)?;
    let exists = match kind {
        F_OWNER_TID => pids.task(id).is_some(),
        F_OWNER_PID => pids.group(id).is_some() || pids.task(id).is_some(),
        _ => pids.groups().iter().any(|group| group.pgid() == id),
    };
    if exists { Ok(id) } else { Err(ESRCH) }
}
