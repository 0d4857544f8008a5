//! What is kept of a container.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oci_spec::runtime::{Hooks, Process};
use serde::{Deserialize, Serialize};

use super::HostProcess;
use crate::cgroup::Cgroup;
use crate::network;

/// A container's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    /// The bundle's directory.
    pub(crate) bundle: PathBuf,
    /// The root file system.
    pub(crate) rootfs: PathBuf,
    /// When it was created, as RFC 3339 has it.
    pub(crate) created: String,
    /// Who created it.
    pub(crate) owner: u32,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Runs the kernel, or stands for a container in the sandbox of another: its end is the
    /// container's. `None` until it is there.
    pub(crate) sentry: Option<HostProcess>,
    /// Serves the files.
    pub(crate) gofer: Option<HostProcess>,
    /// The command is still at work that creates it.
    pub(crate) creating: bool,
    pub(crate) hooks: Option<Hooks>,
    /// The configuration's process: what further ones are like where nothing else is said.
    pub(crate) process: Process,
    /// The network namespace that the configuration names.
    pub(crate) network: Option<PathBuf>,
    /// `--network`.
    #[serde(default)]
    pub(crate) network_mode: network::Mode,
    /// The container whose sandbox it lives in, where that is not its own.
    #[serde(default)]
    pub(crate) sandbox: Option<String>,
    /// The cgroup of its processes on the host.
    pub(crate) cgroup: Option<Cgroup>,
}

impl Record {
    /// True while the container's process is there.
    pub(crate) fn lives(&self) -> bool {
        self.sentry.is_some_and(|sentry| sentry.lives())
    }

    /// The name of the user who created it, or the number.
    pub(crate) fn owner_name(&self) -> String {
        let user = nix::unistd::User::from_uid(self.owner.into())
            .ok()
            .flatten();
        user.map_or_else(|| self.owner.to_string(), |user| user.name)
    }
}
