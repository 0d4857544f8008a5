//! What a program was started with.

use syscalls::{Errno, UserAddr};

use super::Process;
use crate::fs::synth::Opener;
use crate::mm::Mm;

/// Arguments and environment are never longer, bytes.
const MAX: u64 = 8 << 20;

/// What can be read of `start..end`.
fn range(mm: &Mm, start: u64, end: u64) -> Vec<u8> {
    let len = usize::try_from(end.saturating_sub(start).min(MAX)).unwrap_or(0);
    let mut bytes = vec![0; len];
    let read = mm.read_partial(UserAddr::new(start), &mut bytes);
    bytes.truncate(read);
    bytes
}

/// proc_pid_cmdline(5).
pub(super) fn cmdline(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    Ok(process.mm()?.map_or_else(Vec::new, |mm| arguments(&mm)))
}

/// The arguments in `mm`, each with a NUL after it. A program that has written over its
/// arguments, a longer text than they were, shows that up to its end.
pub(crate) fn arguments(mm: &Mm) -> Vec<u8> {
    let layout = mm.layout();
    let mut text = range(mm, layout.arg_start, layout.arg_end);
    let complete = text.last().is_none_or(|&last| last == 0);
    if complete || layout.env_start != layout.arg_end {
        return text;
    }
    if let Some(end) = text.iter().position(|&byte| byte == 0) {
        text.truncate(end + 1);
        return text;
    }
    let more = range(mm, layout.env_start, layout.env_end);
    let end = more.iter().position(|&byte| byte == 0);
    let end = end.map_or(more.len(), |end| end + 1);
    text.extend(more.into_iter().take(end));
    text
}

/// proc_pid_environ(5).
pub(super) fn environ(_: &Process, opener: &Opener) -> Result<Vec<u8>, Errno> {
    Ok(opener.memory.upgrade().map_or_else(Vec::new, |mm| {
        let layout = mm.layout();
        range(&mm, layout.env_start, layout.env_end)
    }))
}

/// proc_pid_auxv(5).
pub(super) fn auxv(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    Ok(process.mm()?.map_or_else(Vec::new, |mm| {
        let words = mm.layout().auxv.into_iter().flatten();
        words.flat_map(u64::to_ne_bytes).collect()
    }))
}
