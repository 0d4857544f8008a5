//! Links that lead to the very file.

use syscalls::Errno;
use syscalls::errno::ENOENT;

use super::Process;
use crate::task::{Current, Task};
use crate::vfs::{LinkTarget, Location};

/// `at`, with its name as `task` would say it.
pub(super) fn jump(at: Location, task: &Current) -> LinkTarget {
    let text = at.path(&task.root());
    LinkTarget::Jump(at, text)
}

/// A thread that has ended is nowhere.
fn living(task: &Task) -> Result<(), Errno> {
    task.mm.with(|mm| mm.as_ref().map(drop)).ok_or(ENOENT)
}

/// proc_pid_cwd(5).
pub(super) fn cwd(process: &Process, task: &Current) -> Result<LinkTarget, Errno> {
    let other = process.inspected_by(task)?;
    living(&other)?;
    Ok(jump(other.cwd(), task))
}

/// proc_pid_root(5).
pub(super) fn root(process: &Process, task: &Current) -> Result<LinkTarget, Errno> {
    let other = process.inspected_by(task)?;
    living(&other)?;
    Ok(jump(other.root(), task))
}

/// proc_pid_exe(5).
pub(super) fn exe(process: &Process, task: &Current) -> Result<LinkTarget, Errno> {
    let other = process.inspected_by(task)?;
    let file = other.mm.get().and_then(|mm| mm.exe());
    Ok(jump(file.ok_or(ENOENT)?.location.clone(), task))
}
