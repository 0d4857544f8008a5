use oci_spec::runtime::LinuxResources;

use super::{Need, Setting, of};

fn settings(json: &str, v1: &[&str]) -> Result<Vec<(String, String)>, String> {
    let resources: LinuxResources = serde_json::from_str(json).expect(json);
    let list = of(&resources, |controller| v1.contains(&controller));
    list.map(|list| list.into_iter().map(|set| (set.file, set.value)).collect())
        .map_err(|failure| failure.to_string())
}

const ALL_V1: &[&str] = &["memory", "cpu", "cpuset", "pids", "blkio", "hugetlb"];

#[track_caller]
fn check(json: &str, v1: &[&str], expected: &[(&str, &str)]) {
    let got = settings(json, v1).expect("settings");
    let got: Vec<_> = got.iter().map(|(f, v)| (f.as_str(), v.as_str())).collect();
    assert_eq!(got, expected);
}

#[test]
fn memory() {
    let json = r#"{"memory":{"limit":1000,"swap":1500,"reservation":500}}"#;
    check(
        json,
        ALL_V1,
        &[
            ("memory.limit_in_bytes", "1000"),
            ("memory.memsw.limit_in_bytes", "1500"),
            ("memory.soft_limit_in_bytes", "500"),
        ],
    );
    check(
        json,
        &[],
        &[
            ("memory.max", "1000"),
            ("memory.swap.max", "500"),
            ("memory.low", "500"),
        ],
    );
    let unlimited = r#"{"memory":{"limit":-1}}"#;
    check(
        unlimited,
        ALL_V1,
        &[
            ("memory.limit_in_bytes", "-1"),
            ("memory.memsw.limit_in_bytes", "-1"),
        ],
    );
    check(
        unlimited,
        &[],
        &[("memory.max", "max"), ("memory.swap.max", "max")],
    );
    let no_swap = r#"{"memory":{"limit":1000,"swap":1000}}"#;
    check(
        no_swap,
        &[],
        &[("memory.max", "1000"), ("memory.swap.max", "0")],
    );
}

#[test]
fn swap_includes_memory() {
    let below = settings(r#"{"memory":{"limit":1000,"swap":999}}"#, &[]);
    assert!(below.expect_err("below").contains("is below memory.limit"));
    let alone = settings(r#"{"memory":{"swap":999}}"#, ALL_V1);
    assert!(alone.expect_err("alone").contains("needs memory.limit"));
}

#[test]
fn cpu() {
    let json = r#"{"cpu":{"shares":1024,"quota":50000,"period":200000,"cpus":"0-1","mems":"0"}}"#;
    check(
        json,
        ALL_V1,
        &[
            ("cpu.shares", "1024"),
            ("cpu.cfs_period_us", "200000"),
            ("cpu.cfs_quota_us", "50000"),
            ("cpuset.cpus", "0-1"),
            ("cpuset.mems", "0"),
        ],
    );
    check(
        json,
        &[],
        &[
            ("cpu.weight", "39"),
            ("cpu.max", "50000 200000"),
            ("cpuset.cpus", "0-1"),
            ("cpuset.mems", "0"),
        ],
    );
    check(r#"{"cpu":{"quota":-1}}"#, &[], &[("cpu.max", "max 100000")]);
}

#[test]
fn pids_and_huge_pages() {
    let json = r#"{"pids":{"limit":-1},"hugepageLimits":[{"pageSize":"2MB","limit":4096}]}"#;
    check(
        json,
        ALL_V1,
        &[("pids.max", "max"), ("hugetlb.2MB.limit_in_bytes", "4096")],
    );
    check(
        json,
        &[],
        &[("pids.max", "max"), ("hugetlb.2MB.max", "4096")],
    );
    let path = settings(
        r#"{"hugepageLimits":[{"pageSize":"../2MB","limit":1}]}"#,
        &[],
    );
    assert!(path.expect_err("a path").contains("page size"));
}

#[test]
fn block_io() {
    let json = r#"{"blockIO":{"weight":500,
        "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],
        "throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":300}]}}"#;
    check(
        json,
        ALL_V1,
        &[
            ("blkio.weight", "500"),
            ("blkio.bfq.weight", "500"),
            ("blkio.throttle.read_bps_device", "8:0 600"),
            ("blkio.throttle.write_iops_device", "8:16 300"),
        ],
    );
    check(
        json,
        &[],
        &[
            ("io.bfq.weight", "500"),
            ("io.weight", "default 4950"),
            ("io.max", "8:0 rbps=600"),
            ("io.max", "8:16 wiops=300"),
        ],
    );
}

/// Engines write all members, with zeros for what was not asked for.
#[test]
fn zeros_ask_for_nothing() {
    let json = r#"{"devices":[{"allow":false,"access":"rwm"}],
        "memory":{"limit":0,"swap":0,"reservation":0,"kernelTCP":0},
        "cpu":{"shares":0,"quota":0,"period":0,"cpus":"","mems":""},
        "pids":{"limit":0},"blockIO":{"weight":0},"hugepageLimits":[],
        "network":{"classID":0,"priorities":[]}}"#;
    check(json, ALL_V1, &[]);
    check(json, &[], &[]);
}

#[test]
fn the_unified_map() {
    let json = r#"{"unified":{"memory.high":"5000"}}"#;
    check(json, &[], &[("memory.high", "5000")]);
    let v1 = settings(json, ALL_V1).expect_err("version 1");
    assert!(v1.contains("in cgroup version 1"), "{v1}");
    for bad in ["../x", "memory/../../x", "cgroup.procs", ""] {
        let json = format!(r#"{{"unified":{{"{bad}":"1"}}}}"#);
        assert!(settings(&json, &[]).is_err(), "{bad}");
    }
}

#[test]
fn a_limit_without_its_controller_is_refused() {
    let list = [Setting::must("pids", "pids.max", 5)];
    let failure = super::apply(&list, |_| None).expect_err("refused");
    assert_eq!(
        failure.to_string(),
        "linux.resources: cannot set pids.max: the host has no cgroup controller \"pids\" for it"
    );
    let list = [Setting::may("net_cls", "net_cls.classid", 5)];
    assert_eq!(list.first().map(|set| set.need), Some(Need::May));
    super::apply(&list, |_| None).expect("no effect");
}
