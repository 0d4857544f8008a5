//! Names.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, EPERM};

use super::Process;
use crate::fs::synth::Opener;
use crate::sysctl;
use crate::task::{Capabilities, Task};

/// The longest name, bytes.
const MAX: usize = 15;

/// proc_pid_comm(5).
pub(super) fn comm(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let name = process.task()?.name.get();
    Ok([&name[..], b"\n"].concat())
}

/// Only threads of the process itself may change the name.
pub(super) fn set_comm(process: &Process, opener: &Opener, data: &[u8]) -> Result<(), Errno> {
    let task = process.task()?;
    let opener = opener.task.upgrade().ok_or(EINVAL)?;
    if !Arc::ptr_eq(&opener.group, &task.group) {
        return Err(EINVAL);
    }
    let name = data.get(..MAX).unwrap_or(data);
    let end = name.iter().position(|&byte| byte == 0);
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
    task.name.set(name.into());
    Ok(())
}

/// proc_pid_personality(5).
pub(super) fn personality(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let personality = process.task()?.settings().personality;
    Ok(format!("{personality:08x}\n").into_bytes())
}

/// proc_pid_cgroup(5).
pub(super) fn cgroup(process: &Process, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = process.kernel()?;
    let group = kernel.cgroup_of(&process.task()?.group);
    let opener = opener.task.upgrade();
    let seen = opener.map_or_else(|| kernel.cgroups.clone(), |task| task.cgroups.get());
    Ok([b"0::", &*seen.path_of(&group), b"\n"].concat())
}

/// proc_pid_timerslack_ns(5): others' takes `CAP_SYS_NICE`.
fn whose_slack(process: &Process, opener: &Opener) -> Result<Arc<Task>, Errno> {
    let task = process.task()?;
    let own = opener.task.upgrade();
    let own = own.is_some_and(|opener| Arc::ptr_eq(&opener, &task));
    let theirs = task.creds.get();
    if own || opener.creds.has_in(&theirs.user, Capabilities::SYS_NICE) {
        Ok(task)
    } else {
        Err(EPERM)
    }
}

pub(super) fn slack(process: &Process, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let slack = whose_slack(process, opener)?.settings().timer_slack;
    Ok(format!("{slack}\n").into_bytes())
}

pub(super) fn set_slack(process: &Process, opener: &Opener, data: &[u8]) -> Result<(), Errno> {
    let number = sysctl::parse(data).and_then(|number| u64::try_from(number).ok());
    let slack = number.ok_or(EINVAL)?;
    let task = whose_slack(process, opener)?;
    task.change_settings(|settings| settings.set_timer_slack(slack));
    Ok(())
}
