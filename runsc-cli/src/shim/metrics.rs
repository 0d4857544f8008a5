//! What a container uses, from `runsk events --stats` to what containerd reads: the figures of
//! control groups of version 1, wherever the host counts them.

use containerd_shim::protos::cgroups::metrics::{
    BlkIOEntry, BlkIOStat, CPUStat, CPUUsage, HugetlbStat, MemoryEntry, MemoryOomControl,
    MemoryStat, Metrics, PidsStat, Throttle,
};
use serde_json::Value;

/// From the `data` of an event.
pub(crate) fn of(data: &Value) -> Metrics {
    let mut metrics = Metrics::new();
    metrics.set_cpu(cpu(&data["cpu"]));
    metrics.set_memory(memory(&data["memory"]));
    metrics.set_pids(pids(&data["pids"]));
    metrics.set_blkio(blkio(&data["blkio"]));
    metrics.hugetlb = hugetlb(&data["hugetlb"]);
    metrics.set_memory_oom_control(MemoryOomControl::new());
    metrics
}

/// 0 for what is not told.
fn number(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap_or(0)
}

fn cpu(cpu: &Value) -> CPUStat {
    let told = &cpu["usage"];
    let mut usage = CPUUsage::new();
    usage.set_total(number(told, "total"));
    usage.set_kernel(number(told, "kernel"));
    usage.set_user(number(told, "user"));
    let each = told["percpu"].as_array().into_iter().flatten();
    usage.per_cpu = each.filter_map(Value::as_u64).collect();
    let told = &cpu["throttling"];
    let mut throttling = Throttle::new();
    throttling.set_periods(number(told, "periods"));
    throttling.set_throttled_periods(number(told, "throttledPeriods"));
    throttling.set_throttled_time(number(told, "throttledTime"));
    let mut stat = CPUStat::new();
    stat.set_usage(usage);
    stat.set_throttling(throttling);
    stat
}

fn entry(told: &Value) -> MemoryEntry {
    let mut entry = MemoryEntry::new();
    entry.set_limit(number(told, "limit"));
    entry.set_usage(number(told, "usage"));
    entry.set_max(number(told, "max"));
    entry.set_failcnt(number(told, "failcnt"));
    entry
}

fn memory(told: &Value) -> MemoryStat {
    let mut stat = MemoryStat::new();
    stat.set_usage(entry(&told["usage"]));
    stat.set_swap(entry(&told["swap"]));
    stat.set_kernel(entry(&told["kernel"]));
    stat.set_kernel_tcp(entry(&told["kernelTCP"]));
    raw(&mut stat, &told["raw"]);
    if stat.cache == 0 {
        stat.set_cache(number(told, "cache"));
    }
    stat
}

/// memory.stat, by the names of version 1 or of version 2.
fn raw(stat: &mut MemoryStat, told: &Value) {
    let either = |one: &str, two: &str| match told.get(one) {
        Some(value) => value.as_u64().unwrap_or(0),
        None => number(told, two),
    };
    stat.cache = either("cache", "file");
    stat.rss = either("rss", "anon");
    stat.rss_huge = either("rss_huge", "anon_thp");
    stat.mapped_file = either("mapped_file", "file_mapped");
    stat.dirty = either("dirty", "file_dirty");
    stat.writeback = either("writeback", "file_writeback");
    stat.pg_pg_in = number(told, "pgpgin");
    stat.pg_pg_out = number(told, "pgpgout");
    stat.pg_fault = number(told, "pgfault");
    stat.pg_maj_fault = number(told, "pgmajfault");
    stat.inactive_anon = number(told, "inactive_anon");
    stat.active_anon = number(told, "active_anon");
    stat.inactive_file = number(told, "inactive_file");
    stat.active_file = number(told, "active_file");
    stat.unevictable = number(told, "unevictable");
    stat.hierarchical_memory_limit = number(told, "hierarchical_memory_limit");
    stat.hierarchical_swap_limit = number(told, "hierarchical_memsw_limit");
    // Version 2 has no others: its figures are of the whole subtree.
    stat.total_cache = either("total_cache", "file");
    stat.total_rss = either("total_rss", "anon");
    stat.total_rss_huge = either("total_rss_huge", "anon_thp");
    stat.total_mapped_file = either("total_mapped_file", "file_mapped");
    stat.total_dirty = either("total_dirty", "file_dirty");
    stat.total_writeback = either("total_writeback", "file_writeback");
    stat.total_pg_pg_in = number(told, "total_pgpgin");
    stat.total_pg_pg_out = number(told, "total_pgpgout");
    stat.total_pg_fault = either("total_pgfault", "pgfault");
    stat.total_pg_maj_fault = either("total_pgmajfault", "pgmajfault");
    stat.total_inactive_anon = either("total_inactive_anon", "inactive_anon");
    stat.total_active_anon = either("total_active_anon", "active_anon");
    stat.total_inactive_file = either("total_inactive_file", "inactive_file");
    stat.total_active_file = either("total_active_file", "active_file");
    stat.total_unevictable = either("total_unevictable", "unevictable");
}

fn pids(told: &Value) -> PidsStat {
    let mut stat = PidsStat::new();
    stat.set_current(number(told, "current"));
    stat.set_limit(number(told, "limit"));
    stat
}

fn blkio(told: &Value) -> BlkIOStat {
    let list = |name: &str| {
        let entries = told[name].as_array().into_iter().flatten();
        let entries = entries.map(|told| {
            let mut entry = BlkIOEntry::new();
            entry.set_op(told["op"].as_str().unwrap_or_default().to_owned());
            entry.set_major(number(told, "major"));
            entry.set_minor(number(told, "minor"));
            entry.set_value(number(told, "value"));
            entry
        });
        entries.collect()
    };
    let mut stat = BlkIOStat::new();
    stat.io_service_bytes_recursive = list("ioServiceBytesRecursive");
    stat.io_serviced_recursive = list("ioServicedRecursive");
    stat
}

fn hugetlb(told: &Value) -> Vec<HugetlbStat> {
    let sizes = told.as_object().into_iter().flatten();
    let stats = sizes.map(|(size, told)| {
        let mut stat = HugetlbStat::new();
        stat.set_pagesize(size.clone());
        stat.set_usage(number(told, "usage"));
        stat.set_max(number(told, "max"));
        stat.set_failcnt(number(told, "failcnt"));
        stat
    });
    stats.collect()
}

#[cfg(test)]
mod tests {
    use super::of;
    use serde_json::json;

    #[test]
    fn figures_find_their_places() {
        let metrics = of(&json!({
            "cpu": { "usage": { "total": 7, "percpu": [3, 4], "kernel": 1, "user": 6 },
                "throttling": { "periods": 2, "throttledPeriods": 1, "throttledTime": 9 } },
            "memory": { "cache": 5, "usage": { "usage": 100, "limit": 200, "max": 150 },
                "raw": { "anon": 11, "file": 12, "pgfault": 13 } },
            "pids": { "current": 3, "limit": 60 },
            "blkio": { "ioServiceBytesRecursive": [
                { "major": 8, "minor": 1, "op": "Read", "value": 4096 } ] },
            "hugetlb": { "2MB": { "usage": 1, "max": 2, "failcnt": 3 } },
        }));
        assert_eq!(metrics.cpu.usage.total, 7);
        assert_eq!(metrics.cpu.usage.per_cpu, [3, 4]);
        assert_eq!(metrics.cpu.throttling.throttled_time, 9);
        assert_eq!(metrics.memory.usage.limit, 200);
        assert_eq!((metrics.memory.rss, metrics.memory.cache), (11, 12));
        assert_eq!(metrics.memory.total_pg_fault, 13);
        assert_eq!(metrics.pids.limit, 60);
        assert_eq!(metrics.blkio.io_service_bytes_recursive[0].value, 4096);
        assert_eq!(metrics.hugetlb[0].pagesize, "2MB");
    }

    #[test]
    fn what_is_missing_is_nothing() {
        let metrics = of(&json!({}));
        assert_eq!(metrics.memory.usage.usage, 0);
        assert!(metrics.hugetlb.is_empty());
    }
}
