//! Where a container's processes live: their name spaces and their cgroup.

use std::sync::Arc;

use super::process::host_error;
use super::{BootError, Member};
use crate::cgroup::{self, CgroupNamespace, Group};
use crate::ipc::IpcNamespace;
use crate::kernel::{Kernel, UtsNamespace};
use crate::net::NetNamespace;
use crate::task::{Current, PidNamespace, Task};
use crate::vfs::FileName;

/// See the module.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) pids: Arc<PidNamespace>,
    pub(super) ipc: Arc<IpcNamespace>,
    pub(super) uts: Arc<UtsNamespace>,
    pub(super) net: Arc<NetNamespace>,
    pub(super) cgroups: Arc<CgroupNamespace>,
    pub(super) group: Arc<Group>,
}

impl Home {
    /// That of the first container: the kernel's own.
    pub(super) fn first(kernel: &Kernel) -> Self {
        Home {
            pids: kernel.pids.first().clone(),
            ipc: kernel.ipc.clone(),
            uts: kernel.uts.clone(),
            net: kernel.net.clone(),
            cgroups: kernel.cgroups.clone(),
            group: kernel.cgroup.clone(),
        }
    }

    /// That of a further one.
    pub(super) fn in_pod(kernel: &Kernel, member: &Member) -> Result<Self, BootError> {
        let first = Self::first(kernel);
        let (shared, config) = (&member.shared, &member.config);
        let named = |errno| BootError::Name {
            name: member.name.clone(),
            errno,
        };
        let name = FileName::new(member.name.as_bytes()).map_err(named)?;
        let (limits, pids_max) = cgroup::limits_of(config);
        let group = first.group.make_container(&name, limits, pids_max);
        let group = group.map_err(named)?;
        Ok(Home {
            pids: match shared.pids {
                true => first.pids,
                false => PidNamespace::new(&first.pids, &first.pids.user)
                    .map_err(host_error("a pid name space"))?,
            },
            ipc: match shared.ipc {
                true => first.ipc,
                false => Arc::default(),
            },
            uts: match shared.uts {
                true => first.uts,
                false => Arc::new(UtsNamespace::new(config)),
            },
            net: match shared.network {
                true => first.net,
                false => NetNamespace::new(&first.net.user),
            },
            cgroups: CgroupNamespace::new(&group, &first.cgroups.user),
            group,
        })
    }

    /// That of a process that runs.
    pub(super) fn of(task: &Task, group: &Arc<Group>) -> Self {
        Home {
            pids: task.pid_namespace().clone(),
            ipc: task.ipc.get(),
            uts: task.uts.get(),
            net: task.net.get(),
            cgroups: task.cgroups.get(),
            group: group.clone(),
        }
    }

    /// Lets a new process live there. Its numbers are of it already.
    pub(super) fn take_in(&self, task: &Current) {
        task.ipc.set(self.ipc.clone());
        task.uts.set(self.uts.clone());
        task.net.set(self.net.clone());
        task.cgroups.set(self.cgroups.clone());
        let group = (!self.group.is_root()).then(|| self.group.clone());
        task.group.set_cgroup(group);
    }
}

/// Takes away the cgroup of a container that has ended.
pub(super) fn leave(kernel: &Kernel, group: &Arc<Group>) {
    let Some(parent) = group.parent() else {
        return;
    };
    if let Err(errno) = kernel.remove_cgroup_tree(&parent, group) {
        let path = String::from_utf8_lossy(&group.path()).into_owned();
        log::warn!("the cgroup {path} of a container stays: {errno}");
    }
}
