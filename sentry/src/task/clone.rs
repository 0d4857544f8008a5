//! New threads and processes, clone(2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platform::Regs;
use syscalls::abi::sched::CloneFlags;
use syscalls::errno::{EAGAIN, EINVAL, ENODEV, ENOMEM, EPERM};
use syscalls::{Errno, Restart, Stop, UserPtr};

use super::run::{self, Start};
use super::{
    Capabilities, Credentials, Current, NewGroup, NewTask, Numbers, Pid, PidNamespace, Resource,
    Task, ThreadGroup, pidfd,
};
use crate::cgroup::Group;
use crate::fd::CloseOnExec;
use crate::mm::Mm;
use crate::namespace::{MAX_USER_NAMESPACES, UserNamespace};
use crate::ptrace::{Event, clone_event};
use crate::signal::{AltStack, Signal};
use crate::time::cpu_limit;
use crate::wait::{Ready, WaitQueue};

/// What clone(2), clone3(2), fork(2) and vfork(2) ask for.
#[derive(Clone, Default)]
pub(crate) struct CloneRequest {
    pub(crate) flags: CloneFlags,
    pub(crate) exit_signal: Option<Signal>,
    /// The child's stack pointer; `None`: the parent's.
    pub(crate) stack: Option<u64>,
    pub(crate) tls: u64,
    pub(crate) parent_tid: Option<UserPtr<i32>>,
    pub(crate) child_tid: Option<UserPtr<i32>>,
    pub(crate) pidfd: Option<UserPtr<i32>>,
    /// The numbers that the child shall have, from its own name space outward, clone3(2).
    pub(crate) tids: Vec<Pid>,
    /// CLONE_INTO_CGROUP: where the child shall be.
    pub(crate) cgroup: Option<Arc<Group>>,
}

/// Name spaces that there is only one of.
const MISSING_NAMESPACES: CloneFlags = CloneFlags::NEWTIME;

/// Name spaces that a task can have of its own, but for user name spaces.
const OWN_NAMESPACES: CloneFlags = CloneFlags::NEWUTS
    .union(CloneFlags::NEWCGROUP)
    .union(CloneFlags::NEWNS)
    .union(CloneFlags::NEWIPC)
    .union(CloneFlags::NEWNET)
    .union(CloneFlags::NEWPID);

/// The parent of vfork(2) waits here until the child has another memory.
pub(crate) struct Vfork {
    done: AtomicBool,
    queue: WaitQueue,
}

impl Task {
    /// True unless its children live in another PID name space than it does itself.
    pub(super) fn has_children_beside_it(&self) -> bool {
        let theirs = |namespace: &Arc<_>| Arc::ptr_eq(namespace, self.pid_namespace());
        self.pid_for_children.with(theirs)
    }

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
            // The children of a first process are its own business.
            (CloneFlags::PARENT, task.group.parent_pid() == 0),
            (CloneFlags::PARENT, task.group.numbers.is_nested_init()),
            // Threads of a process live in one name space.
            (CloneFlags::THREAD | CloneFlags::NEWPID, true),
            (CloneFlags::THREAD | CloneFlags::NEWUSER, true),
            (CloneFlags::THREAD, !task.has_children_beside_it()),
            (CloneFlags::INTO_CGROUP, self.cgroup.is_none()),
            (CloneFlags::INTO_CGROUP | CloneFlags::THREAD, true),
        ];
        if contradictions
            .iter()
            .any(|&(flags, wrong)| wrong && self.has(flags))
        {
            return Err(EINVAL);
        }
        Ok(())
    }
}

/// The credentials of who takes the name spaces that `flags` ask for: with CLONE_NEWUSER
/// those of a new user name space, which then owns the others. `EPERM`, `EINVAL`, `ENOSPC`.
pub(super) fn namespaces_owner(task: &Task, flags: CloneFlags) -> Result<Arc<Credentials>, Errno> {
    let mut creds = task.creds.get();
    if flags.contains(CloneFlags::NEWUSER) {
        if !task.fs.get().is_at_top() {
            return Err(EPERM.why("user name spaces from below a chroot"));
        }
        let sysctls = &task.kernel.sysctls;
        let most = sysctls.number("user.max_user_namespaces", MAX_USER_NAMESPACES);
        let user = UserNamespace::new(&creds, most)?;
        creds = Arc::new(creds.entering(user));
    }
    let wanted = flags & (MISSING_NAMESPACES | OWN_NAMESPACES);
    if wanted.is_empty() {
        return Ok(creds);
    }
    if !creds.has_here(Capabilities::SYS_ADMIN) {
        return Err(EPERM);
    }
    if wanted.intersects(MISSING_NAMESPACES) {
        return Err(EINVAL.why("no such name spaces here"));
    }
    if wanted.contains(CloneFlags::NEWPID) && !task.has_children_beside_it() {
        return Err(EINVAL);
    }
    Ok(creds)
}

impl Current {
    /// Makes a thread or process; returns its number.
    pub(crate) fn clone_task(&mut self, request: &CloneRequest) -> Result<Pid, Stop> {
        request.check(self)?;
        let creds = namespaces_owner(self, request.flags)?;
        self.check_process_limit()?;
        let mm = self.child_memory(request)?;
        let kernel = self.kernel.clone();
        let namespace = self.child_pid_namespace(request, &creds.user)?;
        let reserved = kernel.pids.reserve(&namespace, &request.tids)?;
        let pid = reserved.numbers.seen_from(self.pid_namespace());
        let task = self.child_task(request, &reserved.numbers, mm.clone(), creds)?;
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
        let event = self.event_of(request);
        self.publish(request, &task, event)?;
        if let Err(error) = run::spawn(start) {
            log::warn!("no host thread for a task: {error}");
            self.unpublish(&task);
            return Err(EAGAIN.into());
        }
        if let Some((reservation, file)) = pidfd {
            reservation.fill(file, CloseOnExec::Yes);
        }
        let numbers = reserved.numbers.clone();
        drop(reserved);
        if let Some(event) = event {
            self.stop_for_event(event, self.number_for_tracer(&numbers));
        }
        if let Some(vfork) = vfork {
            self.wait_for_vfork(&vfork);
            self.stop_for_event(Event::VforkDone, self.number_for_tracer(&numbers));
        }
        Ok(pid)
    }

    /// Where the child will live.
    fn child_pid_namespace(
        &self,
        request: &CloneRequest,
        user: &UserNamespace,
    ) -> Result<Arc<PidNamespace>, Errno> {
        if request.has(CloneFlags::THREAD) {
            return Ok(self.pid_namespace().clone());
        }
        let namespace = self.pid_for_children.get();
        if request.has(CloneFlags::NEWPID) {
            PidNamespace::new(&namespace, user)
        } else {
            Ok(namespace)
        }
    }

    /// For what a tracer is told of the child, if it wants to know.
    fn event_of(&self, request: &CloneRequest) -> Option<Event> {
        let event = if request.has(CloneFlags::UNTRACED) {
            return None;
        } else if request.has(CloneFlags::VFORK) {
            Event::Vfork
        } else if request.exit_signal == Some(Signal::CHLD) {
            Event::Fork
        } else {
            Event::Clone
        };
        clone_event(self, event)
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
        numbers: &Arc<Numbers>,
        mm: Arc<Mm>,
        creds: Arc<Credentials>,
    ) -> Result<Arc<Task>, Errno> {
        let user = creds.user.clone();
        let group = if request.has(CloneFlags::THREAD) {
            self.group.clone()
        } else {
            self.child_group(request, numbers)
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
            numbers: numbers.clone(),
            kernel: self.kernel.clone(),
            group,
            name: self.name.get(),
            creds,
            fs,
            fds,
            mm,
            blocked: self.signals.blocked(),
        });
        task.inherit(self);
        if request.has(CloneFlags::SYSVSEM) {
            task.undo.set(Some(self.undo_list()));
        }
        let cgroup = self.kernel.cgroup_of(&self.group);
        task.take_own_namespaces(request.flags, &cgroup, &user);
        if request.has(CloneFlags::CHILD_CLEARTID) {
            let addr = request.child_tid.map_or(0, |at| at.addr().get());
            task.clear_child_tid.store(addr, Ordering::Relaxed);
        }
        Ok(task)
    }

    fn child_group(&self, request: &CloneRequest, numbers: &Arc<Numbers>) -> Arc<ThreadGroup> {
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
            numbers: numbers.clone(),
            handlers,
            limits: self.group.limits.fork(),
            session: self.group.session.get(),
            pgid: self.group.pgid(),
            exit_signal,
        });
        group.inherit(&self.group);
        cpu_limit::enforce(&self.kernel, &group);
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
    fn publish(
        &self,
        request: &CloneRequest,
        task: &Arc<Task>,
        event: Option<Event>,
    ) -> Result<(), Stop> {
        let mut tree = self.kernel.pids.lock();
        if self.has_work() {
            return Err(Stop::Restart(Restart::NoIntr));
        }
        // Its init may have ended since the numbers were given.
        if task.pid_namespace().is_closed() {
            return Err(ENOMEM.into());
        }
        let own = self.kernel.cgroup_of(&self.group);
        let cgroup = request.cgroup.as_ref().unwrap_or(&own);
        if !cgroup.is_alive() {
            return Err(ENODEV.into());
        }
        self.kernel.admit_task(&tree, cgroup)?;
        if request.has(CloneFlags::THREAD) {
            let mut state = self.group.state();
            // Decided since the look above: the new thread would not hear of it.
            if state.end.is_some() || state.sole.is_some() {
                return Err(Stop::Restart(Restart::NoIntr));
            }
            task.seccomp.inherit(&self.seccomp);
            state.threads.push(task.clone());
        } else {
            let own = (self.group.pid, self.tid());
            let parent = if request.has(CloneFlags::PARENT) {
                let process = tree.process(self.group.pid);
                process.and_then(|p| Some((p.parent?, p.parent_tid)))
            } else {
                Some(own)
            };
            // They may have changed since they were copied.
            task.group.set_pgid(self.group.pgid());
            task.group.session.set(self.group.session.get());
            let inside = (!cgroup.is_root()).then(|| cgroup.clone());
            task.group.set_cgroup(inside);
            tree.insert_process(&task.group, parent);
            task.group.set_leader(task);
            task.seccomp.inherit(&self.seccomp);
            task.group.state().threads.push(task.clone());
        }
        tree.insert_task(task);
        if event.is_some() || request.has(CloneFlags::PTRACE) {
            tree.link_child(self, task);
        }
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
