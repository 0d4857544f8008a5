//! Directories of cgroups.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{Context, Outcome};

/// Makes `dir` and its parents in the hierarchy mounted on `mount`, ready for processes.
pub(super) fn make(mount: &Path, dir: &Path) -> Outcome<()> {
    let mut levels: Vec<_> = dir.ancestors().take_while(|at| *at != mount).collect();
    levels.reverse();
    for at in levels {
        if let Some(parent) = at.parent() {
            delegate(parent)?;
        }
        match fs::create_dir(at) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            result => result.context(format_args!("cannot make the cgroup {}", at.display()))?,
        }
        inherit_cpuset(at)?;
    }
    Ok(())
}

/// Lets the children of a group of version 2 have all controllers that it has. Those that
/// it cannot pass on are missed only by who needs them.
fn delegate(parent: &Path) -> Outcome<()> {
    let to = parent.join("cgroup.subtree_control");
    let Some(passed) = read_if_there(&to)? else {
        return Ok(());
    };
    let passed: BTreeSet<_> = passed.split_whitespace().collect();
    for controller in controllers(parent)? {
        if passed.contains(controller.as_str()) {
            continue;
        }
        if let Err(error) = fs::write(&to, format!("+{controller}")) {
            log::debug!("{}: +{controller}: {error}", to.display());
        }
    }
    Ok(())
}

/// The controllers of a group of version 2.
pub(super) fn controllers(dir: &Path) -> Outcome<BTreeSet<String>> {
    let text = read_if_there(&dir.join("cgroup.controllers"))?.unwrap_or_default();
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// In version 1 a new group has no processors and no memory, and takes no process, until
/// it was given some: those of its parent.
fn inherit_cpuset(dir: &Path) -> Outcome<()> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let file = dir.join(name);
        // Version 2's file of that name is empty for "as the parent".
        if dir.join("cgroup.controllers").exists() {
            return Ok(());
        }
        let Some(text) = read_if_there(&file)? else {
            return Ok(());
        };
        let parent = dir.parent().map(|parent| parent.join(name));
        if let (true, Some(parent)) = (text.trim().is_empty(), parent) {
            let text = fs::read_to_string(&parent).context(parent.display())?;
            super::settings::write(&file, text.trim())?;
        }
    }
    Ok(())
}

fn read_if_there(file: &Path) -> Outcome<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(file.display()),
    }
}

/// The processes in a group and those below it.
pub(super) fn processes(dir: &Path, into: &mut BTreeSet<i32>) -> Outcome<()> {
    // It may have been removed by now.
    let Some(text) = read_if_there(&dir.join("cgroup.procs"))? else {
        return Ok(());
    };
    into.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    for child in children(dir).unwrap_or_default() {
        processes(&child, into)?;
    }
    Ok(())
}

fn children(dir: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// What to do about processes that are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Give up.
    AtOnce,
    /// Wait for their end, up to [`PATIENCE`].
    Awaited,
}

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Removes a group and those below it.
pub(super) fn remove(dir: &Path, leaving: Leaving) -> io::Result<()> {
    let patience = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        match remove_once(dir) {
            Err(error)
                if error.kind() == ErrorKind::ResourceBusy
                    && leaving == Leaving::Awaited
                    && Instant::now() < patience =>
            {
                sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
}

fn remove_once(dir: &Path) -> io::Result<()> {
    let absent_is_fine = |result: io::Result<()>| match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    };
    match absent_is_fine(fs::remove_dir(dir)) {
        // Groups below keep it, too.
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            for child in children(dir)? {
                remove_once(&child)?;
            }
            absent_is_fine(fs::remove_dir(dir))
        }
        result => result,
    }
}
