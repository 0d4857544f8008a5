//! proc_sys_kernel(5).

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, EPERM};

use super::{I32, random};
use crate::fs::proc::system::{System, last_number};
use crate::fs::synth::{Entry, Opener};
use crate::kernel::{UtsName, UtsNamespace};
use crate::sysctl;
use crate::system::{MACHINE, RELEASE, SYSNAME, VERSION};
use crate::task::{Capabilities, DEFAULT_SLICE};

pub(super) const ENTRIES: &[Entry<System>] = &[
    Entry::text("arch", |_, _| Ok(format!("{MACHINE}\n").into_bytes())),
    Entry::fixed("auto_msgmni", "0\n"),
    Entry::fixed("cap_last_cap", "40\n"),
    line!("kernel", "core_pattern", "core", 127),
    number!("kernel", "core_pipe_limit", 0, 0..=I32),
    number!("kernel", "core_uses_pid", 0, 0..=1),
    number!("kernel", "ctrl-alt-del", 0, 0..=1),
    number!("kernel", "dmesg_restrict", 1, 0..=1),
    Entry::setting("domainname", domainname, set_domainname),
    Entry::setting("hostname", hostname, set_hostname),
    Entry::fixed("io_uring_disabled", "2\n"),
    Entry::dir("keys", KEYS),
    number!("kernel", "kptr_restrict", 1, 0..=2),
    Entry::fixed("modules_disabled", "1\n"),
    number!("kernel", "msgmax", 8192, 0..=I32),
    number!("kernel", "msgmnb", 16_384, 0..=I32),
    number!("kernel", "msgmni", 32_000, 0..=32_768),
    Entry::fixed("ngroups_max", "65536\n"),
    Entry::setting(
        "ns_last_pid",
        |system, opener| Ok(format!("{}\n", last_number(system, opener)?).into_bytes()),
        set_last_number,
    )
    .mode(0o666),
    Entry::fixed("numa_balancing", "0\n"),
    Entry::text("osrelease", |_, _| Ok(format!("{RELEASE}\n").into_bytes())),
    Entry::text("ostype", |_, _| Ok(format!("{SYSNAME}\n").into_bytes())),
    number!("kernel", "overflowgid", 65_534, 0..=65_535),
    number!("kernel", "overflowuid", 65_534, 0..=65_535),
    number!("kernel", "panic", 0, -I32..=I32),
    number!("kernel", "panic_on_oops", 0, 0..=I32),
    number!("kernel", "perf_event_paranoid", 3, -1..=3),
    Entry::fixed("pid_max", "4194304\n"),
    Entry::fixed("printk", "4\t4\t1\t7\n"),
    Entry::dir("pty", PTY),
    Entry::dir("random", RANDOM),
    Entry::fixed("randomize_va_space", "2\n"),
    number!("kernel", "sched_autogroup_enabled", 0, 0..=1),
    number!("kernel", "sched_cfs_bandwidth_slice_us", 5000, 1..=I32),
    Entry::setting("sched_rr_timeslice_ms", slice, set_slice),
    number!("kernel", "sched_rt_period_us", RT_PERIOD, 1..=I32),
    Entry::setting("sched_rt_runtime_us", rt_time, set_rt_time),
    Entry::dir("seccomp", SECCOMP),
    numbers!("kernel", "sem", "32000\t1024000000\t500\t32000", 64),
    number!("kernel", "shm_rmid_forced", 0, 0..=1),
    line!("kernel", "shmall", "18446744073692774399", 20),
    line!("kernel", "shmmax", "18446744073692774399", 20),
    number!("kernel", "shmmni", 4096, 0..=32_768),
    Entry::fixed("sysctl_writes_strict", "1\n"),
    Entry::fixed("tainted", "0\n"),
    number!("kernel", "threads-max", 4_194_304, 20..=I32),
    number!("kernel", "timer_migration", 1, 0..=1),
    Entry::fixed("unprivileged_bpf_disabled", "2\n"),
    Entry::text("version", |_, _| Ok(format!("{VERSION}\n").into_bytes())),
];

/// keyrings(7).
const KEYS: &[Entry<System>] = &[
    number!("kernel.keys", "maxbytes", 20_000, 1..=I32),
    number!("kernel.keys", "maxkeys", 200, 1..=I32),
    number!("kernel.keys", "root_maxbytes", 25_000_000, 1..=I32),
    number!("kernel.keys", "root_maxkeys", 1_000_000, 1..=I32),
];

/// pty(7).
const PTY: &[Entry<System>] = &[
    number!("kernel.pty", "max", 4096, 0..=I32),
    number!("kernel.pty", "reserve", 1024, 0..=I32),
];

/// seccomp(2).
const SECCOMP: &[Entry<System>] = &[
    Entry::fixed(
        "actions_avail",
        "kill_process kill_thread trap errno user_notif trace log allow\n",
    ),
    Entry::fixed(
        "actions_logged",
        "kill_process kill_thread trap errno user_notif trace log\n",
    ),
];

/// random(4).
const RANDOM: &[Entry<System>] = &[
    Entry::text("boot_id", |system, _| {
        Ok(format!("{}\n", system.kernel()?.boot_id.text()?).into_bytes())
    }),
    Entry::fixed("entropy_avail", "256\n"),
    Entry::fixed("poolsize", "256\n"),
    number!("kernel.random", "urandom_min_reseed_secs", 60, 0..=I32),
    Entry::text("uuid", |_, _| {
        Ok(format!("{}\n", random::uuid()?).into_bytes())
    }),
    number!("kernel.random", "write_wakeup_threshold", 256, 0..=256),
];

/// The names that the opener sees.
fn names(system: &System, opener: &Opener) -> Result<Arc<UtsNamespace>, Errno> {
    let task = opener.task.upgrade();
    match task.map(|task| task.uts.get()) {
        Some(names) => Ok(names),
        None => Ok(system.kernel()?.uts.clone()),
    }
}

fn set_names(
    system: &System,
    opener: &Opener,
    text: &[u8],
    change: impl FnOnce(&mut UtsName, Vec<u8>),
) -> Result<(), Errno> {
    /// The longest name, bytes.
    const MAX: usize = 64;
    let namespace = names(system, opener)?;
    if !opener
        .creds
        .has_in(&namespace.user, Capabilities::SYS_ADMIN)
    {
        return Err(EPERM);
    }
    let name = sysctl::first_line(text);
    let name = name.get(..MAX).unwrap_or(name).to_vec();
    let mut names = (*namespace.get()).clone();
    change(&mut names, name);
    namespace.set(names);
    Ok(())
}

fn shown(name: &[u8]) -> Vec<u8> {
    [name, b"\n"].concat()
}

/// The next process gets the number that follows.
fn set_last_number(_: &System, opener: &Opener, text: &[u8]) -> Result<(), Errno> {
    let number = sysctl::parse(text).and_then(|number| i32::try_from(number).ok());
    let task = opener.task.upgrade().ok_or(EINVAL)?;
    if !task.pid_namespace().lets_choose(&opener.creds) {
        return Err(EPERM);
    }
    task.pid_namespace().set_last(number.ok_or(EINVAL)?)
}

/// Of each period, what real-time threads may take; -1: all. Microseconds.
const RT_TIME: &str = "kernel.sched_rt_runtime_us";
const RT_PERIOD: i64 = 1_000_000;

fn rt_time(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let time = system.kernel()?.sysctls.number(RT_TIME, 950_000);
    Ok(format!("{time}\n").into_bytes())
}

/// No more than there is.
fn set_rt_time(system: &System, _: &Opener, text: &[u8]) -> Result<(), Errno> {
    let kernel = system.kernel()?;
    let period = kernel
        .sysctls
        .number("kernel.sched_rt_period_us", RT_PERIOD);
    kernel.sysctls.set_number(RT_TIME, text, -1..=period)
}

/// Milliseconds of SCHED_RR.
const SLICE: &str = "kernel.sched_rr_timeslice_ms";

fn slice(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let slice = system.kernel()?.sysctls.number(SLICE, DEFAULT_SLICE);
    Ok(format!("{slice}\n").into_bytes())
}

/// 0 or less means the default again.
fn set_slice(system: &System, _: &Opener, text: &[u8]) -> Result<(), Errno> {
    let number = sysctl::parse(text).ok_or(EINVAL)?;
    let number = if number > 0 { number } else { DEFAULT_SLICE };
    let text = number.to_string();
    system
        .kernel()?
        .sysctls
        .set_number(SLICE, text.as_bytes(), 1..=I32)
}

fn hostname(system: &System, opener: &Opener) -> Result<Vec<u8>, Errno> {
    Ok(shown(&names(system, opener)?.get().host))
}

fn set_hostname(system: &System, opener: &Opener, text: &[u8]) -> Result<(), Errno> {
    set_names(system, opener, text, |names, name| names.host = name)
}

fn domainname(system: &System, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let names = names(system, opener)?.get();
    Ok(shown(&names.domain))
}

fn set_domainname(system: &System, opener: &Opener, text: &[u8]) -> Result<(), Errno> {
    set_names(system, opener, text, |names, name| names.domain = name)
}
