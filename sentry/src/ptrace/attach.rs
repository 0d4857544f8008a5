//! Who traces whom: attaching, new children of traced threads, detaching, and the end of
//! either side.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::Errno;
use syscalls::abi::ptrace::PtraceOptions;
use syscalls::abi::signal::Siginfo;
use syscalls::errno::{EPERM, ESRCH};

use super::stop::Watch;
use super::{Event, Link};
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::task::{Current, ExitStatus, Pid, StopState, Task, Tree, Usage, after_tracer};

/// A traced thread, in the table of tasks.
pub(crate) struct Tracee {
    pub(crate) task: Arc<Task>,
    pub(crate) tracer: Arc<Task>,
    /// How it ended, and what it had used: the tracer waits for threads too.
    pub(crate) ended: Option<(ExitStatus, Usage)>,
}

/// How a tracer gets hold of a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Attach,
    Seize(PtraceOptions),
}

impl Tree {
    /// Makes `tracer` the tracer of `tracee`; `EPERM` if it has one, or ends.
    fn link(&mut self, tracee: &Arc<Task>, tracer: &Arc<Task>, hold: Hold) -> Result<(), Errno> {
        if tracee.is_exiting() {
            return Err(EPERM);
        }
        let (seized, options) = match hold {
            Hold::Attach => (false, PtraceOptions::empty()),
            Hold::Seize(options) => (true, options),
        };
        let stopped = tracee.group.state().stop != StopState::Running;
        let mut state = tracee.trace.state.lock();
        if state.link.is_some() {
            return Err(EPERM);
        }
        state.link = Some(Link {
            tracer: tracer.clone(),
            seized,
            options,
            message: 0,
        });
        state.trap = stopped;
        tracee.trace.traced.store(true, Ordering::SeqCst);
        self.tracees.insert(
            tracee.tid(),
            Tracee {
                task: tracee.clone(),
                tracer: tracer.clone(),
                ended: None,
            },
        );
        Ok(())
    }

    /// The thread of a process's parent that made it.
    fn parent_thread(&self, pid: Pid) -> Option<Arc<Task>> {
        let process = self.process(pid)?;
        let parent = self.process(process.parent?)?;
        let maker = self.task(process.parent_tid).cloned();
        maker
            .filter(|task| Arc::ptr_eq(&task.group, &parent.group))
            .or_else(|| parent.group.leader())
    }

    /// A new thread of a traced one, before it runs: it is traced likewise and stops first.
    pub(crate) fn link_child(&mut self, parent: &Task, child: &Arc<Task>) {
        let Some((tracer, seized, options)) = ({
            let state = parent.trace.state.lock();
            let link = state.link.as_ref();
            link.map(|link| (link.tracer.clone(), link.seized, link.options))
        }) else {
            return;
        };
        if self.link(child, &tracer, Hold::Seize(options)).is_err() {
            return;
        }
        let mut state = child.trace.state.lock();
        if let Some(link) = &mut state.link {
            link.seized = seized;
        }
        state.trap = seized;
        drop(state);
        if !seized {
            child.signals.push_silent(Signal::STOP);
        }
        child.mark_work();
    }

    /// execve(2) gives a thread another number.
    pub(crate) fn renumber_tracee(&mut self, before: Pid, after: Pid) {
        // The thread that had the number is gone without a word.
        self.tracees.remove(&after);
        if let Some(tracee) = self.tracees.remove(&before) {
            self.tracees.insert(after, tracee);
        }
    }
}

impl Current {
    /// `PTRACE_TRACEME`.
    pub(super) fn trace_me(&self) -> Result<(), Errno> {
        let mut tree = self.kernel.pids.lock();
        let parent = tree.parent_thread(self.group.pid).ok_or(EPERM)?;
        tree.link(self.task(), &parent, Hold::Attach)?;
        drop(tree);
        self.show_code();
        Ok(())
    }

    /// `PTRACE_ATTACH`, `PTRACE_SEIZE`.
    pub(super) fn attach(&self, tid: Pid, hold: Hold) -> Result<(), Errno> {
        let task = self.find_task(tid).ok_or(ESRCH)?;
        if Arc::ptr_eq(&task.group, &self.group) || !self.may_inspect(&task) {
            return Err(EPERM);
        }
        {
            let mut tree = self.kernel.pids.lock();
            if !tree
                .task(task.tid())
                .is_some_and(|known| Arc::ptr_eq(known, &task))
            {
                return Err(ESRCH);
            }
            tree.link(&task, self.task(), hold)?;
        }
        task.show_code();
        if hold == Hold::Attach {
            let _ = self
                .kernel
                .signal_task(&task, &Siginfo::kernel(Signal::STOP.raw()));
        }
        task.kick();
        Ok(())
    }
}

impl Task {
    /// A debugger finds code as its files have it, and can step through it.
    pub(crate) fn show_code(&self) {
        if let Some(mm) = self.mm.get()
            && let Err(errno) = mm.stop_rewriting()
        {
            log::warn!(
                "thread {}: its code cannot be restored: {errno}",
                self.tid()
            );
        }
    }

    /// The thread is traced no longer, and goes on from a stop with `signal`.
    pub(super) fn unlink(&self, signal: i32) {
        {
            let mut state = self.trace.state.lock();
            state.link = None;
            state.trap = false;
            self.trace.traced.store(false, Ordering::SeqCst);
            state.give_back(signal, Watch::default());
        }
        // A process that is stopped stays so.
        self.kick();
    }
}

/// `tracer` ends: those that it traced go on alone, or end as it asked.
pub(crate) fn release_tracees(kernel: &Arc<Kernel>, tree: &mut Tree, tracer: &Arc<Task>) {
    let mut tids = Vec::new();
    for (&tid, tracee) in &tree.tracees {
        if Arc::ptr_eq(&tracee.tracer, tracer) {
            tids.push(tid);
        }
    }
    for tid in tids {
        let Some(tracee) = tree.tracees.remove(&tid) else {
            continue;
        };
        let task = tracee.task;
        if task.trace.wants(PtraceOptions::EXITKILL) {
            task.group.kill(ExitStatus::Killed(Signal::KILL));
        }
        let signal = {
            let state = task.trace.state.lock();
            let untold = state.stop.as_ref().filter(|stop| !stop.told);
            untold.map_or(0, |stop| stop.code & 0x7f)
        };
        task.unlink(signal);
        if tid == task.group.pid {
            after_tracer(kernel, tree, &task.group, tracer.group.pid);
        }
    }
}

/// A traced thread has ended: its tracer may wait for it. Under the table's lock.
pub(crate) fn note_end(tree: &mut Tree, task: &Arc<Task>, status: ExitStatus, usage: Usage) {
    let known = tree.tracees.get_mut(&task.tid());
    let Some(tracee) = known.filter(|tracee| Arc::ptr_eq(&tracee.task, task)) else {
        return;
    };
    let is_leader = task.tid() == task.group.pid;
    if !is_leader {
        tracee.ended = Some((status, usage));
        let tracer = tracee.tracer.clone();
        task.tell_tracer_within(tree, &tracer, status);
    }
}

impl Task {
    /// SIGCHLD about an end, for the tracer.
    pub(crate) fn tell_tracer_within(&self, tree: &Tree, tracer: &Arc<Task>, status: ExitStatus) {
        let uid = self.creds.with(|creds| creds.uid.real);
        let (code, status) = status.to_child();
        let pid = self.numbers().seen_from(tracer.pid_namespace());
        let info = Siginfo::child(code, pid, uid, status, 0, 0);
        let _ = self
            .kernel
            .signal_process_within(tree, &tracer.group, &info);
        tracer.group.notify_child_event();
    }
}

/// What `event` is for a new child of a traced thread, if its tracer wants to know.
pub(crate) fn clone_event(parent: &Task, event: Event) -> Option<Event> {
    (parent.trace.is_on() && parent.trace.wants(event.option())).then_some(event)
}
