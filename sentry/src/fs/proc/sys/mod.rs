//! /proc/sys, proc_sys(5).
//!
//! Numbers that nobody obeys yet can be changed all the same where a change is harmless:
//! programs set them and go on. Those that say what the kernel does are read-only.

/// A number that can be changed within a range, and nothing else looks at.
macro_rules! number {
    ($dir:literal, $name:literal, $default:expr, $range:expr) => {
        $crate::fs::synth::Entry::setting(
            $name,
            |system: &$crate::fs::proc::system::System, _| {
                let name = concat!($dir, ".", $name);
                let value = system.kernel()?.sysctls.number(name, $default);
                Ok(format!("{value}\n").into_bytes())
            },
            |system, _, text| {
                let name = concat!($dir, ".", $name);
                system.kernel()?.sysctls.set_number(name, text, $range)
            },
        )
    };
}

/// A line of text that can be changed.
macro_rules! line {
    ($dir:literal, $name:literal, $default:expr, $max:expr) => {
        $crate::fs::synth::Entry::setting(
            $name,
            |system: &$crate::fs::proc::system::System, _| {
                let name = concat!($dir, ".", $name);
                let mut text = system.kernel()?.sysctls.text(name, $default);
                text.push(b'\n');
                Ok(text)
            },
            |system, _, text| {
                let name = concat!($dir, ".", $name);
                system.kernel()?.sysctls.set_text(name, text, $max);
                Ok(())
            },
        )
    };
}

mod fs;
mod kernel;
mod net;
mod random;
mod vm;

pub use random::BootId;

use super::system::System;
use crate::fs::synth::Entry;

/// See the module.
pub(super) const ENTRIES: &[Entry<System>] = &[
    Entry::dir("debug", &[]),
    Entry::dir("dev", &[]),
    Entry::dir("fs", fs::ENTRIES),
    Entry::dir("kernel", kernel::ENTRIES),
    Entry::dir("net", net::ENTRIES),
    Entry::dir("user", USER),
    Entry::dir("vm", vm::ENTRIES),
];

/// proc_sys_user(5).
const USER: &[Entry<System>] = &[
    number!("user", "max_cgroup_namespaces", 0, 0..=I32),
    number!("user", "max_inotify_instances", 128, 0..=I32),
    number!("user", "max_inotify_watches", 65_536, 0..=I32),
    number!("user", "max_ipc_namespaces", 0, 0..=I32),
    number!("user", "max_mnt_namespaces", 10_000, 0..=I32),
    number!("user", "max_net_namespaces", 0, 0..=I32),
    number!("user", "max_pid_namespaces", 0, 0..=I32),
    number!("user", "max_time_namespaces", 0, 0..=I32),
    number!("user", "max_user_namespaces", 0, 0..=I32),
    number!("user", "max_uts_namespaces", 10_000, 0..=I32),
];

/// The largest `int`.
const I32: i64 = i32::MAX as i64;
