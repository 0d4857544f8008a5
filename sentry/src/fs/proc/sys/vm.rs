//! proc_sys_vm(5).

use syscalls::Errno;
use syscalls::errno::EINVAL;

use super::I32;
use crate::fs::proc::system::System;
use crate::fs::synth::{Entry, Opener};
use crate::mm::layout::MIN_ADDR;
use crate::sysctl;

pub(super) const ENTRIES: &[Entry<System>] = &[
    number!("vm", "admin_reserve_kbytes", 8192, 0..=I32),
    number!("vm", "dirty_background_bytes", 0, 0..=i64::MAX),
    number!("vm", "dirty_background_ratio", 10, 0..=100),
    number!("vm", "dirty_bytes", 0, 0..=i64::MAX),
    number!("vm", "dirty_expire_centisecs", 3000, 0..=I32),
    number!("vm", "dirty_ratio", 20, 0..=100),
    number!("vm", "dirty_writeback_centisecs", 500, 0..=I32),
    Entry::setting("drop_caches", |_, _| Err(EINVAL), drop_caches).mode(0o200),
    number!("vm", "extfrag_threshold", 500, 0..=1000),
    number!("vm", "laptop_mode", 0, 0..=I32),
    number!("vm", "legacy_va_layout", 0, 0..=I32),
    number!("vm", "max_map_count", 65_530, 0..=I32),
    number!("vm", "memfd_noexec", 0, 0..=0),
    number!("vm", "min_free_kbytes", 67_584, 0..=I32),
    Entry::text("mmap_min_addr", |_, _| {
        Ok(format!("{MIN_ADDR}\n").into_bytes())
    }),
    number!("vm", "mmap_rnd_bits", 28, 28..=32).mode(0o600),
    // However many are asked for, there are none to be had.
    Entry::setting("nr_hugepages", no_pages, ask_for_pages),
    Entry::setting("nr_overcommit_hugepages", no_pages, ask_for_pages),
    number!("vm", "oom_dump_tasks", 1, 0..=I32),
    number!("vm", "oom_kill_allocating_task", 0, 0..=I32),
    number!("vm", "overcommit_kbytes", 0, 0..=i64::MAX),
    number!("vm", "overcommit_memory", 0, 0..=2),
    number!("vm", "overcommit_ratio", 50, 0..=I32),
    number!("vm", "page-cluster", 3, 0..=31),
    number!("vm", "panic_on_oom", 0, 0..=2),
    number!("vm", "stat_interval", 1, 0..=I32),
    number!("vm", "swappiness", 60, 0..=200),
    number!("vm", "unprivileged_userfaultfd", 0, 0..=1),
    number!("vm", "user_reserve_kbytes", 131_072, 0..=I32),
    number!("vm", "vfs_cache_pressure", 100, 0..=I32),
    number!("vm", "watermark_scale_factor", 10, 1..=3000),
    number!("vm", "zone_reclaim_mode", 0, 0..=I32),
];

fn no_pages(_: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    Ok(b"0\n".to_vec())
}

fn ask_for_pages(_: &System, _: &Opener, text: &[u8]) -> Result<(), Errno> {
    let count = sysctl::parse(text).filter(|count| *count >= 0);
    count.map(drop).ok_or(EINVAL)
}

/// Clean pages of files are dropped, and free pages go back to the host.
fn drop_caches(system: &System, _: &Opener, text: &[u8]) -> Result<(), Errno> {
    let what = sysctl::parse(text).filter(|what| (1..=4).contains(what));
    what.ok_or(EINVAL)?;
    let kernel = system.kernel()?;
    kernel.drop_clean_pages(&kernel.cgroup);
    kernel.memory.trim();
    Ok(())
}
