//! Name spaces as such, namespaces(7): their kinds, what names them, their files ([`nsfs`])
//! and how a task enters one ([`enter`]). What each kind holds is in the modules of its
//! subject, but for those of users, who own all others ([`user`]).

mod enter;
mod id_map;
mod ioctl;
pub(crate) mod nsfs;
mod user;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use syscalls::abi::sched::CloneFlags;

pub(crate) use enter::of_task;
pub(crate) use ioctl::open as open_namespace;
pub use user::UserNamespace;
pub(crate) use user::{Ids, MAX_USER_NAMESPACES, OVERFLOW};

use crate::cgroup::CgroupNamespace;
use crate::ipc::IpcNamespace;
use crate::kernel::UtsNamespace;
use crate::net::NetNamespace;
use crate::task::PidNamespace;
use crate::vfs::MountNamespace;

/// A name space of whatever kind.
#[derive(Clone)]
#[allow(missing_docs, reason = "named as in namespaces(7)")]
pub enum Namespace {
    Cgroup(Arc<CgroupNamespace>),
    Ipc(Arc<IpcNamespace>),
    Mount(Arc<MountNamespace>),
    Net(Arc<NetNamespace>),
    Pid(Arc<PidNamespace>),
    User(UserNamespace),
    Uts(Arc<UtsNamespace>),
    /// The first of a kind of which there is no other.
    Only(Kind),
}

impl Namespace {
    /// What it is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Namespace::Cgroup(_) => Kind::Cgroup,
            Namespace::Ipc(_) => Kind::Ipc,
            Namespace::Mount(_) => Kind::Mount,
            Namespace::Net(_) => Kind::Net,
            Namespace::Pid(_) => Kind::Pid,
            Namespace::User(_) => Kind::User,
            Namespace::Uts(_) => Kind::Uts,
            Namespace::Only(kind) => *kind,
        }
    }

    /// The user name space whose privileged may change it; of a user name space, the one
    /// that it lies in, and `None` for the first.
    #[must_use]
    pub fn owner(&self) -> Option<UserNamespace> {
        Some(match self {
            Namespace::Cgroup(cgroups) => cgroups.user.clone(),
            Namespace::Ipc(ipc) => ipc.user.clone(),
            Namespace::Mount(mounts) => mounts.user.clone(),
            Namespace::Net(net) => net.user.clone(),
            Namespace::Pid(pids) => pids.user.clone(),
            Namespace::Uts(uts) => uts.user.clone(),
            Namespace::User(user) => user.parent()?.clone(),
            Namespace::Only(_) => UserNamespace::default(),
        })
    }

    /// What names it.
    #[must_use]
    pub fn id(&self) -> NamespaceId {
        match self {
            Namespace::Cgroup(cgroups) => cgroups.id,
            Namespace::Ipc(ipc) => ipc.id,
            Namespace::Mount(mounts) => mounts.id,
            Namespace::Net(net) => net.id,
            Namespace::Pid(pids) => pids.id,
            Namespace::User(user) => user.id(),
            Namespace::Uts(uts) => uts.id,
            Namespace::Only(kind) => NamespaceId::first(*kind),
        }
    }
}

/// What a name space is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in namespaces(7)")]
pub enum Kind {
    Cgroup,
    Ipc,
    Mount,
    Net,
    Pid,
    Time,
    User,
    Uts,
}

impl Kind {
    /// As in /proc/PID/ns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cgroup => "cgroup",
            Kind::Ipc => "ipc",
            Kind::Mount => "mnt",
            Kind::Net => "net",
            Kind::Pid => "pid",
            Kind::Time => "time",
            Kind::User => "user",
            Kind::Uts => "uts",
        }
    }

    /// As clone(2), unshare(2) and setns(2) name it.
    #[must_use]
    pub fn flag(self) -> CloneFlags {
        match self {
            Kind::Cgroup => CloneFlags::NEWCGROUP,
            Kind::Ipc => CloneFlags::NEWIPC,
            Kind::Mount => CloneFlags::NEWNS,
            Kind::Net => CloneFlags::NEWNET,
            Kind::Pid => CloneFlags::NEWPID,
            Kind::Time => CloneFlags::NEWTIME,
            Kind::User => CloneFlags::NEWUSER,
            Kind::Uts => CloneFlags::NEWUTS,
        }
    }
}

/// Names a name space: the number of its file. Later ones have higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamespaceId(u32);

impl Default for NamespaceId {
    /// One that no other has.
    fn default() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0xf000_0002);
        NamespaceId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl NamespaceId {
    /// That of the first name space of a kind, as Linux numbers them.
    #[must_use]
    pub fn first(kind: Kind) -> Self {
        NamespaceId(match kind {
            Kind::Time => 0xeffffffa,
            Kind::Cgroup => 0xeffffffb,
            Kind::Pid => 0xeffffffc,
            Kind::User => 0xeffffffd,
            Kind::Uts => 0xeffffffe,
            Kind::Ipc => 0xefffffff,
            Kind::Mount => 0xf0000000,
            Kind::Net => 0xf0000001,
        })
    }

    /// The inode number.
    #[must_use]
    pub fn ino(self) -> u64 {
        self.0.into()
    }
}
