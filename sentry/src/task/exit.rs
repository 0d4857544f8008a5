//! How threads and processes end, exit(2) and exit_group(2).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::abi::signal::{SigactionFlags, Siginfo};
use syscalls::{Run, Stop, SysResult, UserAddr, UserPtr, call};

use super::{Current, ExitStatus, Pid, Process, Task, Terminal, ThreadGroup, Tree, Usage, Zombie};
use crate::core_dump::Registers;
use crate::kernel::Kernel;
use crate::mm::{Mm, Sharing};
use crate::ptrace::{note_end, release_tracees};
use crate::signal::{Handler, Signal};
use crate::wait::Ready;

impl Run<Current> for call::Exit {
    fn run(self, task: &mut Current) -> SysResult {
        task.own.exit = Some(ExitStatus::of_code(self.status));
        task.mark_work();
        Err(Stop::Registers)
    }
}

impl Run<Current> for call::ExitGroup {
    fn run(self, task: &mut Current) -> SysResult {
        task.group.kill(ExitStatus::of_code(self.status));
        task.mark_work();
        Err(Stop::Registers)
    }
}

impl Current {
    /// Ends the thread. Nothing of the guest runs on it any more.
    pub(crate) fn exit(mut self) {
        let end = self.own.exit.or_else(|| self.group.state().end);
        self.stop_before_exit(end.unwrap_or(ExitStatus::Exited(0)));
        let dumped = self.leave_registers();
        let status = self.own.exit;
        let task = self.task().clone();
        let mm = self.mem().clone();
        stop_taking_signals(&task);
        // Before those who wait for the thread hear of its end.
        task.kernel.pids.lock().pass_on_children(&task);
        if dumped {
            // The memory stays as it was.
            task.clear_child_tid.store(0, Ordering::Relaxed);
        } else {
            super::robust::release(&mut self);
        }
        let usage = task.usage();
        task.set_interrupt(None);
        self.context.finish();
        drop(self);
        leave(&task, mm, status, usage);
    }
}

impl Current {
    /// For a dump of the process's memory; false unless that is why the thread ends.
    fn leave_registers(&mut self) -> bool {
        if self.group.state().remains.is_none() {
            return false;
        }
        let registers = Registers {
            numbers: self.numbers(),
            regs: self.regs,
            fp: self.context.fp_state().ok(),
        };
        if let Some(remains) = &mut self.group.state().remains {
            remains.push(registers);
        }
        true
    }
}

/// Ends a thread that never ran.
pub(super) fn without_context(task: Arc<Task>, mm: Arc<Mm>) {
    stop_taking_signals(&task);
    leave(&task, mm, None, Usage::default());
}

/// Signals of the process that only this thread would have taken go to others.
fn stop_taking_signals(task: &Arc<Task>) {
    task.set_exiting();
    let open = task.signals.blocked().complement();
    task.group.hand_over_signals(open);
}

fn leave(task: &Arc<Task>, mm: Arc<Mm>, status: Option<ExitStatus>, usage: Usage) {
    leave_memory(task, &mm);
    drop(mm);
    task.leave_undo_list();
    task.seccomp.release();
    // The last that has the table closes what is open.
    drop(task.fds.set(Arc::default()));
    let kernel = &task.kernel;
    if task.group.numbers.is_nested_init() {
        super::pid_namespace_end::outlive_others(task);
    }
    let ended = {
        let mut tree = kernel.pids.lock();
        release_tracees(kernel, &mut tree, task);
        let (last, stopped) = {
            let mut state = task.group.state();
            state.threads.retain(|other| !Arc::ptr_eq(other, task));
            state.past_usage.add(&usage);
            if task.tid() == task.group.pid {
                state.leader_status = status;
            }
            (state.threads.is_empty(), state.finish_stop())
        };
        // The leader's number is the process's own until that is waited for.
        if task.tid() != task.group.pid {
            tree.remove_task(task.tid());
        }
        let own = status.or_else(|| task.group.state().end);
        note_end(&mut tree, task, own.unwrap_or(ExitStatus::Exited(0)), usage);
        if last {
            Some(end_process(kernel, &mut tree, &task.group))
        } else {
            if let Some(event) = stopped {
                kernel.tell_parent_of_stop(&tree, &task.group, event);
            }
            None
        }
    };
    task.forget_user();
    task.group.thread_events.notify(Ready::READABLE);
    if let Some(terminal) = ended {
        task.group.timers.on_exit();
        if let Some(terminal) = terminal {
            terminal.hang_up();
        }
        task.group.exit_events.notify(Ready::READABLE);
        kernel.process_ends.notify(Ready::READABLE);
    }
}

/// What others that share the memory wait for: `clear_child_tid` and vfork(2).
pub(super) fn leave_memory(task: &Task, mm: &Arc<Mm>) {
    /// The task's own references to its memory.
    const OWN_USES: usize = 2;
    let clear = UserAddr::new(task.clear_child_tid.swap(0, Ordering::Relaxed));
    // Linux too writes only if somebody else is left to look.
    if !clear.is_null() && Arc::strong_count(mm) > OWN_USES {
        let word = UserPtr::<i32>::new(clear);
        if mm.write(word, &0).is_ok() {
            let _ = crate::futex::wake(&task.kernel.futexes, mm, clear, Sharing::Shared, 1);
        }
    }
    task.mm.set(None);
    task.end_vfork();
}

impl Tree {
    /// A thread ends, its process does not: its children become another thread's.
    fn pass_on_children(&mut self, task: &Task) {
        let tid = task.tid();
        let heir = {
            let state = task.group.state();
            let mut others = state.threads.iter().filter(|t| !t.is_exiting());
            others.next().map(|other| other.tid())
        };
        let Some(heir) = heir else {
            return;
        };
        let Some(process) = self.process(task.group.pid) else {
            return;
        };
        for child in process.children.clone() {
            if let Some(child) = self.process_mut(child)
                && child.parent_tid == tid
            {
                child.parent_tid = heir;
                signal_parent_death(&child.group.clone());
            }
        }
    }

    /// Who takes over the children of `group`: the nearest ancestor that wants to, else
    /// the first process of its PID name space; `None` if that is gone or ending itself.
    fn reaper_for(&self, group: &ThreadGroup) -> Option<Pid> {
        let lives = |process: &&Process| process.zombie.is_none();
        let namespace = group.pid_namespace();
        let mut at = self.process(group.pid)?.parent;
        while let Some(process) = at.and_then(|pid| self.process(pid)) {
            if !Arc::ptr_eq(process.group.pid_namespace(), namespace) {
                break;
            }
            if process.group.is_subreaper() && lives(&process) {
                return Some(process.group.pid);
            }
            at = process.parent;
        }
        let init = namespace.init().and_then(|pid| self.process(pid));
        let init = init.filter(lives)?.group.pid;
        (init != group.pid).then_some(init)
    }
}

/// prctl(PR_SET_PDEATHSIG): tells the threads that asked for it.
fn signal_parent_death(group: &Arc<ThreadGroup>) {
    for thread in group.threads() {
        if let Some(signal) = thread.parent_death_signal() {
            let info = Siginfo::kill(signal.raw(), syscalls::abi::signal::SI_USER, 0, 0);
            let _ = thread.kernel.signal_task(&thread, &info);
        }
    }
}

/// The last thread of a process has ended. What comes back is the terminal that its
/// session had, to be hung up outside the lock.
fn end_process(
    kernel: &Arc<Kernel>,
    tree: &mut Tree,
    group: &Arc<ThreadGroup>,
) -> Option<Arc<dyn Terminal>> {
    let (status, usage) = {
        let mut state = group.state();
        let status = state.end.or(state.leader_status);
        let status = status.unwrap_or(ExitStatus::Exited(0));
        state.end = Some(status);
        kernel.keep_cgroup_usage(group, &state.past_usage);
        let mut usage = state.past_usage;
        usage.add(&state.child_usage);
        (status, usage)
    };
    group.set_ended();
    if tree.init() == Some(group.pid) {
        // The sandbox ends with its first process.
        for other in tree.processes() {
            if other.group.pid != group.pid {
                other.group.kill(ExitStatus::Killed(Signal::KILL));
            }
        }
    }
    if let Some(process) = tree.process_mut(group.pid) {
        process.zombie = Some(Zombie { status, usage });
    }
    let terminal = leave_session(kernel, tree, group);
    give_away_children(kernel, tree, group);
    report_end(kernel, tree, group, status);
    terminal
}

/// Tells of a process's end: another process that traces it first.
fn report_end(kernel: &Arc<Kernel>, tree: &mut Tree, group: &Arc<ThreadGroup>, status: ExitStatus) {
    let parent = tree.process(group.pid).and_then(|process| process.parent);
    let tracee = tree.tracees.get(&group.pid);
    let stranger = tracee.filter(|tracee| Some(tracee.tracer.group.pid) != parent);
    if let Some(tracee) = stranger {
        let (task, tracer) = (tracee.task.clone(), tracee.tracer.clone());
        task.tell_tracer_within(tree, &tracer, status);
    } else if tell_parent(kernel, tree, group) == Reaped::Yes {
        tree.tracees.remove(&group.pid);
        tree.remove_process(group.pid);
    }
}

/// A process that ended is traced no longer by the process `tracer`: if that was not its
/// parent, the parent hears of the end now.
pub(crate) fn after_tracer(
    kernel: &Arc<Kernel>,
    tree: &mut Tree,
    group: &Arc<ThreadGroup>,
    tracer: Pid,
) {
    let Some(process) = tree.process(group.pid) else {
        return;
    };
    if process.zombie.is_none() || process.parent == Some(tracer) {
        return;
    }
    if tell_parent(kernel, tree, group) == Reaped::Yes {
        tree.remove_process(group.pid);
    }
}

fn give_away_children(kernel: &Arc<Kernel>, tree: &mut Tree, group: &Arc<ThreadGroup>) {
    let Some(process) = tree.process_mut(group.pid) else {
        return;
    };
    let children = std::mem::take(&mut process.children);
    let reaper = tree.reaper_for(group);
    let reaper_tid = reaper.and_then(|pid| {
        let group = &tree.process(pid)?.group;
        Some(group.state().threads.first().map_or(pid, |t| t.tid()))
    });
    for &pid in &children {
        let Some(child) = tree.process_mut(pid) else {
            continue;
        };
        child.parent = reaper;
        child.parent_tid = reaper_tid.unwrap_or(0);
        child.group.set_parent_pid(reaper.unwrap_or(0));
        child.group.set_exit_signal(Some(Signal::CHLD));
        let (child, ended) = (child.group.clone(), child.zombie.is_some());
        if let Some(reaper) = reaper.and_then(|pid| tree.process_mut(pid)) {
            reaper.children.push(pid);
        }
        if ended {
            if tell_parent(kernel, tree, &child) == Reaped::Yes {
                tree.remove_process(pid);
            }
        } else {
            signal_parent_death(&child);
            // It may have been the last that kept its process group from being orphaned.
            let pgid = child.pgid();
            let apart = pgid != group.pgid() && child.sid() == group.sid();
            if apart && tree.is_orphaned_group(pgid, None) && tree.has_stopped_member(pgid) {
                wake_orphaned(kernel, tree, pgid);
            }
        }
    }
}

/// The end of a process may orphan its own process group; the end of a session's leader
/// takes the terminal from the session.
fn leave_session(
    kernel: &Arc<Kernel>,
    tree: &Tree,
    group: &Arc<ThreadGroup>,
) -> Option<Arc<dyn Terminal>> {
    let session = group.session.get();
    let terminal = session.terminal().filter(|_| session.sid == group.pid);
    if terminal.is_some() {
        let foreground = session.foreground();
        session.set_terminal(None, 0);
        wake_orphaned(kernel, tree, foreground);
    }
    let pgid = group.pgid();
    let parent = tree
        .process(group.pid)
        .and_then(|p| tree.process(p.parent?));
    let held = parent
        .is_some_and(|parent| parent.group.pgid() != pgid && parent.group.sid() == session.sid);
    if held && tree.is_orphaned_group(pgid, Some(group.pid)) && tree.has_stopped_member(pgid) {
        wake_orphaned(kernel, tree, pgid);
    }
    terminal
}

/// SIGHUP and SIGCONT for a process group that nobody controls any more.
fn wake_orphaned(kernel: &Arc<Kernel>, tree: &Tree, pgid: Pid) {
    for member in tree.process_group(pgid) {
        for signal in [Signal::HUP, Signal::CONT] {
            let info = Siginfo::kernel(signal.raw());
            let _ = kernel.signal_process_within(tree, &member.group, &info);
        }
    }
}

/// Whether a process that ended goes at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reaped {
    Yes,
    No,
}

/// Tells the parent of the end, unless it does not want to know; then nobody waits for
/// the process, and it goes at once.
fn tell_parent(kernel: &Arc<Kernel>, tree: &Tree, group: &Arc<ThreadGroup>) -> Reaped {
    let Some(process) = tree.process(group.pid) else {
        return Reaped::No;
    };
    let Some(parent) = process.parent.and_then(|pid| tree.process(pid)) else {
        return Reaped::Yes;
    };
    let (parent, zombie) = (parent.group.clone(), process.zombie);
    let signal = group.exit_signal();
    let action = parent.handlers.get().get(Signal::CHLD);
    // The init of a name space that ends waits for all that live there, whatever they tell.
    let outlives = parent.numbers.is_nested_init() && parent.pid_namespace().is_closed();
    let ignored = signal == Some(Signal::CHLD)
        && (action.handler == Handler::Ignore || action.flags.contains(SigactionFlags::NOCLDWAIT));
    let silent = signal == Some(Signal::CHLD) && action.handler == Handler::Ignore;
    if let (Some(signal), Some(zombie), false) = (signal, zombie, silent) {
        let uid = group.leader().map_or(0, |task| task.uid_seen_by(&parent));
        let (code, status) = zombie.status.to_child();
        let (user, system) = zombie.usage.ticks();
        let pid = group.numbers.seen_from(parent.pid_namespace());
        let mut info = Siginfo::child(code, pid, uid, status, user, system);
        info.signo = signal.raw();
        let _ = kernel.signal_process_within(tree, &parent, &info);
    }
    parent.notify_child_event();
    if ignored || outlives {
        Reaped::Yes
    } else {
        Reaped::No
    }
}
