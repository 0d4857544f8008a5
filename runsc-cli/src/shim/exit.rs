//! The ends of children: the signal thread of `containerd_shim` reaps all of them, and tells
//! whoever has subscribed.

use containerd_shim::monitor::{Subscription, Topic, monitor_subscribe, wait_pid};
use containerd_shim::protos::protobuf::well_known_types::timestamp::Timestamp;
use containerd_shim::util::timestamp;

use super::fault::{Answer, Context};

/// Hears of every end from its making on: made before the child is.
pub(crate) struct Ends(Subscription);

impl Ends {
    pub(crate) fn new() -> Answer<Self> {
        monitor_subscribe(Topic::Pid)
            .map(Ends)
            .context("ends of processes")
    }

    /// Waits for the end of a child; its exit status, 128+n for signal n.
    pub(crate) fn wait(self, pid: u32) -> Exit {
        let status = wait_pid(pid.cast_signed(), self.0);
        Exit::now(status.cast_unsigned())
    }
}

/// How a process ended, and when.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub(crate) status: u32,
    pub(crate) at: Timestamp,
}

impl Exit {
    pub(crate) fn now(status: u32) -> Self {
        let at = timestamp().unwrap_or_default();
        Exit { status, at }
    }
}
