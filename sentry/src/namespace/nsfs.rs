//! The files that stand for name spaces. /proc/PID/ns leads to them, setns(2) takes them,
//! and as long as one is open or mounted somewhere, its name space stays.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use syscalls::errno::EPERM;
use syscalls::{Errno, SysResult};

use super::{Namespace, NamespaceId, UserNamespace};
use crate::fs::synth::{Behaviour, Instance, Synthetic};
use crate::task::Current;
use crate::vfs::{
    Dentry, File, FileKind, FileOps, Location, Mode, Mount, MountFlags, OpenMode, Owner, SetAttr,
    SuperBlock,
};

/// `f_type` of statfs(2).
const NSFS_MAGIC: u64 = 0x6e73_6673;
/// The type, as /proc/mounts shows it.
const NAME: &str = "nsfs";

/// A name space's inode.
struct NamespaceFile(Namespace);

/// An open one.
struct OpenNamespace(Namespace);

impl Behaviour for NamespaceFile {
    fn check_change(&self, _: &SetAttr) -> Result<(), Errno> {
        Err(EPERM)
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        _: &Current,
        _: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        Ok(Box::new(OpenNamespace(inode.behaviour.0.clone())))
    }
}

impl FileOps for OpenNamespace {
    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        super::ioctl::perform(task, &self.0, command, argument)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The name space that an open file stands for.
pub(crate) fn namespace_of(file: &File) -> Option<Namespace> {
    let open = file.downcast::<OpenNamespace>()?;
    Some(open.0.clone())
}

/// The name space at a place, if that is a file of one.
pub(crate) fn namespace_at(at: &Location) -> Option<Namespace> {
    let inode = at.inode().as_any();
    let file = inode.downcast_ref::<Synthetic<NamespaceFile>>()?;
    Some(file.behaviour.0.clone())
}

/// Where the file of a name space is, and its name.
pub(crate) fn location(namespace: Namespace) -> (Location, String) {
    let mount = file_system();
    let (kind, id) = (namespace.kind(), namespace.id());
    let name = format!("{}:[{}]", kind.name(), id.ino());
    let inode = inode(&mount.super_block, id, namespace);
    let at = Location {
        mount: mount.clone(),
        dentry: Dentry::anonymous(inode, &name),
    };
    (at, name)
}

/// The internal instance: all files of name spaces are on one device.
fn file_system() -> &'static Arc<Mount> {
    static MOUNT: OnceLock<Arc<Mount>> = OnceLock::new();
    MOUNT.get_or_init(|| {
        let instance = Instance {
            name: NAME,
            magic: NSFS_MAGIC,
            lasting: true,
            options: String::new(),
        };
        let super_block = SuperBlock::new(Box::new(instance), NAME);
        let first = Namespace::User(UserNamespace::default());
        let root = inode(&super_block, first.id(), first);
        Mount::new(Dentry::anonymous(root, "/"), MountFlags::default())
    })
}

fn inode(
    super_block: &Arc<SuperBlock>,
    id: NamespaceId,
    namespace: Namespace,
) -> Arc<Synthetic<NamespaceFile>> {
    let owner = Owner {
        uid: 0,
        gid: 0,
        mode: Mode::from_raw(0o444),
    };
    let file = NamespaceFile(namespace);
    Synthetic::new(super_block, id.ino(), FileKind::Regular, owner, file)
}
