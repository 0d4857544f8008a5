//! Sizes, proc_pid_statm(5), and what a dump would hold.

use std::sync::atomic::Ordering;

use syscalls::{Errno, PAGE_SIZE};

use super::Process;
use crate::fs::synth::Opener;
use crate::mm::MemoryUse;
use crate::sysctl;

/// What the process uses; nothing once it has ended.
pub(super) fn usage(process: &Process) -> Result<MemoryUse, Errno> {
    let mm = process.mm()?;
    Ok(mm.map_or_else(MemoryUse::default, |mm| mm.usage()))
}

pub(super) fn statm(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let usage = usage(process)?;
    let data = usage.data + usage.stack;
    let [total, rss, shared, exe, data] =
        [usage.total, usage.rss, usage.rss_file, usage.exe, data].map(|bytes| bytes / PAGE_SIZE);
    Ok(format!("{total} {rss} {shared} {exe} 0 {data} 0\n").into_bytes())
}

/// core(5): which mappings a dump would hold.
pub(super) fn dumped(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let task = process.task()?;
    let filter = task
        .group
        .worst_case
        .coredump_filter
        .load(Ordering::Relaxed);
    Ok(format!("{filter:08x}\n").into_bytes())
}

pub(super) fn set_dumped(process: &Process, _: &Opener, data: &[u8]) -> Result<(), Errno> {
    /// Bits of core(5).
    const ALL: u32 = 0x1ff;
    let filter = sysctl::parse(data).and_then(|filter| u32::try_from(filter).ok());
    let filter = filter.ok_or(syscalls::errno::EINVAL)? & ALL;
    let task = process.task()?;
    task.group
        .worst_case
        .coredump_filter
        .store(filter, Ordering::Relaxed);
    Ok(())
}
