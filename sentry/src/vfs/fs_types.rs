//! The types of file systems that mount(2) knows.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENODEV, EPERM};

use super::InodeRef;
use crate::cgroup::CgroupNamespace;
use crate::ipc::IpcNamespace;
use crate::kernel::Kernel;
use crate::namespace::UserNamespace;
use crate::net::NetNamespace;
use crate::task::{Capabilities, Credentials, PidNamespace};

/// What to mount.
pub struct MountRequest<'a> {
    /// In which kernel.
    pub kernel: &'a Arc<Kernel>,
    /// Whose message queues mqueue shows.
    pub ipc: &'a Arc<IpcNamespace>,
    /// Whose processes proc shows.
    pub pids: &'a Arc<PidNamespace>,
    /// Which groups cgroup2 shows: from its root on.
    pub cgroups: &'a Arc<CgroupNamespace>,
    /// Who mounts.
    pub creds: &'a Credentials,
    /// mount(2)'s source, what /proc/mounts shows.
    pub source: &'a str,
    /// mount(2)'s data: options separated by commas.
    pub data: &'a str,
}

impl<'a> MountRequest<'a> {
    /// The options one by one.
    pub fn options(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.data.split(',').filter(|option| !option.is_empty())
    }
}

/// A type of file systems.
pub struct FsType {
    /// As in mount(2) and /proc/filesystems.
    pub name: &'static str,
    /// Makes or finds an instance: the root of its tree.
    pub mount: fn(&MountRequest<'_>) -> Result<InodeRef, Errno>,
}

/// All types, in the order of /proc/filesystems. A file system's own module makes the
/// instances; it is named here.
pub const FS_TYPES: &[FsType] = &[
    FsType {
        name: "tmpfs",
        mount: tmpfs,
    },
    FsType {
        name: "devtmpfs",
        mount: devtmpfs,
    },
    FsType {
        name: "devpts",
        mount: devpts,
    },
    FsType {
        name: "mqueue",
        mount: |request| Ok(request.ipc.queues(request.kernel).root.inode().clone()),
    },
    FsType {
        name: "sysfs",
        mount: |request| Ok(crate::fs::sys::new(request.kernel, request.source)),
    },
    FsType {
        name: "cgroup2",
        mount: |request| Ok(cgroup(request)),
    },
    // What configurations ask for; as on a host that has only version 2.
    FsType {
        name: "cgroup",
        mount: |request| Ok(cgroup(request)),
    },
    FsType {
        name: "proc",
        mount: |request| {
            Ok(crate::fs::proc::new(
                request.kernel,
                request.pids,
                request.source,
            ))
        },
    },
];

fn cgroup(request: &MountRequest<'_>) -> InodeRef {
    crate::fs::cgroup::new(request.kernel, &request.cgroups.root, request.source)
}

/// A tmpfs with a container's device nodes in it.
fn devtmpfs(request: &MountRequest<'_>) -> Result<InodeRef, Errno> {
    let root = tmpfs(request)?;
    crate::fs::dev::populate(&root)?;
    Ok(root)
}

fn devpts(request: &MountRequest<'_>) -> Result<InodeRef, Errno> {
    use crate::fs::devpts;
    let options = devpts::Options::parse(request.options(), &request.creds.user)?;
    Ok(devpts::new(request.kernel, options, request.source))
}

fn tmpfs(request: &MountRequest<'_>) -> Result<InodeRef, Errno> {
    use crate::fs::tmpfs;
    let memory = &request.kernel.memory_of(&request.cgroups.root);
    let options = tmpfs::Options::parse(request.options(), memory.limit(), request.creds)?;
    Ok(tmpfs::new(memory, options, request.source))
}

/// An instance of the type `name`; `ENODEV` for one that is not known.
pub fn instantiate(name: &str, request: &MountRequest<'_>) -> Result<InodeRef, Errno> {
    if name.is_empty() {
        return Err(EINVAL);
    }
    let found = FS_TYPES.iter().find(|fs_type| fs_type.name == name);
    (found.ok_or(ENODEV)?.mount)(request)
}

/// The same for a program, whose privileges may end in a user name space: `EPERM` where
/// what is shown belongs to others.
pub(super) fn instantiate_as(
    creds: &Credentials,
    network: &NetNamespace,
    name: &str,
    request: &MountRequest<'_>,
) -> Result<InodeRef, Errno> {
    let owner = match name {
        "tmpfs" | "devpts" => creds.user.clone(),
        "cgroup" | "cgroup2" => request.cgroups.user.clone(),
        "mqueue" => request.ipc.user.clone(),
        "sysfs" => network.user.clone(),
        "proc" => request.pids.user.clone(),
        _ => UserNamespace::default(),
    };
    if !creds.has_in(&owner, Capabilities::SYS_ADMIN) {
        return Err(EPERM);
    }
    let root = instantiate(name, request)?;
    root.super_block().set_user(&owner);
    Ok(root)
}
