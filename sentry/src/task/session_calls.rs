//! Process groups and sessions, setpgid(2) and setsid(2).

use std::sync::Arc;

use syscalls::errno::{EACCES, EINVAL, EIO, EPERM, ESRCH};
use syscalls::{Restart, Run, Stop, SysResult, call};

use syscalls::abi::signal::Siginfo;

use super::calls::number;
use super::{Capabilities, Current, Pid, Session, Terminal, ThreadGroup};
use crate::signal::Signal;

impl Run<Current> for call::Setpgid {
    fn run(self, task: &mut Current) -> SysResult {
        let own = task.group.pid;
        if self.pgid < 0 {
            return Err(EINVAL.into());
        }
        let pid = match self.pid {
            0 => own,
            pid => task.resolve(pid).ok_or(ESRCH)?,
        };
        // A number that nobody has is nobody's process group.
        let pgid = match self.pgid {
            0 => Some(pid),
            pgid => task.resolve(pgid),
        };
        let mut tree = task.kernel.pids.lock();
        let process = tree.process(pid).ok_or(ESRCH)?;
        let group = process.group.clone();
        if process.parent == Some(own) {
            if group.sid() != task.group.sid() {
                return Err(EPERM.into());
            }
            if group.has_executed() {
                return Err(EACCES.into());
            }
        } else if pid != own {
            return Err(ESRCH.into());
        }
        if group.sid() == group.pid {
            return Err(EPERM.into());
        }
        let pgid = pgid.ok_or(EPERM)?;
        let joins = tree
            .process_group(pgid)
            .any(|p| p.group.sid() == task.group.sid());
        if pgid != pid && !joins {
            return Err(EPERM.into());
        }
        let before = group.pgid();
        group.set_pgid(pgid);
        tree.release(before);
        Ok(0)
    }
}

impl Current {
    /// The process `pid` names, 0 for the caller's own; `ESRCH`.
    pub(super) fn process_or_own(&self, pid: Pid) -> Result<Arc<ThreadGroup>, Stop> {
        if pid == 0 {
            return Ok(self.group.clone());
        }
        let found = self.find_task(pid).map(|task| task.group.clone());
        let group = found.or_else(|| self.find_process(pid));
        group.ok_or(Stop::Errno(ESRCH))
    }
}

impl Run<Current> for call::Getpgid {
    fn run(self, task: &mut Current) -> SysResult {
        number(task.number_of(task.process_or_own(self.pid)?.pgid()))
    }
}

impl Run<Current> for call::Getpgrp {
    fn run(self, task: &mut Current) -> SysResult {
        number(task.number_of(task.group.pgid()))
    }
}

impl Run<Current> for call::Getsid {
    fn run(self, task: &mut Current) -> SysResult {
        number(task.number_of(task.process_or_own(self.pid)?.sid()))
    }
}

impl Run<Current> for call::Setsid {
    fn run(self, task: &mut Current) -> SysResult {
        let pid = task.group.pid;
        let mut tree = task.kernel.pids.lock();
        if tree.process_group(pid).next().is_some() {
            return Err(EPERM.into());
        }
        let before = [task.group.pgid(), task.group.sid()];
        task.group.session.set(Session::new(pid));
        task.group.set_pgid(pid);
        for pid in before {
            tree.release(pid);
        }
        number(task.own_pid())
    }
}

/// What a process is about to do with a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtyAccess {
    /// read(2).
    Read,
    /// write(2) with TOSTOP set, or a change of its state: ioctl_tty(2).
    Write,
}

impl Current {
    /// Whether a process may use a terminal now: one in the background of the terminal's
    /// session is stopped by SIGTTIN or SIGTTOU, and the call is to be restarted after.
    ///
    /// `EIO` where stopping would not help: the signal is blocked or ignored (reading
    /// only), or the process group is orphaned. Takes the table of tasks' lock.
    pub fn tty_access(&self, terminal: &Arc<dyn Terminal>, access: TtyAccess) -> Result<(), Stop> {
        let session = self.group.session.get();
        let pgid = self.group.pgid();
        if !session.controls(terminal) || session.foreground() == pgid {
            return Ok(());
        }
        let signal = match access {
            TtyAccess::Read => Signal::TTIN,
            TtyAccess::Write => Signal::TTOU,
        };
        let ignored = self.group.handlers.get().ignored().contains(signal);
        if ignored || self.signals.blocked().contains(signal) {
            return match access {
                TtyAccess::Read => Err(EIO.into()),
                TtyAccess::Write => Ok(()),
            };
        }
        if self.kernel.pids.lock().is_orphaned_group(pgid, None) {
            return Err(EIO.into());
        }
        let info = Siginfo::kernel(signal.raw());
        self.kernel.signal_process_group(pgid, &info)?;
        Err(Stop::Restart(Restart::Sys))
    }
}

impl Run<Current> for call::Vhangup {
    fn run(self, task: &mut Current) -> SysResult {
        if !task.creds.get().has(Capabilities::SYS_TTY_CONFIG) {
            return Err(EPERM.into());
        }
        if let Some(terminal) = task.group.session.get().terminal() {
            terminal.hang_up();
        }
        Ok(0)
    }
}
