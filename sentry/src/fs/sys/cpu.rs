//! Processors: one socket with a core for each.

use syscalls::Errno;

use super::{E, Machine, Subject};
use crate::fs::processor::{Cache, Processor, list, mask};
use crate::fs::synth::{Entry, Members, Series, Site, TableDir, numbered};
use crate::task::all_cpus;
use crate::vfs::{FileKind, InodeRef};

/// /sys/devices/system/cpu.
pub(super) const DIRECTORY: E = Entry::made("cpu", FileKind::Directory, directory)
    .mode(0o755)
    .numbers(1 << 18);

const ENTRIES: &[E] = &[
    Entry::fixed("isolated", "\n"),
    Entry::fixed("kernel_max", "63\n"),
    Entry::fixed("offline", "\n"),
    Entry::text("online", |machine, _| Ok(all(machine))),
    Entry::text("possible", |machine, _| Ok(all(machine))),
    Entry::text("present", |machine, _| Ok(all(machine))),
    super::dir("smt", SMT),
];

const SMT: &[E] = &[
    Entry::fixed("active", "0\n"),
    Entry::fixed("control", "notsupported\n"),
];

const CPUS: Members<Machine> = Members {
    names: |machine| numbered("cpu", machine.cpus()),
    kind: FileKind::Directory,
    mode: 0o755,
    numbers: 1 << 10,
    make: cpu,
};

fn directory(site: &Site<'_, Machine>) -> InodeRef {
    site.put(FileKind::Directory, Series::new(site, ENTRIES, &CPUS))
}

fn all(machine: &Machine) -> Vec<u8> {
    format!("{}\n", list(all_cpus(machine.cpus()))).into_bytes()
}

/// One of them.
#[derive(Clone)]
struct Cpu {
    machine: Machine,
    index: u32,
}

impl Subject for Cpu {}

impl Cpu {
    fn own(&self) -> u64 {
        1 << self.index
    }

    /// A set of processors as bits.
    fn mask(&self, set: u64) -> Result<Vec<u8>, Errno> {
        Ok(format!("{}\n", mask(set, self.machine.cpus())).into_bytes())
    }

    fn own_mask(&self) -> Result<Vec<u8>, Errno> {
        self.mask(self.own())
    }

    fn own_list(&self) -> Result<Vec<u8>, Errno> {
        Ok(format!("{}\n", self.index).into_bytes())
    }

    fn socket_mask(&self) -> Result<Vec<u8>, Errno> {
        self.mask(all_cpus(self.machine.cpus()))
    }

    fn socket_list(&self) -> Result<Vec<u8>, Errno> {
        Ok(all(&self.machine))
    }
}

fn cpu(site: &Site<'_, Machine>, index: u32) -> InodeRef {
    let cpu = Cpu {
        machine: site.context.clone(),
        index,
    };
    site.put(FileKind::Directory, TableDir::new(cpu, CPU, site.ino))
}

const CPU: &[Entry<Cpu>] = &[
    Entry::made("cache", FileKind::Directory, caches)
        .mode(0o755)
        .numbers(1 << 8),
    Entry::link("node0", "../../node/node0"),
    Entry::link("subsystem", "../../../../bus/cpu"),
    Entry::dir("topology", TOPOLOGY).mode(0o755),
];

const TOPOLOGY: &[Entry<Cpu>] = &[
    Entry::text("core_cpus", |cpu, _| cpu.own_mask()),
    Entry::text("core_cpus_list", |cpu, _| cpu.own_list()),
    Entry::text("core_id", |cpu, _| cpu.own_list()),
    Entry::text("core_siblings", |cpu, _| cpu.socket_mask()),
    Entry::text("core_siblings_list", |cpu, _| cpu.socket_list()),
    Entry::text("die_cpus", |cpu, _| cpu.socket_mask()),
    Entry::text("die_cpus_list", |cpu, _| cpu.socket_list()),
    Entry::fixed("die_id", "0\n"),
    Entry::text("package_cpus", |cpu, _| cpu.socket_mask()),
    Entry::text("package_cpus_list", |cpu, _| cpu.socket_list()),
    Entry::fixed("physical_package_id", "0\n"),
    Entry::text("thread_siblings", |cpu, _| cpu.own_mask()),
    Entry::text("thread_siblings_list", |cpu, _| cpu.own_list()),
];

const CACHES: Members<Cpu> = Members {
    names: |_| {
        let count = u32::try_from(Processor::get().caches.len()).unwrap_or(0);
        numbered("index", count)
    },
    kind: FileKind::Directory,
    mode: 0o755,
    numbers: 1 << 4,
    make: |site, index| {
        let cache = CacheOf {
            cpu: site.context.clone(),
            index,
        };
        site.put(FileKind::Directory, TableDir::new(cache, CACHE, site.ino))
    },
};

fn caches(site: &Site<'_, Cpu>) -> InodeRef {
    site.put(FileKind::Directory, Series::new(site, &[], &CACHES))
}

/// A processor's cache.
#[derive(Clone)]
struct CacheOf {
    cpu: Cpu,
    index: u32,
}

impl Subject for CacheOf {}

impl CacheOf {
    /// A line made of what the cache is.
    fn line(&self, shown: impl FnOnce(&Cache) -> String) -> Result<Vec<u8>, Errno> {
        let index = usize::try_from(self.index).unwrap_or(usize::MAX);
        let text = Processor::get().caches.get(index).map(shown);
        Ok(format!("{}\n", text.unwrap_or_default()).into_bytes())
    }

    /// Who shares it: the first two levels are a core's own, others the socket's.
    fn sharers(&self, cache: &Cache) -> u64 {
        if cache.level < 3 {
            self.cpu.own()
        } else {
            all_cpus(self.cpu.machine.cpus())
        }
    }
}

const CACHE: &[Entry<CacheOf>] = &[
    Entry::text("coherency_line_size", |c, _| {
        c.line(|cache| cache.line.to_string())
    }),
    Entry::text("id", |c, _| {
        c.line(|cache| match cache.level {
            1 | 2 => c.cpu.index.to_string(),
            _ => "0".to_owned(),
        })
    }),
    Entry::text("level", |c, _| c.line(|cache| cache.level.to_string())),
    Entry::text("number_of_sets", |c, _| {
        c.line(|cache| cache.sets.to_string())
    }),
    Entry::fixed("physical_line_partition", "1\n"),
    Entry::text("shared_cpu_list", |c, _| {
        c.line(|cache| list(c.sharers(cache)))
    }),
    Entry::text("shared_cpu_map", |c, _| {
        c.line(|cache| mask(c.sharers(cache), c.cpu.machine.cpus()))
    }),
    Entry::text("size", |c, _| {
        c.line(|cache| format!("{}K", cache.bytes / 1024))
    }),
    Entry::text("type", |c, _| c.line(|cache| cache.kind.name().to_owned())),
    Entry::text("ways_of_associativity", |c, _| {
        c.line(|cache| cache.ways.to_string())
    }),
];
