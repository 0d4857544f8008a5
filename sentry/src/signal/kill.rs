//! Sending on behalf of a program: kill(2), tgkill(2), rt_sigqueueinfo(2).

use std::sync::Arc;

use syscalls::abi::signal::{SI_TKILL, SI_USER, Siginfo};
use syscalls::errno::{EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Run, SysResult, UserPtr, call};

use super::{Signal, Source};
use crate::task::{Capabilities, Current, INIT, Pid, Task, ThreadGroup};

/// True for a siginfo that claims to come from the kernel or from tkill(2).
pub(crate) fn is_forged(info: &Siginfo) -> bool {
    info.code >= 0 || info.code == SI_TKILL
}

impl Current {
    /// What kill(2) sends along.
    pub(crate) fn kill_info(&self, signal: i32) -> Siginfo {
        self.own_info(signal, SI_USER)
    }

    /// What tkill(2) sends along.
    pub(crate) fn thread_kill_info(&self, signal: i32) -> Siginfo {
        self.own_info(signal, SI_TKILL)
    }

    fn own_info(&self, signal: i32, code: i32) -> Siginfo {
        let uid = self.creds.get().uid.real;
        Siginfo::kill(signal, code, self.own_pid(), uid)
    }

    /// Sends a signal to the calling thread, as the kernel: SIGPIPE, SIGXFSZ.
    pub fn raise(&self, signal: Signal) {
        let info = Siginfo::kernel(signal.raw());
        // Signals of the kernel are never refused.
        let _ = self.kernel.signal_task(self.task(), &info);
    }

    /// Sends `signal`, or with `None` only checks that it could: `EPERM`, `EAGAIN`.
    pub(crate) fn kill_process(
        &self,
        group: &Arc<ThreadGroup>,
        signal: Option<Signal>,
        info: &Siginfo,
    ) -> Result<(), Errno> {
        let target = group.leader().ok_or(ESRCH)?;
        self.check_kill(&target, signal)?;
        let (info, source) = self.as_seen_by(&target, info);
        match signal {
            Some(_) => self.kernel.signal_process(group, &info, source),
            None => Ok(()),
        }
    }

    /// What another process hears: nothing of the sender that it does not see, and then
    /// the signal holds for the init of a PID name space too.
    fn as_seen_by(&self, target: &Task, info: &Siginfo) -> (Siginfo, Source) {
        let info = match info.code {
            SI_USER | SI_TKILL => {
                let user = target.creds.with(|creds| creds.user.clone());
                info.with_uid(user.shown_uid(self.creds.get().uid.real))
            }
            _ => *info,
        };
        let target = &target.group;
        if self.group.numbers.seen_from(target.pid_namespace()) == 0 {
            (info.with_pid(0), Source::Outside)
        } else {
            (info, Source::Inside)
        }
    }

    /// As [`Self::kill_process`] for all of a process group that may be signalled;
    /// `ESRCH` if it has no members.
    pub(crate) fn kill_process_group(
        &self,
        pgid: Pid,
        signal: Option<Signal>,
        info: &Siginfo,
    ) -> SysResult {
        let members: Vec<_> = {
            let tree = self.kernel.pids.lock();
            tree.process_group(pgid).map(|p| p.group.clone()).collect()
        };
        let results: Vec<_> = members
            .iter()
            .map(|group| self.kill_process(group, signal, info))
            .collect();
        match results.iter().find_map(|result| result.err()) {
            Some(error) if results.iter().all(Result::is_err) => Err(error.into()),
            _ if results.is_empty() => Err(ESRCH.into()),
            _ => Ok(0),
        }
    }

    /// kill(-1): everybody that the caller sees, but the first process and its own.
    fn kill_everybody(&self, signal: Option<Signal>, info: &Siginfo) -> SysResult {
        let namespace = self.pid_namespace();
        let others = |group: &Arc<ThreadGroup>| {
            group.numbers.seen_from(namespace) > INIT && group.pid != self.group.pid
        };
        let groups = self.kernel.pids.groups();
        let groups: Vec<_> = groups.into_iter().filter(others).collect();
        if groups.is_empty() {
            return Err(ESRCH.into());
        }
        for group in groups {
            match self.kill_process(&group, signal, info) {
                Ok(()) | Err(EPERM | ESRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }

    /// kill(2), "For a process to have permission".
    fn check_kill(&self, target: &Task, signal: Option<Signal>) -> Result<(), Errno> {
        if Arc::ptr_eq(&target.group, &self.group) {
            return Ok(());
        }
        let (own, other) = (self.creds.get(), target.creds.get());
        let same_user = [own.uid.real, own.uid.effective]
            .iter()
            .any(|&uid| uid == other.uid.real || uid == other.uid.saved);
        let continues = signal == Some(Signal::CONT) && target.group.sid() == self.group.sid();
        if same_user || continues || own.has_in(&other.user, Capabilities::KILL) {
            Ok(())
        } else {
            Err(EPERM)
        }
    }

    /// tkill(2), tgkill(2): one thread, of process `tgid` if that is given.
    fn kill_thread(&self, tgid: Option<Pid>, tid: Pid, info: &Siginfo) -> SysResult {
        Signal::or_none(info.signo)?;
        let task = self.find_task(tid).ok_or(ESRCH)?;
        let process = task.group.numbers.seen_from(self.pid_namespace());
        if tgid.is_some_and(|tgid| tgid != process) {
            return Err(ESRCH.into());
        }
        self.kill_task(&task, info)
    }

    /// Sends one thread a signal, or with number 0 only checks that it could.
    pub(crate) fn kill_task(&self, task: &Arc<Task>, info: &Siginfo) -> SysResult {
        let signal = Signal::or_none(info.signo)?;
        self.check_kill(task, signal)?;
        if signal.is_some() && !task.is_exiting() {
            let (info, source) = self.as_seen_by(task, info);
            self.kernel.signal_task_from(task, &info, source)?;
        }
        Ok(0)
    }

    fn read_queued(&self, at: UserPtr<Siginfo>, signal: i32, to: Pid) -> Result<Siginfo, Errno> {
        let mut info = self.mem().read(at)?;
        info.signo = signal;
        // Only oneself can be lied to.
        if is_forged(&info) && to != self.own_pid() {
            return Err(EPERM);
        }
        Ok(info)
    }
}

impl Run<Current> for call::Kill {
    fn run(self, task: &mut Current) -> SysResult {
        let signal = Signal::or_none(self.sig)?;
        let info = task.kill_info(self.sig);
        match self.pid {
            i32::MIN => Err(ESRCH.into()),
            -1 => task.kill_everybody(signal, &info),
            0 => task.kill_process_group(task.group.pgid(), signal, &info),
            pid if pid < 0 => {
                let pgid = task.resolve(-pid).ok_or(ESRCH)?;
                task.kill_process_group(pgid, signal, &info)
            }
            pid => {
                let group = task.find_process_by_thread(pid).ok_or(ESRCH)?;
                task.kill_process(&group, signal, &info)?;
                Ok(0)
            }
        }
    }
}

impl Run<Current> for call::Tkill {
    fn run(self, task: &mut Current) -> SysResult {
        if self.tid <= 0 {
            return Err(EINVAL.into());
        }
        let info = task.thread_kill_info(self.sig);
        task.kill_thread(None, self.tid, &info)
    }
}

impl Run<Current> for call::Tgkill {
    fn run(self, task: &mut Current) -> SysResult {
        if self.tid <= 0 || self.tgid <= 0 {
            return Err(EINVAL.into());
        }
        let info = task.thread_kill_info(self.sig);
        task.kill_thread(Some(self.tgid), self.tid, &info)
    }
}

impl Run<Current> for call::RtSigqueueinfo {
    fn run(self, task: &mut Current) -> SysResult {
        let info = task.read_queued(self.info, self.sig, self.tgid)?;
        let signal = Signal::or_none(self.sig)?;
        let group = task.find_process_by_thread(self.tgid).ok_or(ESRCH)?;
        task.kill_process(&group, signal, &info)?;
        Ok(0)
    }
}

impl Run<Current> for call::RtTgsigqueueinfo {
    fn run(self, task: &mut Current) -> SysResult {
        if self.tid <= 0 || self.tgid <= 0 {
            return Err(EINVAL.into());
        }
        let info = task.read_queued(self.info, self.sig, self.tgid)?;
        task.kill_thread(Some(self.tgid), self.tid, &info)
    }
}
