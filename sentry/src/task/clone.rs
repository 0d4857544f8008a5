//! New threads and processes, clone(2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platform::Regs;
use syscalls::abi::sched::CloneFlags;
use syscalls::errno::{EAGAIN, EINVAL, EPERM};
use syscalls::{Errno, Restart, Stop, UserPtr};

use super::run::{self, Start};
use super::{Capabilities, Current, NewGroup, NewTask, Pid, Resource, Task, ThreadGroup, pidfd};
use crate::fd::CloseOnExec;
use crate::mm::Mm;
use crate::signal::{AltStack, Signal};
use crate::wait::{Ready, WaitQueue};

/// What clone(2), clone3(2), fork(2) and vfork(2) ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloneRequest {
    pub(crate) flags: CloneFlags,
    pub(crate) exit_signal: Option<Signal>,
    /// The child's stack pointer; `None`: the parent's.
    pub(crate) stack: Option<u64>,
    pub(crate) tls: u64,
    pub(crate) parent_tid: Option<UserPtr<i32>>,
    pub(crate) child_tid: Option<UserPtr<i32>>,
    pub(crate) pidfd: Option<UserPtr<i32>>,
    /// The number that the child shall have, clone3(2).
    pub(crate) tid: Option<Pid>,
}

/// Name spaces that there is only one of.
const MISSING_NAMESPACES: CloneFlags = CloneFlags::NEWUSER
    .union(CloneFlags::NEWPID)
    .union(CloneFlags::NEWNET)
    .union(CloneFlags::NEWIPC)
    .union(CloneFlags::NEWCGROUP)
    .union(CloneFlags::NEWTIME);

/// Name spaces that a task can have of its own.
const OWN_NAMESPACES: CloneFlags = CloneFlags::NEWUTS.union(CloneFlags::NEWNS);

/// The parent of vfork(2) waits here until the child has another memory.
pub(crate) struct Vfork {
    done: AtomicBool,
    queue: WaitQueue,
}

impl Task {
    /// The task uses its parent's memory no longer.
    pub(super) fn end_vfork(&self) {
        if let Some(vfork) = self.vfork.set(None) {
            vfork.done.store(true, Ordering::SeqCst);
            vfork.queue.notify(Ready::READABLE);
        }
    }
}

impl CloneRequest {
    fn has(&self, flag: CloneFlags) -> bool {
        self.flags.contains(flag)
    }

    /// `EINVAL` for flags that contradict each other, clone(2).
    fn check(&self, task: &Task) -> Result<(), Errno> {
        let contradictions = [
            (CloneFlags::NEWNS | CloneFlags::FS, true),
            (CloneFlags::NEWUSER | CloneFlags::FS, true),
            (CloneFlags::SIGHAND | CloneFlags::CLEAR_SIGHAND, true),
            (CloneFlags::THREAD, !self.has(CloneFlags::SIGHAND)),
            (CloneFlags::SIGHAND, !self.has(CloneFlags::VM)),
            // The children of the first process are its own business.
            (CloneFlags::PARENT, task.group.parent_pid() == 0),
            (CloneFlags::INTO_CGROUP, true),
        ];
        if contradictions
            .iter()
            .any(|&(flags, wrong)| wrong && self.has(flags))
        {
            return Err(EINVAL);
        }
        check_namespaces(task, self.flags)
    }
}

/// Whether a task may have the name spaces that `flags` ask for; `EPERM`, `EINVAL`.
pub(super) fn check_namespaces(task: &Task, flags: CloneFlags) -> Result<(), Errno> {
    let wanted = flags & (MISSING_NAMESPACES | OWN_NAMESPACES);
    if wanted.is_empty() {
        return Ok(());
    }
    // Differs from Linux: without user name spaces, as where they are configured out.
    if wanted.contains(CloneFlags::NEWUSER) {
        return Err(EINVAL.why("there are no user name spaces"));
    }
    if !task.creds.get().has(Capabilities::SYS_ADMIN) {
        return Err(EPERM);
    }
    if wanted.intersects(MISSING_NAMESPACES) {
        return Err(EINVAL.why("no such name spaces here"));
    }
    Ok(())
}

impl Current {
    /// Makes a thread or process; returns its number.
    pub(crate) fn clone_task(&mut self, request: &CloneRequest) -> Result<Pid, Stop> {
        request.check(self)?;
        self.check_process_limit()?;
        let mm = self.child_memory(request)?;
        let pid = self.kernel.pids.lock().allocate_as(request.tid)?;
        let task = self.child_task(request, pid, mm.clone())?;
        let pidfd = match request.pidfd {
            Some(at) => {
                let reservation = self.reserve_fd()?;
                self.mem().write(at, &reservation.fd().0)?;
                let file = pidfd::open(self, &task.group, pidfd::Flags::default());
                Some((reservation, file))
            }
            None => None,
        };
        if let Some(at) = request.parent_tid {
            self.mem().write(at, &pid)?;
        }
        let start = self.child_start(request, &task, mm)?;
        let vfork = request.has(CloneFlags::VFORK).then(|| {
            Arc::new(Vfork {
                done: AtomicBool::new(false),
                queue: WaitQueue::new(),
            })
        });
        task.vfork.set(vfork.clone());
        self.publish(request, &task)?;
        if let Err(error) = run::spawn(start) {
            log::warn!("no host thread for a task: {error}");
            self.unpublish(&task);
            return Err(EAGAIN.into());
        }
        if let Some((reservation, file)) = pidfd {
            reservation.fill(file, CloseOnExec::Yes);
        }
        if let Some(vfork) = vfork {
            self.wait_for_vfork(&vfork);
        }
        Ok(pid)
    }

    /// RLIMIT_NPROC: `EAGAIN`.
    fn check_process_limit(&self) -> Result<(), Errno> {
        let creds = self.creds.get();
        let limit = self.group.limits.soft(Resource::Nproc);
        let count = self
            .kernel
            .users
            .get(creds.uid.real)
            .threads
            .load(Ordering::Relaxed);
        let exempt = creds.uid.real == 0
            || creds.has(Capabilities::SYS_RESOURCE)
            || creds.has(Capabilities::SYS_ADMIN);
        if count >= limit && !exempt {
            return Err(EAGAIN.why("RLIMIT_NPROC"));
        }
        Ok(())
    }

    fn child_memory(&self, request: &CloneRequest) -> Result<Arc<Mm>, Errno> {
        if request.has(CloneFlags::VM) {
            Ok(self.mem().clone())
        } else {
            self.mem().fork()
        }
    }

    fn child_task(
        &self,
        request: &CloneRequest,
        pid: Pid,
        mm: Arc<Mm>,
    ) -> Result<Arc<Task>, Errno> {
        let group = if request.has(CloneFlags::THREAD) {
            self.group.clone()
        } else {
            self.child_group(request, pid)
        };
        let fs = if request.has(CloneFlags::FS) {
            self.fs.get()
        } else {
            self.fs.get().fork()
        };
        let fds = if request.has(CloneFlags::FILES) {
            self.fds.get()
        } else {
            self.fds.get().fork()
        };
        let task = Task::new(NewTask {
            tid: pid,
            kernel: self.kernel.clone(),
            group,
            name: self.name.get(),
            creds: self.creds.get(),
            fs,
            fds,
            mm,
            blocked: self.signals.blocked(),
        });
        task.inherit(self);
        task.take_own_namespaces(request.flags);
        if request.has(CloneFlags::CHILD_CLEARTID) {
            let addr = request.child_tid.map_or(0, |at| at.addr().get());
            task.clear_child_tid.store(addr, Ordering::Relaxed);
        }
        Ok(task)
    }

    fn child_group(&self, request: &CloneRequest, pid: Pid) -> Arc<ThreadGroup> {
        let handlers = self.group.handlers.get();
        let handlers = if request.has(CloneFlags::SIGHAND) {
            handlers
        } else if request.has(CloneFlags::CLEAR_SIGHAND) {
            Arc::new(handlers.without_handlers())
        } else {
            Arc::new(handlers.fork())
        };
        let exit_signal = if request.has(CloneFlags::PARENT) {
            self.group.exit_signal()
        } else {
            request.exit_signal
        };
        let group = ThreadGroup::new(NewGroup {
            pid,
            handlers,
            limits: self.group.limits.fork(),
            session: self.group.session.get(),
            pgid: self.group.pgid(),
            exit_signal,
        });
        group.inherit(&self.group);
        group
    }

    fn child_start(
        &mut self,
        request: &CloneRequest,
        task: &Arc<Task>,
        mm: Arc<Mm>,
    ) -> Result<Start, Errno> {
        let mut regs = Regs {
            rax: 0,
            ..self.regs
        };
        if let Some(stack) = request.stack {
            regs.rsp = stack;
        }
        if request.has(CloneFlags::SETTLS) {
            let (_, end) = self.kernel.platform.user_range();
            if request.tls >= end.get() {
                return Err(EPERM);
            }
            regs.fs_base = request.tls;
        }
        // Another stack would be overwritten by two threads; vfork's parent waits.
        let alone = !request.has(CloneFlags::VM) || request.has(CloneFlags::VFORK);
        let alt_stack = if alone {
            self.own.alt_stack
        } else {
            AltStack::default()
        };
        let fp_state = self.context.fp_state().map_err(|_| EAGAIN)?;
        Ok(Start {
            task: task.clone(),
            mm,
            regs,
            fp_state: Some(fp_state),
            alt_stack,
            store_tid: request
                .child_tid
                .filter(|_| request.has(CloneFlags::CHILD_SETTID)),
        })
    }

    /// Makes the child findable, unless a signal has come meanwhile: sent to the process
    /// group, it would miss the child.
    fn publish(&self, request: &CloneRequest, task: &Arc<Task>) -> Result<(), Stop> {
        let mut tree = self.kernel.pids.lock();
        if self.has_work() {
            return Err(Stop::Restart(Restart::NoIntr));
        }
        if request.has(CloneFlags::THREAD) {
            let mut state = self.group.state();
            // Decided since the look above: the new thread would not hear of it.
            if state.end.is_some() || state.sole.is_some() {
                return Err(Stop::Restart(Restart::NoIntr));
            }
            state.threads.push(task.clone());
        } else {
            let own = (self.group.pid, self.tid());
            let parent = if request.has(CloneFlags::PARENT) {
                let process = tree.process(self.group.pid);
                process.and_then(|p| Some((p.parent?, p.parent_tid)))
            } else {
                Some(own)
            };
            // The session and group may have changed since they were copied.
            task.group.set_pgid(self.group.pgid());
            task.group.session.set(self.group.session.get());
            tree.insert_process(&task.group, parent);
            task.group.set_leader(task);
            task.group.state().threads.push(task.clone());
        }
        tree.insert_task(task);
        Ok(())
    }

    fn unpublish(&self, task: &Arc<Task>) {
        let mut tree = self.kernel.pids.lock();
        task.group
            .state()
            .threads
            .retain(|other| !Arc::ptr_eq(other, task));
        if Arc::ptr_eq(&task.group, &self.group) {
            tree.remove_task(task.tid());
        } else {
            tree.remove_process(task.group.pid);
        }
        task.forget_user();
    }

    /// Only the end of the process interrupts this wait.
    fn wait_for_vfork(&self, vfork: &Vfork) {
        let finished = || {
            if vfork.done.load(Ordering::SeqCst) {
                Ok(())
            } else {
                Err(Stop::Errno(EAGAIN))
            }
        };
        // Interrupted only by an end, which is dealt with soon.
        let _ = self.block_until_killed(&vfork.queue, finished);
    }

    /// As `block_on`, but only the end of the thread interrupts the wait; signals are
    /// looked at afterwards.
    pub(crate) fn block_until_killed<T>(
        &self,
        queue: &WaitQueue,
        mut attempt: impl FnMut() -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let mut put_off = false;
        let result = loop {
            match self.block_on(queue, Ready::READABLE, None, &mut attempt) {
                Err(Stop::Restart(_)) if !self.must_exit() => {
                    // Cleared before the next look at what could have set it.
                    self.take_work();
                    put_off = true;
                    if self.must_exit() {
                        break Err(Stop::Restart(Restart::NoIntr));
                    }
                }
                result => break result,
            }
        };
        if put_off {
            self.mark_work();
        }
        result
    }
}
