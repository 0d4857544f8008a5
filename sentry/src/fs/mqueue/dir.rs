//! The directory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EEXIST, ENOENT, ENOSPC, EPERM};

use super::limits::{self, Maker, Shape};
use super::queue::Queue;
use crate::fs::synth::{Behaviour, Listed, Listing, Node, Synthetic, open_dir};
use crate::kernel::Kernel;
use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::vfs::{Attr, FileKind, FileName, FileOps, InodeRef, NewNode, OpenMode, Owner};

/// A queue's inode.
pub(super) type QueueInode = Synthetic<Queue>;

/// See the module.
pub(super) struct QueueDir {
    kernel: Weak<Kernel>,
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    /// Queues with the order in which they were made.
    queues: BTreeMap<FileName, (u64, Arc<QueueInode>)>,
    made: u64,
}

impl QueueDir {
    pub(super) fn new(kernel: Weak<Kernel>) -> Self {
        QueueDir {
            kernel,
            names: Mutex::new(Level::Inode, Names::default()),
        }
    }

    /// A queue of this shape; `EEXIST`, `EMFILE`, `ENOSPC`.
    pub(super) fn make(
        &self,
        node: &Node,
        name: &FileName,
        owner: Owner,
        shape: Shape,
        maker: &Maker,
    ) -> Result<InodeRef, Errno> {
        let kernel = self.kernel.upgrade().ok_or(ENOENT)?;
        let mut names = self.names.lock();
        if names.queues.contains_key(name) {
            return Err(EEXIST);
        }
        if names.queues.len() >= limits::most_queues(&kernel, &maker.creds) {
            return Err(ENOSPC);
        }
        let queue = Queue::new(&kernel, shape, maker)?;
        names.made += 1;
        let order = names.made;
        let ino = super::ROOT_INO + order;
        let inode = Synthetic::new(node.super_block(), ino, FileKind::Regular, owner, queue);
        names.queues.insert(name.clone(), (order, inode.clone()));
        node.modified();
        Ok(inode)
    }
}

impl Behaviour for QueueDir {
    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        let queues = self.names.lock().queues.len() as u64;
        attr.size = queues.saturating_mul(20);
        Ok(())
    }

    fn lookup(&self, _: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        let names = self.names.lock();
        let (_, inode) = names.queues.get(name).ok_or(ENOENT)?;
        Ok(inode.clone())
    }

    /// What open(2) with O_CREAT makes: a queue of the default shape.
    fn create(
        &self,
        node: &Node,
        name: &FileName,
        new: NewNode<'_>,
        owner: Owner,
    ) -> Result<InodeRef, Errno> {
        if !matches!(new, NewNode::Regular) {
            return Err(EPERM);
        }
        let kernel = self.kernel.upgrade().ok_or(ENOENT)?;
        let maker = Maker::of_user(owner.uid);
        self.make(node, name, owner, Shape::default_of(&kernel), &maker)
    }

    fn unlink(&self, node: &Node, name: &FileName, _: &InodeRef) -> Result<(), Errno> {
        let removed = self.names.lock().queues.remove(name);
        let (_, inode) = removed.ok_or(ENOENT)?;
        inode.behaviour.lose_name();
        node.modified();
        Ok(())
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        _: &Current,
        _: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        Ok(open_dir(inode))
    }
}

impl Listing for QueueDir {
    fn list(
        &self,
        _: &Node,
        from: u64,
        add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        let mut queues: Vec<_> = {
            let names = self.names.lock();
            let all = names.queues.iter();
            let all = all.map(|(name, (order, inode))| (*order, name.clone(), inode.node.ino()));
            all.filter(|(order, ..)| *order >= from).collect()
        };
        queues.sort_by_key(|(order, ..)| *order);
        for (key, name, ino) in queues {
            let child = Listed {
                key,
                name: name.as_bytes(),
                ino,
                kind: FileKind::Regular,
            };
            if add(child).is_break() {
                break;
            }
        }
        Ok(())
    }
}
