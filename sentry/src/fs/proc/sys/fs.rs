//! proc_sys_fs(5).

use syscalls::Errno;

use super::I32;
use crate::fs::proc::system::System;
use crate::fs::synth::{Entry, Opener};
use crate::task::MAX_OPEN;

pub(super) const ENTRIES: &[Entry<System>] = &[
    number!("fs", "aio-max-nr", 65_536, 0..=i64::MAX),
    Entry::fixed("aio-nr", "0\n"),
    Entry::dir("binfmt_misc", &[]),
    Entry::fixed("dentry-state", "0\t0\t45\t0\t0\t0\n"),
    number!("fs", "dir-notify-enable", 1, 0..=1),
    Entry::dir("epoll", EPOLL),
    number!("fs", "file-max", i64::MAX, 0..=i64::MAX),
    Entry::text("file-nr", file_nr),
    Entry::fixed("inode-nr", "0\t0\n"),
    Entry::fixed("inode-state", "0\t0\t0\t0\t0\t0\t0\n"),
    Entry::dir("inotify", INOTIFY),
    number!("fs", "lease-break-time", 45, 0..=I32),
    number!("fs", "leases-enable", 1, 0..=1),
    number!("fs", "mount-max", 100_000, 1..=I32),
    Entry::dir("mqueue", MQUEUE),
    number!("fs", "nr_open", MAX_OPEN, 64..=I32),
    number!("fs", "overflowgid", 65_534, 0..=65_535),
    number!("fs", "overflowuid", 65_534, 0..=65_535),
    number!("fs", "pipe-max-size", 1 << 20, 4096..=I32),
    number!("fs", "pipe-user-pages-hard", 0, 0..=i64::MAX),
    number!("fs", "pipe-user-pages-soft", 16_384, 0..=i64::MAX),
    Entry::fixed("protected_fifos", "0\n"),
    Entry::fixed("protected_hardlinks", "1\n"),
    Entry::fixed("protected_regular", "0\n"),
    Entry::fixed("protected_symlinks", "0\n"),
    Entry::fixed("suid_dumpable", "0\n"),
];

/// epoll(7).
const EPOLL: &[Entry<System>] = &[number!(
    "fs.epoll",
    "max_user_watches",
    3_498_189,
    0..=i64::MAX
)];

/// inotify(7).
const INOTIFY: &[Entry<System>] = &[
    number!("fs.inotify", "max_queued_events", 16_384, 0..=I32),
    number!("fs.inotify", "max_user_instances", 128, 0..=I32),
    number!("fs.inotify", "max_user_watches", 65_536, 0..=I32),
];

/// mq_overview(7).
const MQUEUE: &[Entry<System>] = &[
    number!("fs.mqueue", "msg_default", 10, 1..=65_536),
    number!("fs.mqueue", "msg_max", 10, 1..=65_536),
    number!("fs.mqueue", "msgsize_default", 8192, 128..=16_777_216),
    number!("fs.mqueue", "msgsize_max", 8192, 128..=16_777_216),
    number!("fs.mqueue", "queues_max", 256, 0..=I32),
];

/// Descriptors that are open, none that are free, and the most there may be.
fn file_nr(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = system.kernel()?;
    let open = |group: &std::sync::Arc<crate::task::ThreadGroup>| {
        let leader = group.leader();
        leader.map_or(0, |task| task.fds.get().list().len())
    };
    let open: usize = kernel.pids.groups().iter().map(open).sum();
    let most = kernel.sysctls.number("fs.file-max", i64::MAX);
    Ok(format!("{open}\t0\t{most}\n").into_bytes())
}
