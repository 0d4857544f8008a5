//! The end of a container.

use sentry::control::Target;

use super::status::state_json;
use super::{Client, Status};
use crate::failure::{Failure, Outcome};
use crate::hooks;
use crate::state::{Directory, Held, Record, Root};

/// Whether a container that runs is killed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Force {
    No,
    Yes,
}

const KILL: i32 = nix::sys::signal::Signal::SIGKILL as i32;

/// Removes a container, and with [`Force::Yes`] whatever there is of it.
pub(crate) fn delete(root: &Root, id: &str, force: Force) -> Outcome<()> {
    let container = root.container(id);
    root.sweep();
    if force == Force::Yes && !container.exists() {
        return Ok(());
    }
    let held = match container.hold() {
        // Another command has just removed it.
        Err(_) if force == Force::Yes && !container.exists() => return Ok(()),
        held => held?,
    };
    let record = match container.read() {
        Ok(record) => record,
        // Not even a record: what is there is of no use to anybody. What runs is known by
        // its socket alone.
        Err(failure) if force == Force::Yes => {
            log::warn!("{failure}");
            if let Ok(mut client) = Client::connect(&container) {
                let _ = client.signal(Target::First, KILL);
            }
            return held.remove();
        }
        Err(failure) => return Err(failure),
    };
    let status = Status::of(&container, &record);
    match (status, force) {
        (Status::Stopped, _) => {}
        (Status::Created | Status::Creating, _) | (_, Force::Yes) => kill(&container, &record),
        (status, Force::No) => {
            return Err(Failure::new(format!(
                "cannot delete container {id} that is not stopped: {}: stop it first, or use \
                 --force",
                status.word()
            )));
        }
    }
    finish(held, &record)
}

/// Ends a container in good order if possible: exit status 137.
fn kill(container: &Directory, record: &Record) {
    let asked = Client::connect(container).and_then(|mut c| c.signal(Target::First, KILL));
    if asked.is_ok() && record.sentry.is_some_and(|sentry| sentry.wait_for_end()) {
        return;
    }
    if let Some(sentry) = record.sentry {
        sentry.kill();
    }
}

/// Removes a container whose command has waited for its end.
pub(super) fn remove_stopped(container: &Directory, record: &Record) -> Outcome<()> {
    let held = container.hold()?;
    // Another one may have the name by now.
    if container.read()?.sentry != record.sentry {
        return Ok(());
    }
    finish(held, record)
}

/// Removes what is left of a container without processes that run.
fn finish(held: Held, record: &Record) -> Outcome<()> {
    for process in [record.sentry, record.gofer].into_iter().flatten() {
        if !process.kill() {
            return Err(Failure::new(format!(
                "process {} of container {} does not end: look at it with ps and delete again",
                process.pid, record.id
            )));
        }
    }
    if let Some(cgroup) = &record.cgroup {
        cgroup.delete()?;
    }
    held.remove()?;
    poststop(record);
    Ok(())
}

/// After the container was removed.
pub(super) fn poststop(record: &Record) {
    if let Some(hooks) = &record.hooks {
        let state = state_json(record, Status::Stopped);
        hooks::run_all("poststop", hooks.poststop().as_ref(), &state);
    }
}
