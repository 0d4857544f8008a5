//! How a PID name space ends: with its first process, which outlives all others.

use super::pid_namespace::PidNamespace;
use super::{ExitStatus, Task, Tree};
use crate::signal::{Action, Handler, Signal};
use crate::wait::{Ready, wait_until};

/// The last thread of a name space's init ends: kills all that live there, and waits until
/// they are gone. Nobody joins from now on.
///
/// As in Linux nothing interrupts that: a process whose parent or tracer lives outside is
/// gone only when that has waited for it.
pub(super) fn outlive_others(task: &Task) {
    if !task
        .group
        .threads()
        .iter()
        .all(|thread| thread.is_exiting())
    {
        return;
    }
    // Children that end from now on go at once.
    let action = Action {
        handler: Handler::Ignore,
        ..Action::default()
    };
    task.group.handlers.get().set(Signal::CHLD, action);
    let namespace = task.pid_namespace();
    {
        let mut tree = task.kernel.pids.lock();
        namespace.close();
        tree.kill_all_in(namespace, task);
        tree.reap_all_of(task);
    }
    wait_until(namespace.departures(), Ready::READABLE, || {
        let tree = task.kernel.pids.lock();
        let mut others = tree.others_in(namespace, task);
        others.next().is_none()
    });
}

impl Tree {
    fn others_in(
        &self,
        namespace: &PidNamespace,
        init: &Task,
    ) -> impl Iterator<Item = &super::Process> {
        let own = init.group.pid;
        self.processes().filter(move |process| {
            process.group.pid != own && process.group.pid_namespace().is_within(namespace)
        })
    }

    fn kill_all_in(&self, namespace: &PidNamespace, init: &Task) {
        for process in self.others_in(namespace, init) {
            for thread in process.group.threads() {
                thread.trace.kill();
            }
            process.group.kill(ExitStatus::Killed(Signal::KILL));
        }
    }

    /// Takes out the children that have ended; those that are traced go when their tracer
    /// lets them.
    fn reap_all_of(&mut self, init: &Task) {
        let children = self.process(init.group.pid).map(|p| p.children.clone());
        for pid in children.unwrap_or_default() {
            let ended = self.process(pid).is_some_and(|p| p.zombie.is_some());
            if ended && !self.tracees.contains_key(&pid) {
                self.remove_process(pid);
            }
        }
    }
}
