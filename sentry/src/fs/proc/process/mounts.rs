//! proc_pid_mounts(5), proc_pid_mountinfo(5), proc_pid_mountstats(5).

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::EINVAL;

use super::Process;
use crate::fs::synth::Opener;
use crate::vfs::{Location, MountNamespace};

/// What the process sees, and its root; `EINVAL` once it has ended.
fn seen(process: &Process) -> Result<(Arc<MountNamespace>, Location), Errno> {
    let task = process.task()?;
    task.mm.with(|mm| mm.as_ref().map(drop)).ok_or(EINVAL)?;
    let fs = task.fs.get();
    Ok((fs.mounts.get(), fs.root.get()))
}

pub(super) fn mounts(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let (namespace, root) = seen(process)?;
    Ok(namespace.mounts_text(&root))
}

pub(super) fn mountinfo(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let (namespace, root) = seen(process)?;
    Ok(namespace.mountinfo_text(&root))
}

pub(super) fn mountstats(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let (namespace, root) = seen(process)?;
    Ok(namespace.mountstats_text(&root))
}
