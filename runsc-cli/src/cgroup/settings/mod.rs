//! From `linux.resources` to what is written into a cgroup's files.
//!
//! A controller that is in a hierarchy of version 1 is set there, every other one as in
//! version 2. What is 0 or missing is not set: engines write zeros for "not asked for".

mod v1;
mod v2;

pub(super) use v2::{weight_of_blkio, weight_of_shares};

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use nix::errno::Errno;
use oci_spec::runtime::{LinuxRdma, LinuxResources};

use super::Version;
use crate::failure::{Failure, Outcome, Reason};

/// A value for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The controller whose directory has the file; for messages too.
    controller: &'static str,
    file: String,
    value: String,
    need: Need,
}

/// What if there is no such file?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// The limit would not hold: an error.
    Must,
    /// It asks for what is the case without it.
    May,
}

impl Setting {
    fn must(controller: &'static str, file: impl Into<String>, value: impl ToString) -> Self {
        Setting {
            controller,
            file: file.into(),
            value: value.to_string(),
            need: Need::Must,
        }
    }

    fn may(controller: &'static str, file: impl Into<String>, value: impl ToString) -> Self {
        Setting {
            need: Need::May,
            ..Setting::must(controller, file, value)
        }
    }
}

/// A number that is asked for: not 0.
pub(super) fn asked<N: Default + PartialEq + Copy>(value: Option<N>) -> Option<N> {
    value.filter(|value| *value != N::default())
}

/// What `resources` ask for; `is_v1` tells whether a controller is one of version 1.
pub(super) fn of(
    resources: &LinuxResources,
    is_v1: impl Fn(&str) -> bool,
) -> Outcome<Vec<Setting>> {
    let mut list = Vec::new();
    if let Some(memory) = resources.memory() {
        check_swap(memory.limit(), memory.swap())?;
        list.extend(if is_v1("memory") {
            v1::memory(memory)
        } else {
            v2::memory(memory)
        });
    }
    if let Some(cpu) = resources.cpu() {
        list.extend(if is_v1("cpu") {
            v1::cpu(cpu)
        } else {
            v2::cpu(cpu)
        });
        // Named alike in both.
        let sets = [("cpuset.cpus", cpu.cpus()), ("cpuset.mems", cpu.mems())];
        for (file, value) in sets {
            let value = value.as_ref().filter(|value| !value.is_empty());
            list.extend(value.map(|value| Setting::must("cpuset", file, value)));
        }
    }
    if let Some(limit) = resources
        .pids()
        .as_ref()
        .and_then(|p| asked(Some(p.limit())))
    {
        list.push(Setting::must("pids", "pids.max", or_max(host_tasks(limit))));
    }
    if let Some(io) = resources.block_io() {
        list.extend(if is_v1("blkio") {
            v1::block_io(io)
        } else {
            v2::block_io(io)
        });
    }
    for huge in resources.hugepage_limits().iter().flatten() {
        let (size, limit) = (page_size(huge.page_size())?, huge.limit());
        list.push(if is_v1("hugetlb") {
            Setting::must("hugetlb", format!("hugetlb.{size}.limit_in_bytes"), limit)
        } else {
            Setting::must("hugetlb", format!("hugetlb.{size}.max"), or_max(limit))
        });
    }
    for (device, limit) in resources.rdma().iter().flatten() {
        list.push(Setting::must("rdma", "rdma.max", rdma(device, limit)));
    }
    if let Some(network) = resources.network() {
        list.extend(v1::network(network));
    }
    for (file, value) in resources.unified().iter().flatten() {
        list.push(v2::unified(file, value, &is_v1)?);
    }
    if resources
        .devices()
        .as_ref()
        .is_some_and(|list| !list.is_empty())
    {
        log::debug!(
            "linux.resources.devices: accepted: the container's kernel has no device of the host"
        );
    }
    Ok(list)
}

/// What limits the host's tasks where the container may have `limit`. The container's own
/// kernel keeps to that number exactly; behind a task of it stand up to three of the host
/// (its thread in the kernel, the one that runs its code, the process of its memory), and
/// the sandbox has some of its own.
pub(super) fn host_tasks(limit: i64) -> i64 {
    const OWN: i64 = 64;
    if limit < 0 {
        return limit;
    }
    limit.saturating_mul(3).saturating_add(OWN)
}

/// A limit in version 2's words.
fn or_max(limit: i64) -> String {
    if limit < 0 {
        "max".to_owned()
    } else {
        limit.to_string()
    }
}

/// `swap` is memory and swap together.
fn check_swap(limit: Option<i64>, swap: Option<i64>) -> Outcome<()> {
    match (asked(limit), asked(swap)) {
        (None, Some(swap)) if swap > 0 => Err(Failure::new(
            "linux.resources.memory.swap needs memory.limit: it is the limit of both together",
        )),
        (Some(limit), Some(swap)) if swap > 0 && limit > swap => Err(Failure::new(format!(
            "linux.resources.memory.swap {swap} is below memory.limit {limit}: it is the limit \
             of both together"
        ))),
        _ => Ok(()),
    }
}

/// "2MB" as a part of a file's name.
fn page_size(text: &str) -> Outcome<&str> {
    let number = ["KB", "MB", "GB"]
        .iter()
        .find_map(|unit| text.strip_suffix(unit));
    number
        .filter(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        .map(|_| text)
        .ok_or_else(|| {
            Failure::new(format!(
                "linux.resources.hugepageLimits: page size \"{text}\" is not like \"2MB\""
            ))
        })
}

fn rdma(device: &str, limit: &LinuxRdma) -> String {
    let part = |name: &str, value: Option<u32>| {
        value.map_or(String::new(), |value| format!(" {name}={value}"))
    };
    let handles = part("hca_handle", limit.hca_handles());
    let objects = part("hca_object", limit.hca_objects());
    format!("{device}{handles}{objects}")
}

/// Writes all. Some depend on each other (memory is within memory and swap, a quota within
/// its parent's): what is refused at first is tried again after all others.
pub(super) fn apply<'a>(
    list: &[Setting],
    dir_of: impl Fn(&str) -> Option<(Version, &'a Path)>,
) -> Outcome<()> {
    let mut again = Vec::new();
    for setting in list {
        let Some((_, dir)) = dir_of(setting.controller) else {
            if setting.need == Need::May {
                log::debug!("{}: no such controller: no effect", setting.file);
                continue;
            }
            return Err(Failure::new(format!(
                "linux.resources: cannot set {}: the host has no cgroup controller \"{}\" for it",
                setting.file, setting.controller
            )));
        };
        let file = dir.join(&setting.file);
        match put(&file, &setting.value) {
            Err(Errno::ENOENT) if setting.need == Need::May => {
                log::debug!("{}: there is no such file: no effect", file.display());
            }
            Err(Errno::EINVAL | Errno::EBUSY) => again.push((file, &setting.value)),
            Err(errno) => return Err(refused(&file, &setting.value, errno)),
            Ok(()) => {}
        }
    }
    again
        .into_iter()
        .try_for_each(|(file, value)| write(&file, value))
}

/// Writes a value into a file of a cgroup.
pub(super) fn write(file: &Path, value: &str) -> Outcome<()> {
    put(file, value).map_err(|errno| refused(file, value, errno))
}

/// In one write, without creating anything.
fn put(file: &Path, value: &str) -> Result<(), Errno> {
    let write = || {
        let mut file = fs::File::options().write(true).open(file)?;
        file.write_all(value.as_bytes())
    };
    write().map_err(|error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Errno::ENOENT,
        _ => error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
    })
}

fn refused(file: &Path, value: &str, errno: Errno) -> Failure {
    Failure::new(format!(
        "cgroup: cannot write \"{value}\" to {}: {}",
        file.display(),
        errno.reason()
    ))
}

#[cfg(test)]
mod tests;
