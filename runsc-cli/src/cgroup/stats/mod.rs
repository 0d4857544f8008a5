//! What the processes of a cgroup have used, in the shape of runc's `events --stats`.
//!
//! Times are nanoseconds, sizes bytes. A limit that is not set is the largest number that
//! the host shows for it; for processes it is 0.

mod v1;
mod v2;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Version;
use crate::failure::{Context, Outcome};

/// The `data` of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Stats {
    pub(crate) cpu: Cpu,
    pub(crate) memory: Memory,
    pub(crate) pids: Pids,
    pub(crate) blkio: Blkio,
    /// By page size, as "2MB".
    pub(crate) hugetlb: BTreeMap<String, Hugetlb>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cpu {
    pub(crate) usage: CpuUsage,
    pub(crate) throttling: Throttling,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct CpuUsage {
    pub(crate) total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) percpu: Vec<u64>,
    pub(crate) kernel: u64,
    pub(crate) user: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Throttling {
    pub(crate) periods: u64,
    #[serde(rename = "throttledPeriods")]
    pub(crate) throttled_periods: u64,
    #[serde(rename = "throttledTime")]
    pub(crate) throttled_time: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    pub(crate) cache: u64,
    pub(crate) usage: MemoryEntry,
    pub(crate) swap: MemoryEntry,
    pub(crate) kernel: MemoryEntry,
    #[serde(rename = "kernelTCP")]
    pub(crate) kernel_tcp: MemoryEntry,
    /// memory.stat as it is.
    pub(crate) raw: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryEntry {
    pub(crate) limit: u64,
    pub(crate) usage: u64,
    pub(crate) max: u64,
    pub(crate) failcnt: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Pids {
    pub(crate) current: u64,
    pub(crate) limit: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Blkio {
    #[serde(rename = "ioServiceBytesRecursive")]
    pub(crate) bytes: Vec<BlkioEntry>,
    #[serde(rename = "ioServicedRecursive")]
    pub(crate) requests: Vec<BlkioEntry>,
}

/// A device and one kind of operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BlkioEntry {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) op: String,
    pub(crate) value: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Hugetlb {
    pub(crate) usage: u64,
    pub(crate) max: u64,
    pub(crate) failcnt: u64,
}

impl Stats {
    /// Reads what the controllers have counted; `dir_of` tells where they are. Those that
    /// the host does not have leave zeros.
    pub(super) fn read<'a>(dir_of: impl Fn(&str) -> Option<(Version, &'a Path)>) -> Outcome<Self> {
        let mut stats = Stats::default();
        match dir_of("cpu") {
            Some((Version::V1, dir)) => {
                stats.cpu.throttling = v1::throttling(&Files(dir))?;
            }
            Some((Version::V2, dir)) => stats.cpu = v2::cpu(&Files(dir))?,
            None => {}
        }
        if let Some((Version::V1, dir)) = dir_of("cpuacct") {
            stats.cpu.usage = v1::cpu_usage(&Files(dir))?;
        }
        match dir_of("memory") {
            Some((Version::V1, dir)) => stats.memory = v1::memory(&Files(dir))?,
            Some((Version::V2, dir)) => stats.memory = v2::memory(&Files(dir))?,
            None => {}
        }
        if let Some((_, dir)) = dir_of("pids") {
            let files = Files(dir);
            stats.pids = Pids {
                current: files.number("pids.current")?,
                limit: files.limit("pids.max", 0)?,
            };
        }
        if let Some((_, dir)) = dir_of("blkio") {
            stats.blkio = v1::blkio(&Files(dir))?;
        } else if let Some((_, dir)) = dir_of("io") {
            stats.blkio = v2::io(&Files(dir))?;
        }
        match dir_of("hugetlb") {
            Some((Version::V1, dir)) => stats.hugetlb = v1::hugetlb(&Files(dir))?,
            Some((Version::V2, dir)) => stats.hugetlb = v2::hugetlb(&Files(dir))?,
            None => {}
        }
        Ok(stats)
    }
}

/// How many processes the host's kernel ended for lack of memory; 0 if it does not tell.
pub(super) fn oom_kills<'a>(dir_of: impl Fn(&str) -> Option<(Version, &'a Path)>) -> u64 {
    let read = || {
        let (version, dir) = dir_of("memory")?;
        let file = match version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        Files(dir).table(file).ok()?.get("oom_kill").copied()
    };
    read().unwrap_or(0)
}

/// The files of a directory. Those that are not there read as empty: which there are
/// depends on the host's kernel.
struct Files<'a>(&'a Path);

impl Files<'_> {
    fn text(&self, name: &str) -> Outcome<String> {
        let file = self.0.join(name);
        match fs::read_to_string(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            // A file for which the kernel was built, and the machine is not.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(String::new()),
            result => result.context(file.display()),
        }
    }

    fn number(&self, name: &str) -> Outcome<u64> {
        Ok(self.text(name)?.trim().parse().unwrap_or(0))
    }

    /// A limit; `none` for "max".
    fn limit(&self, name: &str, none: u64) -> Outcome<u64> {
        Ok(match self.text(name)?.trim() {
            "max" => none,
            text => text.parse().unwrap_or(0),
        })
    }

    /// Lines of a name and a number.
    fn table(&self, name: &str) -> Outcome<BTreeMap<String, u64>> {
        let text = self.text(name)?;
        let line = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Ok(text.lines().filter_map(line).collect())
    }

    /// The page sizes that have files like "hugetlb.2MB.`end`".
    fn page_sizes(&self, end: &str) -> Outcome<Vec<String>> {
        let mut sizes = Vec::new();
        for entry in fs::read_dir(self.0).context(self.0.display())? {
            let name = entry.context(self.0.display())?.file_name();
            let size = name
                .to_str()
                .and_then(|name| name.strip_prefix("hugetlb.")?.strip_suffix(end))
                .and_then(|size| size.strip_suffix('.'));
            sizes.extend(size.filter(|size| !size.contains('.')).map(str::to_owned));
        }
        sizes.sort();
        Ok(sizes)
    }
}

/// A number of a table.
fn get(table: &BTreeMap<String, u64>, name: &str) -> u64 {
    table.get(name).copied().unwrap_or(0)
}

/// "8:16" as numbers.
fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests;
