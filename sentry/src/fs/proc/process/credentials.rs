//! Maps of user name spaces, and logins, which nobody audits.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL, EPERM};

use super::Process;
use crate::fs::synth::Opener;
use crate::namespace::{Ids, UserNamespace};
use crate::sysctl;
use crate::task::{Capabilities, Credentials, of_this_thread};

/// /proc/PID/uid_map and its like, user_namespaces(7).
pub(super) fn map(process: &Process, opener: &Opener, ids: Ids) -> Result<Vec<u8>, Errno> {
    let user = user_of(process)?;
    Ok(user.map_text(ids, &opener.creds.user))
}

/// A map is written once.
pub(super) fn set_map(
    process: &Process,
    opener: &Opener,
    data: &[u8],
    ids: Ids,
) -> Result<(), Errno> {
    let user = user_of(process)?;
    user.set_map(ids, data, &opener.creds, &*writer(opener)?)
}

/// /proc/PID/setgroups.
pub(super) fn groups(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let text: &[u8] = match user_of(process)?.may_set_groups() {
        true => b"allow\n",
        false => b"deny\n",
    };
    Ok(text.to_vec())
}

/// Whether setgroups(2) may be called once there is a map of groups.
pub(super) fn set_groups(process: &Process, opener: &Opener, data: &[u8]) -> Result<(), Errno> {
    let user = user_of(process)?;
    if !opener.creds.has_in(&user, Capabilities::SYS_ADMIN) {
        return Err(EACCES);
    }
    match data.trim_ascii_end() {
        b"allow" => user.set_may_set_groups(true),
        b"deny" => user.set_may_set_groups(false),
        _ => Err(EINVAL),
    }
}

fn user_of(process: &Process) -> Result<UserNamespace, Errno> {
    Ok(process.task()?.creds.get().user.clone())
}

/// Who writes now. The task that opened the file stands for whoever has the descriptor.
fn writer(opener: &Opener) -> Result<Arc<Credentials>, Errno> {
    match of_this_thread() {
        Some(task) => Ok(task.creds.get()),
        None => opener
            .task
            .upgrade()
            .map(|task| task.creds.get())
            .ok_or(EPERM),
    }
}

/// proc_pid_loginuid(5), if it exists: not set.
pub(super) fn login(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    process.task()?;
    Ok(u32::MAX.to_string().into_bytes())
}

/// Only what is already so can be written.
pub(super) fn set_login(_: &Process, _: &Opener, data: &[u8]) -> Result<(), Errno> {
    match sysctl::parse(data) {
        Some(uid) if uid == i64::from(u32::MAX) => Ok(()),
        Some(_) => Err(EPERM),
        None => Err(EINVAL),
    }
}
