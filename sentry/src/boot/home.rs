//! Where a container's processes live: their name spaces and their cgroup.

use std::sync::Arc;

use syscalls::errno::ESRCH;

use super::process::host_error;
use super::{BootError, Container, Member};
use crate::cgroup::{self, CgroupNamespace, Group};
use crate::config::Neighbour;
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

    /// That of a further one; `find` knows those that are there.
    pub(super) fn in_pod(
        kernel: &Kernel,
        member: &Member,
        find: impl Fn(&str) -> Option<Arc<Container>>,
    ) -> Result<Self, BootError> {
        let first = Self::first(kernel);
        let (shared, config) = (&member.shared, &member.config);
        let named = |errno| BootError::Name {
            name: member.name.clone(),
            errno,
        };
        let of = |neighbour: &Neighbour| match neighbour {
            Neighbour::First => Ok(first.clone()),
            Neighbour::Further(name) => {
                let found = find(name).and_then(|container| {
                    let leader = container.first().leader()?;
                    Some(Self::of(&leader, container.group()))
                });
                found.ok_or_else(|| BootError::Name {
                    name: name.clone(),
                    errno: ESRCH,
                })
            }
        };
        let name = FileName::new(member.name.as_bytes()).map_err(named)?;
        let (limits, pids_max) = cgroup::limits_of(config);
        let pids = match &shared.pids {
            Some(neighbour) => of(neighbour)?.pids,
            None => PidNamespace::new(&first.pids, &first.pids.user)
                .map_err(host_error("a pid name space"))?,
        };
        let ipc = match &shared.ipc {
            Some(neighbour) => of(neighbour)?.ipc,
            None => Arc::default(),
        };
        let uts = match &shared.uts {
            Some(neighbour) => of(neighbour)?.uts,
            None => Arc::new(UtsNamespace::new(config)),
        };
        let net = match &shared.network {
            Some(neighbour) => of(neighbour)?.net,
            None => NetNamespace::new(&first.net.user),
        };
        // The last thing that can fail: nothing of it is left then.
        let memory = &kernel.memory;
        let group = first.group.make_container(&name, limits, pids_max, memory);
        let group = group.map_err(named)?;
        Ok(Home {
            pids,
            ipc,
            uts,
            net,
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
