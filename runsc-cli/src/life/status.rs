//! What a container does, and its state as callers read it.

use sentry::control::Phase;
use serde_json::{Value, json};

use super::Client;
use crate::failure::Outcome;
use crate::spec::OCI_VERSION;
use crate::state::{Directory, Record};

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A command is at work that creates it.
    Creating,
    /// Its program waits for `start`.
    Created,
    /// Its program runs.
    Running,
    /// It is held back.
    Paused,
    /// It is over.
    Stopped,
}

impl Status {
    /// Of the container of this record.
    pub(crate) fn of(container: &Directory, record: &Record) -> Self {
        if !record.lives() {
            let creating = record.creating && container.is_busy();
            return if creating {
                Status::Creating
            } else {
                Status::Stopped
            };
        }
        if record.creating {
            return Status::Creating;
        }
        let phase = Client::connect(container).and_then(|mut client| client.phase());
        match phase {
            Ok(Phase::Created) => Status::Created,
            Ok(Phase::Running) => Status::Running,
            Ok(Phase::Paused) => Status::Paused,
            // It has just ended, or is about to.
            Err(_) if !record.lives() => Status::Stopped,
            Err(failure) => {
                log::warn!("container {}: {failure}", record.id);
                Status::Running
            }
        }
    }

    /// The word that callers know.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

/// The state of a container; runtime.md of the OCI specification, and what runc adds.
pub(crate) fn state_value(record: &Record, status: Status) -> Value {
    let pid = match (status, record.sentry) {
        (Status::Stopped, _) | (_, None) => 0,
        (_, Some(sentry)) => sentry.pid,
    };
    json!({
        "ociVersion": OCI_VERSION,
        "id": record.id,
        "pid": pid,
        "status": status.word(),
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
        "annotations": record.annotations,
        "owner": record.owner_name(),
    })
}

/// The same as text, for hooks.
pub(crate) fn state_json(record: &Record, status: Status) -> String {
    state_value(record, status).to_string()
}

/// The container's record and status.
impl Directory {
    /// Reads both.
    pub(crate) fn status(&self) -> Outcome<(Record, Status)> {
        let record = self.read()?;
        let status = Status::of(self, &record);
        Ok((record, status))
    }
}
