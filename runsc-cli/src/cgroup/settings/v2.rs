//! Resources in the words of version 2. Where the two versions count differently, values
//! are converted as runc does it.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory};

use super::v1::throttles;
use super::{Setting, asked, or_max};
use crate::failure::{Failure, Outcome};

pub(super) fn memory(memory: &LinuxMemory) -> Vec<Setting> {
    const C: &str = "memory";
    let limit = asked(memory.limit());
    let mut list = Vec::new();
    list.extend(limit.map(|limit| Setting::must(C, "memory.max", or_max(limit))));
    let swap = match (asked(memory.swap()), limit) {
        (Some(both), _) if both < 0 => Some(None),
        // It counts swap alone.
        (Some(both), Some(limit)) => Some(Some(both - limit.max(0))),
        (None, Some(limit)) if limit < 0 => Some(None),
        _ => None,
    };
    list.extend(swap.map(|swap| match swap {
        None => Setting::may(C, "memory.swap.max", "max"),
        Some(0) => Setting::may(C, "memory.swap.max", 0),
        Some(bytes) => Setting::must(C, "memory.swap.max", bytes),
    }));
    let reservation = asked(memory.reservation());
    list.extend(reservation.map(|bytes| Setting::must(C, "memory.low", or_max(bytes))));
    list
}

pub(super) fn cpu(cpu: &LinuxCpu) -> Vec<Setting> {
    const C: &str = "cpu";
    /// Microseconds.
    const PERIOD: u64 = 100_000;
    let mut list = Vec::new();
    let idle = asked(cpu.idle());
    list.extend(idle.map(|idle| Setting::must(C, "cpu.idle", idle)));
    // An idle group has no weight.
    if let (Some(shares), None) = (asked(cpu.shares()), idle) {
        list.push(Setting::must(C, "cpu.weight", weight_of_shares(shares)));
    }
    let (quota, period) = (asked(cpu.quota()), asked(cpu.period()));
    if quota.is_some() || period.is_some() {
        let quota = or_max(quota.unwrap_or(-1));
        let period = period.unwrap_or(PERIOD);
        list.push(Setting::must(C, "cpu.max", format!("{quota} {period}")));
    }
    if let Some(burst) = asked(cpu.burst()) {
        list.push(Setting::must(C, "cpu.max.burst", burst));
    }
    list
}

/// Shares of 2..=262144 to weights of 1..=10000, linearly.
pub(crate) fn weight_of_shares(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

pub(super) fn block_io(io: &LinuxBlockIo) -> Vec<Setting> {
    const C: &str = "io";
    let mut list = Vec::new();
    if let Some(weight) = asked(io.weight()) {
        list.push(Setting::may(C, "io.bfq.weight", weight));
        let weight = format!("default {}", weight_of_blkio(weight));
        list.push(Setting::may(C, "io.weight", weight));
    }
    for device in io.weight_device().iter().flatten() {
        if let Some(weight) = asked(device.weight()) {
            let value = format!("{}:{} {weight}", device.major(), device.minor());
            list.push(Setting::may(C, "io.bfq.weight", value));
        }
    }
    for (name, devices) in throttles(io) {
        list.extend(devices.iter().map(|device| {
            let (major, minor) = (device.major(), device.minor());
            let value = format!("{major}:{minor} {name}={}", device.rate());
            Setting::must(C, "io.max", value)
        }));
    }
    list
}

/// Weights of 10..=1000 to 1..=10000, linearly.
pub(crate) fn weight_of_blkio(weight: u16) -> u64 {
    1 + (u64::from(weight.clamp(10, 1000)) - 10) * 9999 / 990
}

/// An entry of `linux.resources.unified`.
pub(super) fn unified(file: &str, value: &str, is_v1: impl Fn(&str) -> bool) -> Outcome<Setting> {
    const CONTROLLERS: [&str; 8] = [
        "cpu", "cpuset", "hugetlb", "io", "memory", "misc", "pids", "rdma",
    ];
    let key = || format!("linux.resources.unified: \"{file}\"");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let prefix = file.split('.').next().unwrap_or_default();
    let controller = CONTROLLERS.into_iter().find(|known| *known == prefix);
    let Some(controller) = controller.filter(|_| file.chars().all(allowed)) else {
        return Err(Failure::new(format!(
            "{} is not a file of a cgroup controller, like \"memory.high\"",
            key()
        )));
    };
    if is_v1(controller) {
        return Err(Failure::new(format!(
            "{}: the host has the controller {controller} in cgroup version 1: use the other \
             members of linux.resources",
            key()
        )));
    }
    Ok(Setting::must(controller, file, value))
}

#[cfg(test)]
mod tests {
    use super::{weight_of_blkio, weight_of_shares};

    #[test]
    fn weights() {
        let of = |shares| weight_of_shares(shares);
        assert_eq!([2, 1024, 262_144].map(of), [1, 39, 10_000]);
        assert_eq!([10, 500, 1000].map(weight_of_blkio), [1, 4950, 10_000]);
    }
}
