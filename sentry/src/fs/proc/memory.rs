//! proc_meminfo(5), vmstat(8).

use syscalls::{Errno, PAGE_SIZE};

use super::census::Census;
use super::system::System;
use crate::fs::synth::{Opener, put};
use crate::kernel::Kernel;

/// Where the sandbox's memory is, bytes.
pub(crate) struct Memory {
    pub(crate) total: u64,
    pub(crate) free: u64,
    /// Pages of files and of shared memory.
    pub(crate) cached: u64,
    /// Among them tmpfs and shared memory.
    pub(crate) shared: u64,
    pub(crate) anonymous: u64,
    pub(crate) mapped: u64,
    pub(crate) committed: u64,
}

impl Memory {
    /// What the sandbox may use.
    pub(crate) fn total(kernel: &Kernel) -> u64 {
        kernel.memory_size().total
    }

    pub(crate) fn of(kernel: &Kernel) -> Self {
        let census = Census::take(kernel);
        let total = Self::total(kernel);
        let used = kernel.memory.used().min(total);
        // After fork, pages count for each process that shares them.
        let anonymous = census.anonymous.min(used);
        let cached = used - anonymous;
        Memory {
            total,
            free: kernel.memory_size().free,
            cached,
            shared: shared(kernel).min(cached),
            anonymous,
            mapped: census.mapped.min(cached),
            committed: census.committed,
        }
    }

    /// What a new program could have: free memory, and pages that can be read again.
    pub(crate) fn available(&self) -> u64 {
        self.free + (self.cached - self.shared)
    }
}

/// What the tmpfs instances hold that the first process sees, memfds and System V shared
/// memory.
fn shared(kernel: &Kernel) -> u64 {
    let mut instances = kernel.mounted_file_systems();
    instances.push(kernel.shared_memory().super_block.clone());
    let held = |instance: &std::sync::Arc<crate::vfs::SuperBlock>| {
        let fs = &instance.fs;
        let info = fs.info().ok().filter(|_| fs.name() == "tmpfs")?;
        Some(info.blocks.saturating_sub(info.blocks_free) * info.block_size)
    };
    instances.iter().filter_map(held).sum()
}

pub(super) fn info(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let memory = Memory::of(&*system.kernel()?);
    let files = memory.cached - memory.shared;
    // Linux counts shared memory as anonymous here.
    let anonymous = memory.anonymous + memory.shared;
    let lines = [
        ("MemTotal", memory.total),
        ("MemFree", memory.free),
        ("MemAvailable", memory.available()),
        ("Buffers", 0),
        ("Cached", memory.cached),
        ("SwapCached", 0),
        ("Active", anonymous),
        ("Inactive", files),
        ("Active(anon)", anonymous),
        ("Inactive(anon)", 0),
        ("Active(file)", 0),
        ("Inactive(file)", files),
        ("Unevictable", 0),
        ("Mlocked", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", memory.anonymous),
        ("Mapped", memory.mapped),
        ("Shmem", memory.shared),
        ("KReclaimable", 0),
        ("Slab", 0),
        ("SReclaimable", 0),
        ("SUnreclaim", 0),
        ("KernelStack", 0),
        ("PageTables", 0),
        ("NFS_Unstable", 0),
        ("Bounce", 0),
        ("WritebackTmp", 0),
        ("CommitLimit", memory.total / 2),
        ("Committed_AS", memory.committed),
        ("VmallocTotal", 34_359_738_367 << 10),
        ("VmallocUsed", 0),
        ("VmallocChunk", 0),
        ("Percpu", 0),
        ("AnonHugePages", 0),
        ("ShmemHugePages", 0),
        ("ShmemPmdMapped", 0),
        ("FileHugePages", 0),
        ("FilePmdMapped", 0),
    ];
    let mut text = String::new();
    for (name, bytes) in lines {
        put!(text, "{:<16}{:>8} kB\n", format!("{name}:"), bytes >> 10);
    }
    for name in ["Total", "Free", "Rsvd", "Surp"] {
        put!(text, "{:<16}{:>8}\n", format!("HugePages_{name}:"), 0);
    }
    put!(
        text,
        "Hugepagesize:       2048 kB\nHugetlb:               0 kB\n"
    );
    Ok(text.into_bytes())
}

pub(super) fn vmstat(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = system.kernel()?;
    let memory = Memory::of(&kernel);
    let faults = Census::take(&kernel).usage.faults;
    let files = memory.cached - memory.shared;
    let pages = [
        ("nr_free_pages", memory.free),
        ("nr_inactive_anon", 0),
        ("nr_active_anon", memory.anonymous + memory.shared),
        ("nr_inactive_file", files),
        ("nr_active_file", 0),
        ("nr_unevictable", 0),
        ("nr_mlock", 0),
        ("nr_anon_pages", memory.anonymous),
        ("nr_mapped", memory.mapped),
        ("nr_file_pages", memory.cached),
        ("nr_dirty", 0),
        ("nr_writeback", 0),
        ("nr_slab_reclaimable", 0),
        ("nr_slab_unreclaimable", 0),
        ("nr_page_table_pages", 0),
        ("nr_kernel_stack", 0),
        ("nr_shmem", memory.shared),
        ("nr_anon_transparent_hugepages", 0),
    ];
    let counts = [
        ("pgpgin", 0),
        ("pgpgout", 0),
        ("pswpin", 0),
        ("pswpout", 0),
        ("pgfault", faults),
        ("pgmajfault", 0),
        ("oom_kill", kernel.cgroup.limits.oom_events().1),
    ];
    let mut text = String::new();
    for (name, bytes) in pages {
        put!(text, "{name} {}\n", bytes / PAGE_SIZE);
    }
    for (name, count) in counts {
        put!(text, "{name} {count}\n");
    }
    Ok(text.into_bytes())
}
