//! Descriptors that stand for processes, pidfd_open(2).

use std::any::Any;
use std::borrow::Cow;
use std::sync::{Arc, Weak};

use bitflags::bitflags;
use syscalls::abi::sched::{PidfdFlags, PidfdSignalFlags};
use syscalls::abi::signal::Siginfo;
use syscalls::errno::{EBADF, EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Fd, Run, SysResult, call};

use super::{Current, PidNamespace, Task, ThreadGroup};
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

/// A process or a thread as a file: readable once it has ended.
struct PidFd {
    group: Arc<ThreadGroup>,
    /// PIDFD_THREAD: which of its threads.
    thread: Option<Weak<Task>>,
}

/// A new pidfd of a process.
pub(super) fn open(task: &Current, group: &Arc<ThreadGroup>, flags: Flags) -> Arc<File> {
    let ops = PidFd {
        group: group.clone(),
        thread: None,
    };
    open_as(task, ops, flags)
}

fn open_as(task: &Current, ops: PidFd, flags: Flags) -> Arc<File> {
    // F_GETFL shows PIDFD_THREAD as what it is in open(2): O_EXCL.
    const THREAD: OpenMode = OpenMode::from_bits_retain(PidfdFlags::THREAD.bits());
    let mut mode = OpenMode::READ_WRITE;
    mode.set(OpenMode::NONBLOCK, flags.contains(Flags::NONBLOCK));
    mode.set(THREAD, ops.thread.is_some());
    AnonKind::Inode("[pidfd]").open(task, Box::new(ops), mode)
}

impl PidFd {
    /// The thread that it stands for: the leader of a process. `None` once that is gone.
    fn task(&self) -> Option<Arc<Task>> {
        match &self.thread {
            Some(thread) => thread.upgrade(),
            None => self.group.leader(),
        }
    }

    fn has_ended(&self) -> bool {
        let lives = |task: Arc<Task>| {
            let threads = self.group.threads();
            threads.iter().any(|thread| Arc::ptr_eq(thread, &task))
        };
        match self.thread {
            Some(_) => !self.task().is_some_and(lives),
            None => self.group.has_ended(),
        }
    }
}

/// A process as a file, for those who are told of it.
pub(crate) fn pidfd(task: &Current, group: &Arc<ThreadGroup>) -> Arc<File> {
    open(task, group, Flags::default())
}

/// The process behind a pidfd; `EBADF` for other files.
pub(crate) fn group_of(file: &File) -> Result<Arc<ThreadGroup>, Errno> {
    let pidfd = file.downcast::<PidFd>().ok_or(EBADF)?;
    Ok(pidfd.group.clone())
}

/// The same, and the process whose directory in /proc the file is.
fn signalled(file: &File) -> Result<Arc<ThreadGroup>, Errno> {
    group_of(file).or_else(|_| process_of(file.inode()))
}

impl FileOps for PidFd {
    fn poll(&self) -> Ready {
        if self.has_ended() {
            Ready::READABLE
        } else {
            Ready::empty()
        }
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(match self.thread {
            Some(_) => &self.group.thread_events,
            None => &self.group.exit_events,
        }))
    }

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        super::pidfd_ioctl::perform(task, self.task(), command, argument)
    }

    fn fd_info(&self, reader: &PidNamespace) -> String {
        let numbers = match self.task() {
            Some(task) => task.numbers(),
            None => self.group.numbers.clone(),
        };
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
        let ops = match (task.find_process(self.pid), task.find_task(self.pid)) {
            (_, Some(thread)) if self.flags.contains(PidfdFlags::THREAD) => PidFd {
                group: thread.group.clone(),
                thread: Some(Arc::downgrade(&thread)),
            },
            (Some(group), _) => PidFd {
                group,
                thread: None,
            },
            // A thread that is not the leader of its process.
            (None, Some(_)) => return Err(EINVAL.into()),
            (None, None) => return Err(ESRCH.into()),
        };
        let mut flags = Flags::default();
        flags.set(Flags::NONBLOCK, self.flags.contains(PidfdFlags::NONBLOCK));
        let reservation = task.reserve_fd()?;
        let file = open_as(task, ops, flags);
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
        let file = task.fds.get().get_any(self.pidfd)?;
        let group = signalled(&file)?;
        // Whom it reaches: what the flags say, or what the pidfd stands for.
        let pidfd = file.downcast::<PidFd>();
        let is_thread = self.flags.is_empty() && pidfd.is_some_and(|fd| fd.thread.is_some());
        let to_thread = is_thread || self.flags.contains(PidfdSignalFlags::THREAD);
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
            None if to_thread => task.thread_kill_info(self.sig),
            None => task.kill_info(self.sig),
        };
        // The group that has the process's number.
        if self.flags.contains(PidfdSignalFlags::PROCESS_GROUP) {
            return task.kill_process_group(group.pid, signal, &info);
        }
        if to_thread {
            let thread = match pidfd {
                Some(ended) if ended.has_ended() => None,
                Some(pidfd) => pidfd.task(),
                None => group.leader(),
            };
            return task.kill_task(&thread.ok_or(ESRCH)?, &info);
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
