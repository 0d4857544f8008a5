//! Statistics of version 2, in version 1's terms.

use std::collections::BTreeMap;

use super::{
    Blkio, BlkioEntry, Cpu, CpuUsage, Files, Hugetlb, Memory, MemoryEntry, Throttling, device, get,
};
use crate::failure::Outcome;

pub(super) fn cpu(files: &Files<'_>) -> Outcome<Cpu> {
    let table = files.table("cpu.stat")?;
    let nanoseconds = |name: &str| get(&table, name).saturating_mul(1000);
    Ok(Cpu {
        usage: CpuUsage {
            total: nanoseconds("usage_usec"),
            percpu: Vec::new(),
            kernel: nanoseconds("system_usec"),
            user: nanoseconds("user_usec"),
        },
        throttling: Throttling {
            periods: get(&table, "nr_periods"),
            throttled_periods: get(&table, "nr_throttled"),
            throttled_time: nanoseconds("throttled_usec"),
        },
    })
}

pub(super) fn memory(files: &Files<'_>) -> Outcome<Memory> {
    let raw = files.table("memory.stat")?;
    let usage = MemoryEntry {
        limit: files.limit("memory.max", u64::MAX)?,
        usage: files.number("memory.current")?,
        max: files.number("memory.peak")?,
        failcnt: get(&files.table("memory.events")?, "max"),
    };
    // Version 1 counts memory in, here as everywhere.
    let swap = MemoryEntry {
        limit: files
            .limit("memory.swap.max", u64::MAX)?
            .saturating_add(usage.limit),
        usage: files
            .number("memory.swap.current")?
            .saturating_add(usage.usage),
        ..MemoryEntry::default()
    };
    Ok(Memory {
        cache: get(&raw, "file"),
        usage,
        swap,
        raw,
        ..Memory::default()
    })
}

pub(super) fn io(files: &Files<'_>) -> Outcome<Blkio> {
    let mut all = Blkio::default();
    for line in files.text("io.stat")?.lines() {
        let mut fields = line.split_whitespace();
        let Some((major, minor)) = fields.next().and_then(device) else {
            continue;
        };
        for (name, value) in fields.filter_map(|field| field.split_once('=')) {
            let (list, op) = match name {
                "rbytes" => (&mut all.bytes, "Read"),
                "wbytes" => (&mut all.bytes, "Write"),
                "dbytes" => (&mut all.bytes, "Discard"),
                "rios" => (&mut all.requests, "Read"),
                "wios" => (&mut all.requests, "Write"),
                "dios" => (&mut all.requests, "Discard"),
                _ => continue,
            };
            list.push(BlkioEntry {
                major,
                minor,
                op: op.to_owned(),
                value: value.parse().unwrap_or(0),
            });
        }
    }
    Ok(all)
}

pub(super) fn hugetlb(files: &Files<'_>) -> Outcome<BTreeMap<String, Hugetlb>> {
    let mut all = BTreeMap::new();
    for size in files.page_sizes("current")? {
        let entry = Hugetlb {
            usage: files.number(&format!("hugetlb.{size}.current"))?,
            // It is not counted.
            max: 0,
            failcnt: get(&files.table(&format!("hugetlb.{size}.events"))?, "max"),
        };
        all.insert(size, entry);
    }
    Ok(all)
}
