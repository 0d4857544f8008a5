//! Statistics of version 1.

use std::collections::BTreeMap;

use super::{
    Blkio, BlkioEntry, CpuUsage, Files, Hugetlb, Memory, MemoryEntry, Throttling, device, get,
};
use crate::failure::Outcome;

pub(super) fn cpu_usage(files: &Files<'_>) -> Outcome<CpuUsage> {
    let percpu = files.text("cpuacct.usage_percpu")?;
    Ok(CpuUsage {
        total: files.number("cpuacct.usage")?,
        percpu: percpu
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect(),
        kernel: files.number("cpuacct.usage_sys")?,
        user: files.number("cpuacct.usage_user")?,
    })
}

pub(super) fn throttling(files: &Files<'_>) -> Outcome<Throttling> {
    let table = files.table("cpu.stat")?;
    Ok(Throttling {
        periods: get(&table, "nr_periods"),
        throttled_periods: get(&table, "nr_throttled"),
        throttled_time: get(&table, "throttled_time"),
    })
}

pub(super) fn memory(files: &Files<'_>) -> Outcome<Memory> {
    let entry = |prefix: &str| -> Outcome<MemoryEntry> {
        let number = |name: &str| files.number(&format!("{prefix}.{name}"));
        Ok(MemoryEntry {
            limit: number("limit_in_bytes")?,
            usage: number("usage_in_bytes")?,
            max: number("max_usage_in_bytes")?,
            failcnt: number("failcnt")?,
        })
    };
    let raw = files.table("memory.stat")?;
    Ok(Memory {
        cache: get(&raw, "cache"),
        usage: entry("memory")?,
        swap: entry("memory.memsw")?,
        kernel: entry("memory.kmem")?,
        kernel_tcp: entry("memory.kmem.tcp")?,
        raw,
    })
}

pub(super) fn blkio(files: &Files<'_>) -> Outcome<Blkio> {
    // What the scheduler of a disk counts, if it counts, is more exact.
    let read = |what: &str| -> Outcome<Vec<BlkioEntry>> {
        let exact = entries(&files.text(&format!("blkio.bfq.{what}_recursive"))?);
        if !exact.is_empty() {
            return Ok(exact);
        }
        Ok(entries(
            &files.text(&format!("blkio.throttle.{what}_recursive"))?,
        ))
    };
    Ok(Blkio {
        bytes: read("io_service_bytes")?,
        requests: read("io_serviced")?,
    })
}

/// Lines like "8:0 Read 4096"; not the sum of all devices.
fn entries(text: &str) -> Vec<BlkioEntry> {
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let (major, minor) = device(fields.next()?)?;
        Some(BlkioEntry {
            major,
            minor,
            op: fields.next()?.to_owned(),
            value: fields.next()?.parse().ok()?,
        })
    };
    text.lines().filter_map(line).collect()
}

pub(super) fn hugetlb(files: &Files<'_>) -> Outcome<BTreeMap<String, Hugetlb>> {
    let mut all = BTreeMap::new();
    for size in files.page_sizes("usage_in_bytes")? {
        let number = |name: &str| files.number(&format!("hugetlb.{size}.{name}"));
        let entry = Hugetlb {
            usage: number("usage_in_bytes")?,
            max: number("max_usage_in_bytes")?,
            failcnt: number("failcnt")?,
        };
        all.insert(size, entry);
    }
    Ok(all)
}
