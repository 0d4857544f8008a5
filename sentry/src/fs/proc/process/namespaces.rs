//! Links to name spaces, namespaces(7). They lead to files of an internal file system,
//! which setns(2) takes.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use syscalls::Errno;

use super::Process;
use crate::fs::synth::{Behaviour, Entry, Instance, Synthetic};
use crate::task::Current;
use crate::vfs::{
    Dentry, File, FileKind, FileOps, LinkTarget, Location, Mode, Mount, MountFlags, OpenMode,
    Owner, SetAttr, SuperBlock,
};

/// What a name space is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in namespaces(7)")]
pub enum NamespaceKind {
    Cgroup,
    Ipc,
    Mount,
    Net,
    Pid,
    Time,
    User,
    Uts,
}

impl NamespaceKind {
    fn name(self) -> &'static str {
        match self {
            NamespaceKind::Cgroup => "cgroup",
            NamespaceKind::Ipc => "ipc",
            NamespaceKind::Mount => "mnt",
            NamespaceKind::Net => "net",
            NamespaceKind::Pid => "pid",
            NamespaceKind::Time => "time",
            NamespaceKind::User => "user",
            NamespaceKind::Uts => "uts",
        }
    }

    /// The number of the first of its kind, as Linux gives it.
    fn ino(self) -> u64 {
        match self {
            NamespaceKind::Time => 0xeffffffa,
            NamespaceKind::Cgroup => 0xeffffffb,
            NamespaceKind::Pid => 0xeffffffc,
            NamespaceKind::User => 0xeffffffd,
            NamespaceKind::Uts => 0xeffffffe,
            NamespaceKind::Ipc => 0xefffffff,
            NamespaceKind::Mount => 0xf0000000,
            NamespaceKind::Net => 0xf0000001,
        }
    }

    /// Which an open file stands for.
    #[must_use]
    pub fn of(file: &File) -> Option<Self> {
        let inode = file.inode().as_any().downcast_ref::<Synthetic<Namespace>>();
        inode.map(|inode| inode.behaviour.0)
    }
}

/// A name space's file.
struct Namespace(NamespaceKind);

struct OpenNamespace;

impl Behaviour for Namespace {
    fn check_change(&self, _: &SetAttr) -> Result<(), Errno> {
        Err(syscalls::errno::EPERM)
    }

    fn open(_: &Arc<Synthetic<Self>>, _: &Current, _: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        Ok(Box::new(OpenNamespace))
    }
}

impl FileOps for OpenNamespace {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `f_type` of statfs(2).
const NSFS_MAGIC: u64 = 0x6e73_6673;

fn file_system() -> &'static Arc<Mount> {
    static MOUNT: OnceLock<Arc<Mount>> = OnceLock::new();
    MOUNT.get_or_init(|| {
        let instance = Instance {
            name: "nsfs",
            magic: NSFS_MAGIC,
            lasting: true,
            options: String::new(),
        };
        let super_block = SuperBlock::new(Box::new(instance), "nsfs");
        let root = inode(&super_block, NamespaceKind::Mount);
        Mount::new(Dentry::anonymous(root, "/"), MountFlags::default())
    })
}

fn inode(super_block: &Arc<SuperBlock>, kind: NamespaceKind) -> Arc<Synthetic<Namespace>> {
    let owner = Owner {
        uid: 0,
        gid: 0,
        mode: Mode::from_raw(0o444),
    };
    Synthetic::new(
        super_block,
        kind.ino(),
        FileKind::Regular,
        owner,
        Namespace(kind),
    )
}

fn target(process: &Process, task: &Current, kind: NamespaceKind) -> Result<LinkTarget, Errno> {
    process.inspected_by(task)?;
    let mount = file_system();
    let name = format!("{}:[{}]", kind.name(), kind.ino());
    let dentry = Dentry::anonymous(inode(&mount.super_block, kind), &name);
    let at = Location {
        mount: mount.clone(),
        dentry,
    };
    Ok(LinkTarget::Jump(at, name.into_bytes()))
}

/// /proc/PID/ns.
pub(super) const ENTRIES: &[Entry<Process>] = &[
    Entry::magic("cgroup", |p, t| target(p, t, NamespaceKind::Cgroup)),
    Entry::magic("ipc", |p, t| target(p, t, NamespaceKind::Ipc)),
    Entry::magic("mnt", |p, t| target(p, t, NamespaceKind::Mount)),
    Entry::magic("net", |p, t| target(p, t, NamespaceKind::Net)),
    Entry::magic("pid", |p, t| target(p, t, NamespaceKind::Pid)),
    Entry::magic("pid_for_children", |p, t| target(p, t, NamespaceKind::Pid)),
    Entry::magic("time", |p, t| target(p, t, NamespaceKind::Time)),
    Entry::magic("time_for_children", |p, t| {
        target(p, t, NamespaceKind::Time)
    }),
    Entry::magic("user", |p, t| target(p, t, NamespaceKind::User)),
    Entry::magic("uts", |p, t| target(p, t, NamespaceKind::Uts)),
];
