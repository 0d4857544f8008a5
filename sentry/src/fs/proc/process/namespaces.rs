//! Links to name spaces, namespaces(7): they lead to files of [`nsfs`].

use syscalls::Errno;
use syscalls::errno::ENOENT;

use super::Process;
use crate::fs::synth::Entry;
use crate::namespace::{Kind, Namespace, nsfs, of_task};
use crate::task::{Current, Task};
use crate::vfs::LinkTarget;

fn jump(namespace: Namespace) -> LinkTarget {
    let (at, name) = nsfs::location(namespace);
    LinkTarget::Jump(at, name.into_bytes())
}

fn target(process: &Process, task: &Current, kind: Kind) -> Result<LinkTarget, Errno> {
    let other = process.inspected_by(task)?;
    let stays = matches!(kind, Kind::Pid | Kind::User);
    if !stays {
        living(&other)?;
    }
    Ok(jump(of_task(&other, kind)))
}

/// What has ended is in no name space any more.
fn living(task: &Task) -> Result<(), Errno> {
    task.mm.with(|mm| mm.as_ref().map(drop)).ok_or(ENOENT)
}

/// Not there until its first process is.
fn pid_for_children(process: &Process, task: &Current) -> Result<LinkTarget, Errno> {
    let other = process.inspected_by(task)?;
    living(&other)?;
    let namespace = other.pid_for_children.get();
    namespace.init().ok_or(ENOENT)?;
    Ok(jump(Namespace::Pid(namespace)))
}

/// /proc/PID/ns.
pub(super) const ENTRIES: &[Entry<Process>] = &[
    Entry::magic("cgroup", |p, t| target(p, t, Kind::Cgroup)),
    Entry::magic("ipc", |p, t| target(p, t, Kind::Ipc)),
    Entry::magic("mnt", |p, t| target(p, t, Kind::Mount)),
    Entry::magic("net", |p, t| target(p, t, Kind::Net)),
    Entry::magic("pid", |p, t| target(p, t, Kind::Pid)),
    Entry::magic("pid_for_children", pid_for_children),
    Entry::magic("time", |p, t| target(p, t, Kind::Time)),
    Entry::magic("time_for_children", |p, t| target(p, t, Kind::Time)),
    Entry::magic("user", |p, t| target(p, t, Kind::User)),
    Entry::magic("uts", |p, t| target(p, t, Kind::Uts)),
];
