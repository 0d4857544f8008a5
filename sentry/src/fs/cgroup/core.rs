//! `cgroup.*`: members, freezing, controllers.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EBUSY, EINVAL, ENOENT, EOPNOTSUPP, ESRCH};

use super::{CONTROLLERS, Control};
use crate::fs::synth::{Entry, Opener, put};
use crate::task::{Pid, PidNamespace};

type E = Entry<Control>;

pub(super) const ENTRIES: &[E] = &[
    Entry::text("cgroup.controllers", |control, _| Ok(controllers(control))),
    Entry::text("cgroup.events", events),
    Entry::setting("cgroup.freeze", freeze, set_freeze),
    Entry::setting("cgroup.kill", |_, _| Err(EINVAL), kill).mode(0o200),
    Entry::fixed("cgroup.max.depth", "max\n"),
    Entry::fixed("cgroup.max.descendants", "max\n"),
    Entry::setting("cgroup.procs", processes, add_process),
    Entry::text("cgroup.stat", stat),
    Entry::setting("cgroup.subtree_control", passed, pass),
    Entry::setting("cgroup.threads", threads, |_, _, _| Err(EOPNOTSUPP)),
    Entry::setting("cgroup.type", |_, _| Ok(b"domain\n".to_vec()), set_type),
    Entry::text("cpu.stat", super::cpu::stat),
];

/// What can be limited in a group.
fn controllers(control: &Control) -> Vec<u8> {
    let group = &control.group;
    let text = if group.is_container() {
        CONTROLLERS.join(" ")
    } else if group.parent().is_some_and(|parent| parent.passes_pids()) {
        "pids".to_owned()
    } else {
        String::new()
    };
    format!("{text}\n").into_bytes()
}

fn events(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = control.kernel()?;
    let populated = u8::from(!kernel.processes_within(&control.group).is_empty());
    let frozen = u8::from(kernel.is_frozen(&control.group));
    Ok(format!("populated {populated}\nfrozen {frozen}\n").into_bytes())
}

fn freeze(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let frozen = u8::from(control.group.is_to_be_frozen());
    Ok(format!("{frozen}\n").into_bytes())
}

fn set_freeze(control: &Control, _: &Opener, data: &[u8]) -> Result<(), Errno> {
    let frozen = match data.trim_ascii() {
        b"0" => false,
        b"1" => true,
        _ => return Err(EINVAL),
    };
    control.check_own()?;
    control.kernel()?.set_frozen(&control.group, frozen);
    Ok(())
}

fn kill(control: &Control, _: &Opener, data: &[u8]) -> Result<(), Errno> {
    if data.trim_ascii() != b"1" {
        return Err(EINVAL);
    }
    control.check_own()?;
    control.kernel()?.kill_cgroup(&control.group);
    Ok(())
}

/// Whose numbers a reader sees: those of the opener's name space.
fn numbering(control: &Control, opener: &Opener) -> Result<Arc<PidNamespace>, Errno> {
    Ok(match opener.task.upgrade() {
        Some(task) => task.pid_namespace().clone(),
        None => control.kernel()?.pids.first().clone(),
    })
}

fn processes(control: &Control, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    let namespace = numbering(control, opener)?;
    for process in control.kernel()?.processes_in(&control.group) {
        put!(text, "{}\n", process.numbers.seen_from(&namespace));
    }
    Ok(text.into_bytes())
}

/// Moves a process here; 0 is the writer.
fn add_process(control: &Control, opener: &Opener, data: &[u8]) -> Result<(), Errno> {
    let text = std::str::from_utf8(data).map_err(|_| EINVAL)?;
    let pid: Pid = text.trim().parse().map_err(|_| EINVAL)?;
    let opener = opener.task.upgrade().ok_or(EINVAL)?;
    let pid = match pid {
        0 => opener.pid(),
        pid if pid < 0 => return Err(EINVAL),
        pid => opener.resolve(pid).ok_or(ESRCH)?,
    };
    control.kernel()?.move_to_cgroup(pid, &control.group)
}

fn threads(control: &Control, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    let namespace = numbering(control, opener)?;
    for process in control.kernel()?.processes_in(&control.group) {
        for thread in process.threads() {
            put!(text, "{}\n", thread.numbers().seen_from(&namespace));
        }
    }
    Ok(text.into_bytes())
}

fn stat(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let below = control.group.descendants();
    Ok(format!("nr_descendants {below}\nnr_dying_descendants 0\n").into_bytes())
}

/// The controllers that children have.
fn passed(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let text = if control.group.passes_pids() {
        "pids\n"
    } else {
        "\n"
    };
    Ok(text.as_bytes().to_vec())
}

/// "+pids -pids": all or nothing.
fn pass(control: &Control, _: &Opener, data: &[u8]) -> Result<(), Errno> {
    let text = std::str::from_utf8(data).map_err(|_| EINVAL)?;
    let group = &control.group;
    let mut passes = group.passes_pids();
    for word in text.split_whitespace() {
        let (on, name) = match word.split_at_checked(1) {
            Some(("+", name)) => (true, name),
            Some(("-", name)) => (false, name),
            _ => return Err(EINVAL),
        };
        if !CONTROLLERS.contains(&name) {
            return Err(EINVAL);
        }
        match (on, name) {
            (on, "pids") => passes = on,
            (false, _) => {}
            (true, _) => return Err(ENOENT.why("only the controller pids can be passed on")),
        }
    }
    let has_it = group.is_container() || group.parent().is_some_and(|p| p.passes_pids());
    if passes && !has_it {
        return Err(ENOENT);
    }
    if !passes
        && group
            .children()
            .iter()
            .any(|(_, child)| child.passes_pids())
    {
        return Err(EBUSY);
    }
    group.set_passes_pids(passes);
    Ok(())
}

fn set_type(_: &Control, _: &Opener, data: &[u8]) -> Result<(), Errno> {
    match data.trim_ascii() {
        b"threaded" => Err(EOPNOTSUPP.why("there are no threaded groups")),
        _ => Err(EINVAL),
    }
}
