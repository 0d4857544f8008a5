//! Resources in the words of version 1.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxNetwork, LinuxThrottleDevice};

use super::{Setting, asked};

pub(super) fn memory(memory: &LinuxMemory) -> Vec<Setting> {
    const C: &str = "memory";
    let limit = asked(memory.limit());
    // No limit of memory below one of both would be none.
    let swap = asked(memory.swap()).or(limit.filter(|limit| *limit < 0));
    let mut list = Vec::new();
    list.extend(limit.map(|limit| Setting::must(C, "memory.limit_in_bytes", limit)));
    list.extend(swap.map(|swap| {
        let file = "memory.memsw.limit_in_bytes";
        if swap < 0 {
            Setting::may(C, file, swap)
        } else {
            Setting::must(C, file, swap)
        }
    }));
    let reservation = asked(memory.reservation());
    list.extend(reservation.map(|bytes| Setting::must(C, "memory.soft_limit_in_bytes", bytes)));
    let tcp = asked(memory.kernel_tcp());
    list.extend(tcp.map(|bytes| Setting::must(C, "memory.kmem.tcp.limit_in_bytes", bytes)));
    if let Some(swappiness) = memory.swappiness() {
        list.push(Setting::must(C, "memory.swappiness", swappiness));
    }
    if memory.disable_oom_killer() == Some(true) {
        list.push(Setting::must(C, "memory.oom_control", 1));
    }
    list
}

pub(super) fn cpu(cpu: &LinuxCpu) -> Vec<Setting> {
    const C: &str = "cpu";
    let text = |value: Option<u64>| asked(value).map(|value| value.to_string());
    let signed = |value: Option<i64>| asked(value).map(|value| value.to_string());
    let all = [
        ("cpu.shares", text(cpu.shares())),
        ("cpu.cfs_period_us", text(cpu.period())),
        ("cpu.cfs_quota_us", signed(cpu.quota())),
        ("cpu.cfs_burst_us", text(cpu.burst())),
        ("cpu.rt_period_us", text(cpu.realtime_period())),
        ("cpu.rt_runtime_us", signed(cpu.realtime_runtime())),
        ("cpu.idle", signed(cpu.idle())),
    ];
    let set = all.into_iter();
    set.filter_map(|(file, value)| Some(Setting::must(C, file, value?)))
        .collect()
}

pub(super) fn block_io(io: &LinuxBlockIo) -> Vec<Setting> {
    const C: &str = "blkio";
    let mut list = Vec::new();
    // Which of the two there is depends on the scheduler of the host's disks.
    if let Some(weight) = asked(io.weight()) {
        list.push(Setting::may(C, "blkio.weight", weight));
        list.push(Setting::may(C, "blkio.bfq.weight", weight));
    }
    if let Some(weight) = asked(io.leaf_weight()) {
        list.push(Setting::may(C, "blkio.leaf_weight", weight));
    }
    for device in io.weight_device().iter().flatten() {
        let at = format!("{}:{}", device.major(), device.minor());
        if let Some(weight) = asked(device.weight()) {
            let value = format!("{at} {weight}");
            list.push(Setting::may(C, "blkio.weight_device", &value));
            list.push(Setting::may(C, "blkio.bfq.weight_device", value));
        }
        if let Some(weight) = asked(device.leaf_weight()) {
            list.push(Setting::may(
                C,
                "blkio.leaf_weight_device",
                format!("{at} {weight}"),
            ));
        }
    }
    for (name, devices) in throttles(io) {
        let file = match name {
            "rbps" => "blkio.throttle.read_bps_device",
            "wbps" => "blkio.throttle.write_bps_device",
            "riops" => "blkio.throttle.read_iops_device",
            _ => "blkio.throttle.write_iops_device",
        };
        list.extend(devices.iter().map(|device| {
            let (major, minor) = (device.major(), device.minor());
            Setting::must(C, file, format!("{major}:{minor} {}", device.rate()))
        }));
    }
    list
}

/// By version 2's names.
pub(super) fn throttles(io: &LinuxBlockIo) -> [(&'static str, &[LinuxThrottleDevice]); 4] {
    [
        ("rbps", io.throttle_read_bps_device()),
        ("wbps", io.throttle_write_bps_device()),
        ("riops", io.throttle_read_iops_device()),
        ("wiops", io.throttle_write_iops_device()),
    ]
    .map(|(name, list)| (name, list.as_deref().unwrap_or_default()))
}

/// Marks for packets that sockets of the container send. Version 2 has no such thing.
pub(super) fn network(network: &LinuxNetwork) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(id) = asked(network.class_id()) {
        list.push(Setting::may("net_cls", "net_cls.classid", id));
    }
    for priority in network.priorities().iter().flatten() {
        let value = format!("{} {}", priority.name(), priority.priority());
        list.push(Setting::may("net_prio", "net_prio.ifpriomap", value));
    }
    list
}
