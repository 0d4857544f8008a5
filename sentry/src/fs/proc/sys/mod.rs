//! /proc/sys, proc_sys(5).
//!
//! Numbers that nobody obeys yet can be changed all the same where a change is harmless:
//! programs set them and go on. Those that say what the kernel does are read-only.

/// A number that can be changed within a range, and nothing else looks at.
macro_rules! number {
    ($dir:literal, $name:literal, $default:expr, $range:expr) => {
        $crate::fs::synth::Entry::setting(
            $name,
            |system: &$crate::fs::proc::system::System, opener| {
                let name = concat!($dir, ".", $name);
                let value = $crate::fs::proc::sys::of(system, opener, name)?.number(name, $default);
                Ok(format!("{value}\n").into_bytes())
            },
            |system, opener, text| {
                let name = concat!($dir, ".", $name);
                $crate::fs::proc::sys::of(system, opener, name)?.set_number(name, text, $range)
            },
        )
    };
}

/// A line of text that can be changed; as a fifth argument, what is made of it first.
macro_rules! line {
    ($dir:literal, $name:literal, $default:expr, $max:expr) => {
        line!($dir, $name, $default, $max, <[u8]>::to_vec)
    };
    ($dir:literal, $name:literal, $default:expr, $max:expr, $made:expr) => {
        $crate::fs::synth::Entry::setting(
            $name,
            |system: &$crate::fs::proc::system::System, opener| {
                let name = concat!($dir, ".", $name);
                let settings = $crate::fs::proc::sys::of(system, opener, name)?;
                let mut text = settings.text(name, $default);
                text.push(b'\n');
                Ok(text)
            },
            |system, opener, text| {
                let name = concat!($dir, ".", $name);
                let settings = $crate::fs::proc::sys::of(system, opener, name)?;
                settings.set_text(name, &$made(text), $max);
                Ok(())
            },
        )
    };
}

/// As [`line!`], for several numbers: they are shown with tabs between them.
macro_rules! numbers {
    ($dir:literal, $name:literal, $default:expr, $max:expr) => {
        line!(
            $dir,
            $name,
            $default,
            $max,
            $crate::fs::proc::sys::with_tabs
        )
    };
}

mod fs;
mod interfaces;
mod kernel;
mod net;
mod random;
mod vm;

pub use random::BootId;

use std::sync::Arc;

use syscalls::Errno;

use super::system::System;
use crate::fs::synth::{self, Entry, Opener};
use crate::namespace::MAX_USER_NAMESPACES;
use crate::sysctl::Sysctls;
use crate::task::Current;

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

/// Where a setting is kept: those below `net` are the opener's network's.
fn of(system: &System, opener: &Opener, name: &str) -> Result<Arc<Sysctls>, Errno> {
    let opener = opener.task.upgrade().filter(|_| name.starts_with("net."));
    Ok(match opener {
        Some(opener) => opener.net.get().sysctls.clone(),
        None => system.kernel()?.sysctls.clone(),
    })
}

/// Changes a setting by its name, as sysctl(8) does it: "kernel.msgmax".
pub fn set(task: &Current, name: &str, text: &str) -> Result<(), Errno> {
    let system = System::new(&task.kernel, task.pid_namespace());
    // Whichever of the two comes first separates names.
    let separator = if name.find('/') < name.find('.') && name.contains('/') {
        '/'
    } else {
        '.'
    };
    let path: Vec<&str> = name.split(separator).collect();
    synth::set(ENTRIES, &path, &system, &Opener::new(task), text.as_bytes())
}

/// proc_sys_user(5).
const USER: &[Entry<System>] = &[
    number!("user", "max_cgroup_namespaces", 10_000, 0..=I32),
    number!("user", "max_inotify_instances", 128, 0..=I32),
    number!("user", "max_inotify_watches", 65_536, 0..=I32),
    number!("user", "max_ipc_namespaces", 10_000, 0..=I32),
    number!("user", "max_mnt_namespaces", 10_000, 0..=I32),
    number!("user", "max_net_namespaces", 10_000, 0..=I32),
    number!("user", "max_pid_namespaces", 10_000, 0..=I32),
    number!("user", "max_time_namespaces", 0, 0..=I32),
    number!("user", "max_user_namespaces", MAX_USER_NAMESPACES, 0..=I32),
    number!("user", "max_uts_namespaces", 10_000, 0..=I32),
];

/// The largest `int`.
const I32: i64 = i32::MAX as i64;

/// The words of the first line, with tabs between them.
fn with_tabs(text: &[u8]) -> Vec<u8> {
    let words: Vec<_> = crate::sysctl::first_line(text)
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .collect();
    words.join(&b'\t')
}
