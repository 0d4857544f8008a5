//! Questions to a pidfd: PIDFD_GET_INFO, and the name spaces of its process,
//! PIDFD_GET_UTS_NAMESPACE and the like; linux/pidfd.h.

use std::sync::Arc;

use syscalls::abi::task::PidfdInfo;
use syscalls::errno::{EACCES, EINVAL, ENOTTY, ESRCH};
use syscalls::{Errno, SysResult, UserAddr};
use zerocopy::IntoBytes;

use super::{Current, Task};
use crate::namespace::{Kind, Namespace, of_task, open_namespace};

/// The commands' type: their third byte from the end.
const MAGIC: u32 = 0xff;
/// PIDFD_GET_INFO without its size, which grows with Linux.
const GET_INFO: u32 = 11;
/// The answer of Linux 6.13, bytes.
const INFO_SIZE_VER0: usize = 64;

/// PIDFD_INFO_PID and PIDFD_INFO_CREDS, which are always told.
const TOLD: u64 = 1 | 2;

pub(super) fn perform(
    task: &Current,
    other: Option<Arc<Task>>,
    command: u32,
    argument: u64,
) -> SysResult {
    let (number, kind, size) = (
        command & 0xff,
        (command >> 8) & 0xff,
        (command >> 16) & 0x3fff,
    );
    if kind != MAGIC {
        return Err(ENOTTY.into());
    }
    // Read and written: what _IOWR makes of it.
    if number == GET_INFO && command >> 30 == 3 {
        let size = usize::try_from(size).map_err(|_| EINVAL)?;
        if size < INFO_SIZE_VER0 {
            return Err(ENOTTY.into());
        }
        return info(task, other, UserAddr::new(argument), size);
    }
    if command >> 16 != 0 || !(1..=10).contains(&number) {
        return Err(ENOTTY.into());
    }
    let other = other.ok_or(ESRCH)?;
    if argument != 0 {
        return Err(EINVAL.into());
    }
    // What has ended is in no name space any more.
    other.mm.with(|mm| mm.as_ref().map(drop)).ok_or(ESRCH)?;
    if !task.may_inspect(&other) {
        return Err(EACCES.into());
    }
    open_namespace(task, namespace(&other, number)?)
}

fn namespace(other: &Task, number: u32) -> Result<Namespace, Errno> {
    let kind = match number {
        1 => Kind::Cgroup,
        2 => Kind::Ipc,
        3 => Kind::Mount,
        4 => Kind::Net,
        5 => Kind::Pid,
        6 => {
            let children = other.pid_for_children.get();
            children.init().ok_or(ESRCH)?;
            return Ok(Namespace::Pid(children));
        }
        7 | 8 => Kind::Time,
        9 => Kind::User,
        10 => Kind::Uts,
        _ => return Err(ENOTTY),
    };
    Ok(of_task(other, kind))
}

fn info(task: &Current, other: Option<Arc<Task>>, at: UserAddr, size: usize) -> SysResult {
    if at.is_null() {
        return Err(EINVAL.into());
    }
    // What is asked for beyond the usual is not known: nothing of it is told.
    let _asked: u64 = task.mem().read(at.cast())?;
    let other = other.ok_or(ESRCH)?;
    let pids = task.pid_namespace();
    let (creds, user) = (other.creds.get(), task.creds.get().user.clone());
    let number = |pid: i32| u32::try_from(pid).unwrap_or(0);
    let parent = task.kernel.pids.group(other.group.parent_pid());
    let (uid, gid) = (creds.uid, creds.gid);
    let info = PidfdInfo {
        mask: TOLD,
        cgroupid: 0,
        pid: number(other.numbers().seen_from(pids)),
        tgid: number(other.group.numbers.seen_from(pids)),
        ppid: number(parent.map_or(0, |parent| parent.numbers.seen_from(pids))),
        ruid: user.shown_uid(uid.real),
        rgid: user.shown_gid(gid.real),
        euid: user.shown_uid(uid.effective),
        egid: user.shown_gid(gid.effective),
        suid: user.shown_uid(uid.saved),
        sgid: user.shown_gid(gid.saved),
        fsuid: user.shown_uid(uid.fs),
        fsgid: user.shown_gid(gid.fs),
        exit_code: 0,
    };
    if info.pid == 0 || info.tgid == 0 {
        return Err(ESRCH.into());
    }
    let mut bytes = info.as_bytes().to_vec();
    bytes.resize(size, 0);
    task.mem().write_bytes(at, &bytes)?;
    Ok(0)
}
