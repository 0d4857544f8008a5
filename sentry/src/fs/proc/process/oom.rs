//! How likely a process is to be chosen when memory runs out. Nothing chooses yet: the
//! values are kept for those who set them.

use std::sync::atomic::Ordering;

use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL};

use super::Process;
use crate::fs::proc::memory::Memory;
use crate::fs::synth::Opener;
use crate::sysctl;
use crate::task::Capabilities;

/// The range of an adjustment, proc_pid_oom_score_adj(5).
const MAX: i32 = 1000;
/// The range of the older one, proc_pid_oom_adj(5), and its value for "never".
const OLD_MAX: i32 = 15;
const OLD_NEVER: i32 = -17;

fn current(process: &Process) -> Result<i32, Errno> {
    let task = process.task()?;
    Ok(task.group.worst_case.oom_score_adj.load(Ordering::Relaxed))
}

/// proc_pid_oom_score(5), as Linux computes it from what the process has in memory.
pub(super) fn score(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let adjustment = i64::from(current(process)?);
    let used = process.mm()?.map_or(0, |mm| mm.usage().rss);
    let total = Memory::total(&*process.kernel()?).max(1);
    let share = used.saturating_mul(1000) / total;
    let points = i64::try_from(share).unwrap_or(1000) + adjustment;
    let score = if adjustment == i64::from(-MAX) {
        0
    } else {
        (1000 + points).max(0) * 2 / 3
    };
    Ok(format!("{score}\n").into_bytes())
}

pub(super) fn adjustment(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    Ok(format!("{}\n", current(process)?).into_bytes())
}

/// Less than it ever was without privilege takes `CAP_SYS_RESOURCE`.
fn set(process: &Process, opener: &Opener, to: i32) -> Result<(), Errno> {
    let task = process.task()?;
    let settings = &task.group.worst_case;
    let least = settings.oom_score_adj_min.load(Ordering::Relaxed);
    let privileged = opener.creds.has(Capabilities::SYS_RESOURCE);
    if to < least && !privileged {
        return Err(EACCES);
    }
    settings.oom_score_adj.store(to, Ordering::Relaxed);
    if privileged {
        settings.oom_score_adj_min.store(to, Ordering::Relaxed);
    }
    Ok(())
}

fn number(data: &[u8], range: std::ops::RangeInclusive<i32>) -> Result<i32, Errno> {
    let number = sysctl::parse(data).and_then(|number| i32::try_from(number).ok());
    number.filter(|n| range.contains(n)).ok_or(EINVAL)
}

pub(super) fn set_adjustment(process: &Process, opener: &Opener, data: &[u8]) -> Result<(), Errno> {
    set(process, opener, number(data, -MAX..=MAX)?)
}

/// proc_pid_oom_adj(5).
pub(super) fn old_adjustment(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let adjustment = current(process)?;
    let old = if adjustment == MAX {
        OLD_MAX
    } else {
        adjustment * -OLD_NEVER / MAX
    };
    Ok(format!("{old}\n").into_bytes())
}

pub(super) fn set_old_adjustment(
    process: &Process,
    opener: &Opener,
    data: &[u8],
) -> Result<(), Errno> {
    let old = number(data, OLD_NEVER..=OLD_MAX)?;
    let adjustment = if old == OLD_MAX {
        MAX
    } else {
        old * MAX / -OLD_NEVER
    };
    set(process, opener, adjustment)
}
