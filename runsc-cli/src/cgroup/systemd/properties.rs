//! What systemd is told of a container's limits; systemd.resource-control(5). What it does
//! not know would be undone when it next writes the group's files.

use oci_spec::runtime::LinuxResources;

use super::message::{Property, Value};
use crate::cgroup::Version;
use crate::cgroup::settings::{asked, host_tasks, weight_of_blkio, weight_of_shares};
use crate::failure::{Failure, Outcome};

/// No limit, for systemd.
const INFINITY: u64 = u64::MAX;

/// The properties for what `resources` ask for, on a host with this version.
pub(crate) fn of_resources(resources: &LinuxResources, version: Version) -> Outcome<Vec<Property>> {
    let mut list = Vec::new();
    let limit = |number: i64| Value::U64(u64::try_from(number).unwrap_or(INFINITY));
    if let Some(memory) = resources.memory() {
        let (max, low) = match version {
            Version::V1 => ("MemoryLimit", None),
            Version::V2 => ("MemoryMax", Some("MemoryLow")),
        };
        let bytes = asked(memory.limit());
        list.extend(bytes.map(|bytes| (max, limit(bytes))));
        let reserved = asked(memory.reservation());
        list.extend(low.zip(reserved).map(|(name, bytes)| (name, limit(bytes))));
        if let (Version::V2, Some(both)) = (version, asked(memory.swap())) {
            let swap = if both < 0 {
                both
            } else {
                both - bytes.unwrap_or(0).max(0)
            };
            list.push(("MemorySwapMax", limit(swap)));
        }
    }
    if let Some(cpu) = resources.cpu() {
        if let Some(shares) = asked(cpu.shares()) {
            list.push(match version {
                Version::V1 => ("CPUShares", Value::U64(shares)),
                Version::V2 => ("CPUWeight", Value::U64(weight_of_shares(shares))),
            });
        }
        if let Some(quota) = asked(cpu.quota()) {
            let period = asked(cpu.period()).unwrap_or(100_000);
            list.push(("CPUQuotaPerSecUSec", Value::U64(per_second(quota, period))));
        }
        for (name, set) in [
            ("AllowedCPUs", cpu.cpus()),
            ("AllowedMemoryNodes", cpu.mems()),
        ] {
            let set = set.as_deref().filter(|set| !set.is_empty());
            if let (Version::V2, Some(set)) = (version, set) {
                list.push((name, Value::Bytes(bits(set)?)));
            }
        }
    }
    if let Some(tasks) = resources
        .pids()
        .as_ref()
        .and_then(|p| asked(Some(p.limit())))
    {
        list.push(("TasksMax", limit(host_tasks(tasks))));
    }
    let weight = resources
        .block_io()
        .as_ref()
        .and_then(|io| asked(io.weight()));
    list.extend(weight.map(|weight| match version {
        Version::V1 => ("BlockIOWeight", Value::U64(weight.into())),
        Version::V2 => ("IOWeight", Value::U64(weight_of_blkio(weight))),
    }));
    Ok(list)
}

/// Microseconds in each second; systemd has whole hundredths of a processor, rounded up so
/// that the container gets what it was promised.
fn per_second(quota: i64, period: u64) -> u64 {
    const SECOND: u64 = 1_000_000;
    const STEP: u64 = 10_000;
    let Ok(quota) = u64::try_from(quota) else {
        return INFINITY;
    };
    let exact = quota.saturating_mul(SECOND) / period.max(1);
    exact.checked_next_multiple_of(STEP).unwrap_or(INFINITY)
}

/// A list like "0-2,5" as a bit for each number, the lowest byte first.
fn bits(list: &str) -> Outcome<Vec<u8>> {
    const MOST: usize = 8192;
    let bad = || {
        Failure::new(format!(
            "linux.resources.cpu: \"{list}\" is not like \"0-2,5\""
        ))
    };
    let mut bytes = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            let number = text.trim().parse::<usize>().ok();
            number.filter(|number| *number < MOST).ok_or_else(bad)
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(bad());
        }
        for number in first..=last {
            if bytes.len() <= number / 8 {
                bytes.resize(number / 8 + 1, 0);
            }
            if let Some(byte) = bytes.get_mut(number / 8) {
                *byte |= 1 << (number % 8);
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Value, Version, bits, of_resources, per_second};

    #[test]
    fn both_versions() {
        let json = r#"{"memory":{"limit":1000,"swap":1500,"reservation":500},
            "cpu":{"shares":1024,"quota":50000,"period":100000,"cpus":"0,9"},
            "pids":{"limit":-1},"blockIO":{"weight":500}}"#;
        let resources = serde_json::from_str(json).expect("resources");
        let u64s = Value::U64;
        assert_eq!(
            of_resources(&resources, Version::V2).expect("valid"),
            [
                ("MemoryMax", u64s(1000)),
                ("MemoryLow", u64s(500)),
                ("MemorySwapMax", u64s(500)),
                ("CPUWeight", u64s(39)),
                ("CPUQuotaPerSecUSec", u64s(500_000)),
                ("AllowedCPUs", Value::Bytes(vec![1, 2])),
                ("TasksMax", u64s(u64::MAX)),
                ("IOWeight", u64s(4950)),
            ]
        );
        assert_eq!(
            of_resources(&resources, Version::V1).expect("valid"),
            [
                ("MemoryLimit", u64s(1000)),
                ("CPUShares", u64s(1024)),
                ("CPUQuotaPerSecUSec", u64s(500_000)),
                ("TasksMax", u64s(u64::MAX)),
                ("BlockIOWeight", u64s(500)),
            ]
        );
    }

    #[test]
    fn numbers() {
        assert_eq!(per_second(-1, 100_000), u64::MAX);
        assert_eq!(per_second(33_333, 100_000), 340_000);
        assert_eq!(bits("0-2,8").expect("list"), [7, 1]);
        for bad in ["x", "3-1", "", "1-", "99999999"] {
            assert!(bits(bad).is_err(), "{bad}");
        }
    }
}
