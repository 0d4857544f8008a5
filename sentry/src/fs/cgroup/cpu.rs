//! `cpu.*` and `cpuset.*`.

use syscalls::Errno;

use super::{Control, refuse};
use crate::fs::processor::list;
use crate::fs::synth::{Entry, Opener, put};
use crate::task::all_cpus;

pub(super) const ENTRIES: &[Entry<Control>] = &[
    Entry::setting("cpu.idle", |_, _| Ok(b"0\n".to_vec()), refuse),
    Entry::setting("cpu.max", max, refuse),
    Entry::setting("cpu.max.burst", |_, _| Ok(b"0\n".to_vec()), refuse),
    Entry::setting("cpu.weight", |_, _| Ok(b"100\n".to_vec()), refuse),
    Entry::setting("cpu.weight.nice", |_, _| Ok(b"0\n".to_vec()), refuse),
    Entry::setting("cpuset.cpus", |_, _| Ok(b"\n".to_vec()), refuse),
    Entry::text("cpuset.cpus.effective", cpus),
    Entry::setting(
        "cpuset.cpus.partition",
        |_, _| Ok(b"member\n".to_vec()),
        refuse,
    ),
    Entry::setting("cpuset.mems", |_, _| Ok(b"\n".to_vec()), refuse),
    Entry::fixed("cpuset.mems.effective", "0\n"),
];

fn max(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let cpu = control.group.limits.cpu();
    let quota = cpu
        .quota
        .map_or("max".to_owned(), |quota| quota.to_string());
    Ok(format!("{quota} {}\n", cpu.period).into_bytes())
}

fn cpus(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let set = all_cpus(control.kernel()?.cpus());
    Ok(format!("{}\n", list(set)).into_bytes())
}

/// What the group has used, whether or not it is limited.
pub(super) fn stat(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = control.kernel()?;
    let usage = kernel.cgroup_usage(&control.group);
    let mut text = String::new();
    let lines = [
        ("usage_usec", usage.total_ns() / 1000),
        ("user_usec", usage.user_ns / 1000),
        ("system_usec", usage.system_ns / 1000),
        ("nice_usec", 0),
    ];
    // What the host holds back is not told.
    let throttled = [
        ("nr_periods", 0),
        ("nr_throttled", 0),
        ("throttled_usec", 0),
        ("nr_bursts", 0),
        ("burst_usec", 0),
    ];
    let throttled = throttled.iter().filter(|_| control.group.is_container());
    for (name, value) in lines.iter().chain(throttled) {
        put!(text, "{name} {value}\n");
    }
    Ok(text.into_bytes())
}
