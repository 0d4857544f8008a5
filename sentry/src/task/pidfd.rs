//! Descriptors that stand for processes, pidfd_open(2).

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use bitflags::bitflags;
use syscalls::abi::sched::{PidfdFlags, PidfdSignalFlags};
use syscalls::abi::signal::Siginfo;
use syscalls::errno::{EBADF, EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Fd, Run, SysResult, call};

use super::{Current, PidNamespace, ThreadGroup};
use crate::fd::CloseOnExec;
use crate::fs::proc::process_of;
use crate::signal::Signal;
use crate::vfs::{AnonKind, File, FileOps, OpenMode};
use crate::wait::{Ready, WaitQueue};

bitflags! {
    /// How a pidfd is opened.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) struct Flags: u32 {
        /// waitid(2) does not block on it.
        const NONBLOCK = 1;
    }
}

/// A process as a file: readable once it has ended.
struct PidFd {
    group: Arc<ThreadGroup>,
}

/// A new pidfd.
pub(super) fn open(task: &Current, group: &Arc<ThreadGroup>, flags: Flags) -> Arc<File> {
    let mut mode = OpenMode::READ_WRITE;
    mode.set(OpenMode::NONBLOCK, flags.contains(Flags::NONBLOCK));
    let ops = PidFd {
        group: group.clone(),
    };
    AnonKind::Inode("[pidfd]").open(task, Box::new(ops), mode)
}

/// The process behind a pidfd; `EBADF` for other files.
pub(crate) fn group_of(file: &File) -> Result<Arc<ThreadGroup>, Errno> {
    let pidfd = file.downcast::<PidFd>().ok_or(EBADF)?;
    Ok(pidfd.group.clone())
}

/// The same, and the process whose directory in /proc the file is.
fn signalled(file: &File) -> Result<Arc<ThreadGroup>, Errno> {
    group_of(file).or_else(|error| process_of(file.inode()).ok_or(error))
}

impl FileOps for PidFd {
    fn poll(&self) -> Ready {
        if self.group.has_ended() {
            Ready::READABLE
        } else {
            Ready::empty()
        }
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.group.exit_events))
    }

    fn fd_info(&self, reader: &PidNamespace) -> String {
        let numbers = &self.group.numbers;
        let (pid, all) = (numbers.seen_from(reader), numbers.text_from(reader));
        format!("Pid:\t{pid}\nNSpid:{all}\n")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Run<Current> for call::PidfdOpen {
    fn run(self, task: &mut Current) -> SysResult {
        if self.pid <= 0 {
            return Err(EINVAL.into());
        }
        if self.flags.contains(PidfdFlags::THREAD) {
            return Err(EINVAL.why("PIDFD_THREAD").into());
        }
        let group = match task.find_process(self.pid) {
            Some(group) => group,
            // A thread that is not the leader of its process.
            None if task.find_task(self.pid).is_some() => return Err(EINVAL.into()),
            None => return Err(ESRCH.into()),
        };
        let mut flags = Flags::default();
        flags.set(Flags::NONBLOCK, self.flags.contains(PidfdFlags::NONBLOCK));
        let reservation = task.reserve_fd()?;
        let file = open(task, &group, flags);
        Ok(u64::from(
            reservation.fill(file, CloseOnExec::Yes).0.cast_unsigned(),
        ))
    }
}

impl Run<Current> for call::PidfdSendSignal {
    fn run(self, task: &mut Current) -> SysResult {
        if self.flags.bits().count_ones() > 1 {
            return Err(EINVAL.into());
        }
        if self.flags.contains(PidfdSignalFlags::THREAD) {
            return Err(EINVAL.why("PIDFD_SIGNAL_THREAD").into());
        }
        let group = signalled(&*task.fds.get().get_any(self.pidfd)?)?;
        // Only those that the caller could also name by a number.
        if group.numbers.seen_from(task.pid_namespace()) == 0 {
            return Err(EINVAL.into());
        }
        let known = !group.has_ended() || task.kernel.pids.knows(&group);
        let signal = match Signal::or_none(self.sig) {
            Err(_) if !known => return Err(ESRCH.into()),
            signal => signal?,
        };
        let info = match self.info.non_null() {
            Some(at) => {
                let info: Siginfo = task.mem().read(at)?;
                if info.signo != self.sig {
                    return Err(EINVAL.into());
                }
                if group.pid != task.group.pid && crate::signal::is_forged(&info) {
                    return Err(EPERM.into());
                }
                info
            }
            None => task.kill_info(self.sig),
        };
        if self.flags.contains(PidfdSignalFlags::PROCESS_GROUP) {
            return task.kill_process_group(group.pgid(), signal, &info);
        }
        if !known {
            return Err(ESRCH.into());
        }
        task.kill_process(&group, signal, &info)?;
        Ok(0)
    }
}

impl Run<Current> for call::PidfdGetfd {
    fn run(self, task: &mut Current) -> SysResult {
        let group = group_of(&*task.fds.get().get_any(self.pidfd)?)?;
        let leader = group.leader().ok_or(ESRCH)?;
        if group.has_ended() {
            return Err(ESRCH.into());
        }
        if !task.may_inspect(&leader) {
            return Err(EPERM.into());
        }
        let file = leader.fds.get().get_any(Fd(self.targetfd.0))?;
        let fd = task.reserve_fd()?.fill(file, CloseOnExec::Yes);
        Ok(u64::from(fd.0.cast_unsigned()))
    }
}
