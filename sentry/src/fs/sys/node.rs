//! Memory nodes: one.

use syscalls::Errno;

use super::{E, Machine};
use crate::fs::proc::Memory;
use crate::fs::processor::{list, mask};
use crate::fs::synth::{Entry, Members, Opener, Series, Site, numbered, put};
use crate::task::all_cpus;
use crate::vfs::{FileKind, InodeRef};

/// /sys/devices/system/node.
pub(super) const DIRECTORY: E = super::dir("node", NODES);

const NODES: &[E] = &[
    Entry::fixed("has_cpu", "0\n"),
    Entry::fixed("has_memory", "0\n"),
    Entry::fixed("has_normal_memory", "0\n"),
    Entry::made("node0", FileKind::Directory, node)
        .mode(0o755)
        .numbers(1 << 10),
    Entry::fixed("online", "0\n"),
    Entry::fixed("possible", "0\n"),
];

const NODE: &[E] = &[
    Entry::text("cpulist", |machine, _| {
        Ok(format!("{}\n", list(all_cpus(machine.cpus()))).into_bytes())
    }),
    Entry::text("cpumap", |machine, _| {
        let cpus = machine.cpus();
        Ok(format!("{}\n", mask(all_cpus(cpus), cpus)).into_bytes())
    }),
    Entry::fixed("distance", "10\n"),
    Entry::text("meminfo", memory),
    Entry::fixed(
        "numastat",
        "numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 0\nother_node 0\n",
    ),
    Entry::link("subsystem", "../../../../bus/node"),
];

const CPUS: Members<Machine> = Members {
    names: |machine| numbered("cpu", machine.cpus()),
    kind: FileKind::Symlink,
    mode: 0o777,
    numbers: 1,
    make: |site, index| site.link(format!("../../cpu/cpu{index}")),
};

fn node(site: &Site<'_, Machine>) -> InodeRef {
    site.put(FileKind::Directory, Series::new(site, NODE, &CPUS))
}

fn memory(machine: &Machine, _: &Opener) -> Result<Vec<u8>, Errno> {
    let memory = Memory::of(&*machine.kernel()?);
    let lines = [
        ("MemTotal", memory.total),
        ("MemFree", memory.free),
        ("MemUsed", memory.total - memory.free),
        ("FilePages", memory.cached),
        ("Mapped", memory.mapped),
        ("AnonPages", memory.anonymous),
        ("Shmem", memory.shared),
    ];
    let mut text = String::new();
    for (name, bytes) in lines {
        put!(
            text,
            "Node 0 {:<15} {:>8} kB\n",
            format!("{name}:"),
            bytes >> 10
        );
    }
    for name in ["Total", "Free", "Surp"] {
        put!(text, "Node 0 HugePages_{name}: 0\n");
    }
    Ok(text.into_bytes())
}
