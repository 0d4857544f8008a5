use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::Version;
use super::Stats;

fn files(dir: &Path, list: &[(&str, &str)]) {
    for (name, text) in list {
        fs::write(dir.join(name), text).expect("file");
    }
}

#[test]
fn version_1() {
    let dir = tempfile::tempdir().expect("directory");
    files(
        dir.path(),
        &[
            ("cpuacct.usage", "3000\n"),
            ("cpuacct.usage_percpu", "1000 2000 \n"),
            ("cpuacct.usage_sys", "1200\n"),
            ("cpuacct.usage_user", "1800\n"),
            (
                "cpu.stat",
                "nr_periods 5\nnr_throttled 2\nthrottled_time 77\n",
            ),
            ("memory.usage_in_bytes", "4096\n"),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory.max_usage_in_bytes", "8192\n"),
            ("memory.failcnt", "3\n"),
            ("memory.stat", "cache 1024\nrss 2048\n"),
            ("pids.current", "4\n"),
            ("pids.max", "max\n"),
            (
                "blkio.throttle.io_service_bytes_recursive",
                "8:0 Read 512\n8:0 Total 512\nTotal 512\n",
            ),
            ("hugetlb.2MB.usage_in_bytes", "1\n"),
            ("hugetlb.2MB.rsvd.usage_in_bytes", "9\n"),
            ("hugetlb.2MB.failcnt", "2\n"),
        ],
    );
    let stats = Stats::read(|_| Some((Version::V1, dir.path()))).expect("stats");
    let zero = json!({"limit":0,"usage":0,"max":0,"failcnt":0});
    assert_eq!(
        serde_json::to_value(stats).expect("JSON"),
        json!({
            "cpu": {
                "usage": {"total":3000,"percpu":[1000,2000],"kernel":1200,"user":1800},
                "throttling": {"periods":5,"throttledPeriods":2,"throttledTime":77},
            },
            "memory": {
                "cache": 1024,
                "usage": {"limit":9_223_372_036_854_771_712u64,"usage":4096,"max":8192,"failcnt":3},
                "swap": zero, "kernel": zero, "kernelTCP": zero,
                "raw": {"cache":1024,"rss":2048},
            },
            "pids": {"current":4,"limit":0},
            "blkio": {
                "ioServiceBytesRecursive": [
                    {"major":8,"minor":0,"op":"Read","value":512},
                    {"major":8,"minor":0,"op":"Total","value":512},
                ],
                "ioServicedRecursive": [],
            },
            "hugetlb": {"2MB": {"usage":1,"max":0,"failcnt":2}},
        })
    );
}

#[test]
fn version_2() {
    let dir = tempfile::tempdir().expect("directory");
    files(
        dir.path(),
        &[
            (
                "cpu.stat",
                "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_throttled 4\nthrottled_usec 6\n",
            ),
            ("memory.current", "4096\n"),
            ("memory.max", "max\n"),
            ("memory.swap.current", "100\n"),
            ("memory.swap.max", "max\n"),
            ("memory.events", "max 8\noom_kill 1\n"),
            ("memory.stat", "anon 1\nfile 2\n"),
            ("pids.current", "4\n"),
            ("pids.max", "16\n"),
            ("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n"),
            ("hugetlb.2MB.current", "1\n"),
            ("hugetlb.2MB.events", "max 5\n"),
        ],
    );
    let dir_of = |name: &str| {
        let there = !matches!(name, "blkio" | "cpuacct");
        there.then_some((Version::V2, dir.path()))
    };
    let stats = Stats::read(dir_of).expect("stats");
    assert_eq!(stats.cpu.usage.total, 30_000);
    assert_eq!(stats.cpu.throttling.throttled_time, 6000);
    assert_eq!(stats.memory.usage.limit, u64::MAX);
    assert_eq!(stats.memory.usage.failcnt, 8);
    assert_eq!(stats.memory.swap.usage, 4196);
    assert_eq!(stats.memory.cache, 2);
    assert_eq!(stats.pids.limit, 16);
    assert_eq!(stats.blkio.bytes.len(), 2);
    let write = stats.blkio.requests.get(1).expect("writes");
    assert_eq!((write.op.as_str(), write.value), ("Write", 4));
    assert_eq!(stats.hugetlb.get("2MB").map(|huge| huge.failcnt), Some(5));
    assert_eq!(super::oom_kills(dir_of), 1);
}
