//! Waiting for children, wait4(2) and waitid(2).

use std::sync::Arc;

use syscalls::abi::sched::{P_ALL, P_PGID, P_PID, P_PIDFD, WaitOptions};
use syscalls::abi::signal::Siginfo;
use syscalls::errno::{EAGAIN, ECHILD, EINVAL, ESRCH};
use syscalls::{Errno, Fd, Run, Stop, SysResult, UserPtr, call};

use super::{Current, Pid, PidNamespace, Process, Tree, Usage, pidfd};
use crate::ptrace::News;
use crate::signal::Signal;
use crate::wait::Ready;

/// Which children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Any,
    Process(Pid),
    Group(Pid),
}

/// What there is to tell of a child.
struct Report {
    pid: Pid,
    uid: u32,
    /// As wait4(2) stores it.
    status: i32,
    /// `si_code` and `si_status`.
    child: (i32, i32),
    usage: Usage,
}

impl Run<Current> for call::Wait4 {
    fn run(self, task: &mut Current) -> SysResult {
        let known = WaitOptions::NOHANG
            | WaitOptions::STOPPED
            | WaitOptions::CONTINUED
            | WaitOptions::NOTHREAD
            | WaitOptions::CLONE
            | WaitOptions::ALL;
        if !known.contains(self.options) {
            return Err(EINVAL.into());
        }
        let who = match self.pid {
            i32::MIN => return Err(ESRCH.into()),
            -1 => Who::Any,
            0 => Who::Group(task.group.pgid()),
            pid if pid < 0 => Who::Group(task.resolve(-pid).ok_or(ECHILD)?),
            pid => Who::Process(task.resolve(pid).ok_or(ECHILD)?),
        };
        let Some(report) = task.wait_for_child(who, self.options | WaitOptions::EXITED)? else {
            return Ok(0);
        };
        if let Some(at) = self.wstatus.non_null() {
            task.mem().write(at, &report.status)?;
        }
        if let Some(at) = self.rusage.non_null() {
            task.mem().write(at, &report.usage.to_abi())?;
        }
        Ok(u64::from(report.pid.cast_unsigned()))
    }
}

impl Run<Current> for call::Waitid {
    fn run(self, task: &mut Current) -> SysResult {
        let events = WaitOptions::EXITED | WaitOptions::STOPPED | WaitOptions::CONTINUED;
        if !self.options.intersects(events) {
            return Err(EINVAL.into());
        }
        let mut options = self.options;
        let mut nonblocking = false;
        let who = match self.idtype {
            P_ALL => Who::Any,
            P_PID if self.id > 0 => Who::Process(task.resolve(self.id).ok_or(ECHILD)?),
            P_PGID if self.id == 0 => Who::Group(task.group.pgid()),
            P_PGID if self.id > 0 => Who::Group(task.resolve(self.id).ok_or(ECHILD)?),
            P_PIDFD if self.id >= 0 => {
                let file = task.fds.get().get_any(Fd(self.id))?;
                nonblocking = file.nonblocking();
                if nonblocking {
                    options |= WaitOptions::NOHANG;
                }
                Who::Process(pidfd::group_of(&file)?.pid)
            }
            _ => return Err(EINVAL.into()),
        };
        let report = task.wait_for_child(who, options)?;
        if report.is_none() && nonblocking && !self.options.contains(WaitOptions::NOHANG) {
            return Err(EAGAIN.into());
        }
        if let (Some(at), Some(report)) = (self.rusage.non_null(), &report) {
            task.mem().write(at, &report.usage.to_abi())?;
        }
        if let Some(at) = self.infop.non_null() {
            task.write_child_info(at, report.as_ref())?;
        }
        Ok(0)
    }
}

impl Current {
    fn write_child_info(&self, at: UserPtr<Siginfo>, report: Option<&Report>) -> Result<(), Errno> {
        let info = report.map_or_else(Siginfo::default, |report| {
            let (code, status) = report.child;
            let uid = self.creds.get().user.shown_uid(report.uid);
            Siginfo::child(code, report.pid, uid, status, 0, 0)
        });
        self.mem().write(at, &info)
    }

    /// Waits for a change of a child that `who` and `options` name; `None` if there is
    /// none yet and `WNOHANG` is set; `ECHILD` if there is no such child.
    fn wait_for_child(&self, who: Who, options: WaitOptions) -> Result<Option<Report>, Stop> {
        let attempt = || {
            let mut tree = self.kernel.pids.lock();
            match self.look(&mut tree, who, options)? {
                Some(report) => Ok(Some(report)),
                None if options.contains(WaitOptions::NOHANG) => Ok(None),
                None => Err(Stop::Errno(EAGAIN)),
            }
        };
        self.block_on(&self.group.child_events, Ready::READABLE, None, attempt)
    }

    fn look(
        &self,
        tree: &mut Tree,
        who: Who,
        options: WaitOptions,
    ) -> Result<Option<Report>, Errno> {
        let own = tree.process(self.group.pid).ok_or(ECHILD)?;
        let mut found = false;
        for &pid in &own.children {
            let Some(child) = tree.process(pid) else {
                continue;
            };
            if !self.is_meant(child, who, options) {
                continue;
            }
            found = true;
            let tracer = tree.tracees.get(&pid).map(|t| t.tracer.group.pid);
            let (traced, stranger) = (tracer.is_some(), tracer != Some(self.group.pid));
            // First for another process that traces it.
            if traced && stranger && child.zombie.is_some() {
                continue;
            }
            let asked = if traced && !stranger {
                options - WaitOptions::STOPPED
            } else {
                options
            };
            if let Some(report) = child.report(self.pid_namespace(), asked) {
                if child.zombie.is_some() && !options.contains(WaitOptions::NOWAIT) {
                    tree.tracees.remove(&pid);
                    self.reap(tree, pid, &report.usage);
                }
                return Ok(Some(report));
            }
        }
        let (traced, report) = self.look_at_tracees(tree, who, options);
        match report {
            None if !found && !traced => Err(ECHILD),
            report => Ok(report),
        }
    }

    /// Whether the caller traces any that are meant, and what there is to tell of one.
    fn look_at_tracees(
        &self,
        tree: &mut Tree,
        who: Who,
        options: WaitOptions,
    ) -> (bool, Option<Report>) {
        let mut found = false;
        let mut told = None;
        for (&tid, tracee) in &tree.tracees {
            let own = Arc::ptr_eq(&tracee.tracer.group, &self.group)
                && (!options.contains(WaitOptions::NOTHREAD) || tracee.tracer.tid() == self.tid());
            let group = &tracee.task.group;
            let meant = match who {
                Who::Any => true,
                Who::Process(pid) => tid == pid,
                Who::Group(pgid) => group.pgid() == pgid,
            };
            if !own || !meant {
                continue;
            }
            found = true;
            let ends = options.contains(WaitOptions::EXITED);
            let keep = options.contains(WaitOptions::NOWAIT);
            if let Some(news) = tracee.news(tree, ends, keep) {
                told = Some((tracee.task.clone(), tid, news, keep));
                break;
            }
        }
        let Some((task, tid, news, keep)) = told else {
            return (found, None);
        };
        let (usage, ended) = match news {
            News::Ended(_, usage) => (usage, true),
            News::Stopped(_) => (task.usage(), false),
        };
        if ended && !keep {
            tree.tracees.remove(&tid);
            if tid == task.group.pid {
                super::exit::after_tracer(&self.kernel, tree, &task.group, self.group.pid);
            }
        }
        let report = Report {
            pid: task.numbers().seen_from(self.pid_namespace()),
            uid: task.creds.with(|creds| creds.uid.real),
            status: news.to_wait(),
            child: news.to_child(),
            usage,
        };
        (true, Some(report))
    }

    fn is_meant(&self, child: &Process, who: Who, options: WaitOptions) -> bool {
        let named = match who {
            Who::Any => true,
            Who::Process(pid) => child.group.pid == pid,
            Who::Group(pgid) => child.group.pgid() == pgid,
        };
        let is_clone = child.group.exit_signal() != Some(Signal::CHLD);
        let wants_clones = options.contains(WaitOptions::CLONE);
        named
            && (options.contains(WaitOptions::ALL) || is_clone == wants_clones)
            && (!options.contains(WaitOptions::NOTHREAD) || child.parent_tid == self.tid())
    }

    fn reap(&self, tree: &mut Tree, pid: Pid, usage: &Usage) {
        tree.remove_process(pid);
        self.group.state().child_usage.add(usage);
    }
}

impl Process {
    /// What a parent that asks for `options` hears; a stop or continuation is told once.
    fn report(&self, to: &PidNamespace, options: WaitOptions) -> Option<Report> {
        let make = |status, child, usage| Report {
            pid: self.group.numbers.seen_from(to),
            uid: self
                .group
                .leader()
                .map_or(0, |task| task.creds.get().uid.real),
            status,
            child,
            usage,
        };
        if let Some(zombie) = self.zombie {
            let status = zombie.status;
            return options
                .contains(WaitOptions::EXITED)
                .then(|| make(status.to_wait(), status.to_child(), zombie.usage));
        }
        let event = {
            let mut state = self.group.state();
            let event = state.stop_event.filter(|event| match event {
                super::StopEvent::Stopped(_) => options.contains(WaitOptions::STOPPED),
                super::StopEvent::Continued => options.contains(WaitOptions::CONTINUED),
            })?;
            if !options.contains(WaitOptions::NOWAIT) {
                state.stop_event = None;
            }
            event
        };
        let usage = self.group.usage_with_children();
        Some(make(event.to_wait(), event.to_child(), usage))
    }
}
