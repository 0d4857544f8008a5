//! What there is of a container on the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long processes may be seen that are about to end.
const GRACE: Duration = Duration::from_secs(5);

/// Nothing is, but for mounts: no process, cgroup or directory of states.
pub(super) fn none(state: &Path, id: &str) -> Result<(), String> {
    if !soon(|| processes(id).is_empty()) {
        return Err(format!("left: {:?}", processes(id)));
    }
    match leftovers(state, id).or_else(|| cgroup(id)) {
        Some(dir) => Err(format!("left: {}", dir.display())),
        None => Ok(()),
    }
}

pub(super) fn no_mounts(id: &str) -> Result<(), String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    match mounts.contains(id) || mounts.contains("runsk-empty") {
        true => Err("a mount is left".to_owned()),
        false => Ok(()),
    }
}

pub(super) fn soon(ready: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + GRACE;
    loop {
        if ready() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(Duration::from_millis(5));
    }
}

/// Sentry, Gofer, and what stands for further processes of a container: names and numbers.
pub(super) fn sandbox_processes(id: &str) -> Vec<(String, i32)> {
    let mut found = processes(id);
    found.retain(|(name, _)| name.starts_with("runsk-"));
    found
}

/// All that have a container's name among their arguments.
pub(super) fn processes(id: &str) -> Vec<(String, i32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let cmdline = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut args = cmdline.split(|byte| *byte == 0);
        let name = String::from_utf8_lossy(args.next().unwrap_or_default()).into_owned();
        if let Some(pid) = pid
            && args.any(|arg| arg == id.as_bytes())
        {
            found.push((name, pid));
        }
    }
    found
}

pub(super) fn has_sentry(id: &str) -> bool {
    let processes = sandbox_processes(id);
    processes.iter().any(|(name, _)| name == "runsk-sentry")
}

pub(super) fn is_process(pid: &str, id: &str) -> bool {
    sandbox_processes(id)
        .iter()
        .any(|(_, found)| found.to_string() == pid)
}

fn leftovers(state: &Path, id: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(state).into_iter().flatten().flatten();
    let is_left = |name: &str| name == id || name.ends_with(&format!("-{id}"));
    entries
        .find(|entry| is_left(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
}

/// A cgroup of this name, wherever our own is.
fn cgroup(id: &str) -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let paths = own
        .lines()
        .filter_map(|line| line.rsplit_once(':')?.1.strip_prefix('/'));
    let mut paths: Vec<_> = paths.collect();
    paths.push("");
    let hierarchies = fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten();
    let mut tops: Vec<_> = hierarchies.map(|entry| entry.path()).collect();
    tops.push(PathBuf::from("/sys/fs/cgroup"));
    let places = tops
        .iter()
        .flat_map(|top| paths.iter().map(move |path| top.join(path).join(id)));
    let mut places = places;
    places.find(|place| place.exists())
}
