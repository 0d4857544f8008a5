//! The directory of a group: its files, and the groups in it.

use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENOENT, EPERM};

use super::{Control, core, cpu, memory, pids};
use crate::cgroup::Group;
use crate::fs::synth::{Behaviour, Entry, Listed, Listing, Node, Synthetic, TableDir, open_dir};
use crate::task::Current;
use crate::vfs::{
    Attr, FileKind, FileName, FileOps, InodeRef, Mode, NewNode, OpenMode, Owner, SetAttr,
    SuperBlock,
};

/// See the module.
pub(super) struct GroupDir {
    control: Control,
}

/// A part of the files, with the place of its inode numbers.
type Table = (u64, &'static [Entry<Control>]);

/// Inode numbers of a group.
const NUMBERS: u64 = 256;
/// Of them, numbers of a table.
const OF_TABLE: u64 = 32;

const CORE: Table = (0, core::ENTRIES);
const PIDS: Table = (1, pids::ENTRIES);
const CPU: Table = (2, cpu::ENTRIES);
const MEMORY: Table = (3, memory::ENTRIES);

impl GroupDir {
    pub(super) fn inode(control: Control, super_block: &Arc<SuperBlock>) -> InodeRef {
        let owner = Owner {
            uid: 0,
            gid: 0,
            mode: Mode::from_raw(0o755),
        };
        let ino = Self::ino(control.group.id());
        let dir = GroupDir { control };
        Synthetic::new(super_block, ino, FileKind::Directory, owner, dir)
    }

    pub(super) fn group_of(inode: &InodeRef) -> Option<Arc<Group>> {
        let dir = inode.as_any().downcast_ref::<Synthetic<GroupDir>>()?;
        Some(dir.behaviour.control.group.clone())
    }

    fn ino(id: u64) -> u64 {
        id.wrapping_mul(NUMBERS)
    }

    /// Those that there are now: a group below the container has the files of a controller
    /// that its parent passes on.
    fn tables(&self) -> impl Iterator<Item = TableDir<Control>> {
        let group = &self.control.group;
        let container = group.is_container();
        let pids = container || group.parent().is_some_and(|parent| parent.passes_pids());
        let all = [
            (true, CORE),
            (pids, PIDS),
            (container, CPU),
            (container, MEMORY),
        ];
        let there = all.into_iter().filter(|(there, _)| *there);
        there.map(|(_, (place, entries))| {
            let ino = Self::ino(group.id()) + place * OF_TABLE;
            TableDir::new(self.control.clone(), entries, ino)
        })
    }

    fn child(&self, name: &FileName) -> Result<Control, Errno> {
        let group = self.control.group.child(name).ok_or(ENOENT)?;
        Ok(Control {
            group,
            ..self.control.clone()
        })
    }
}

impl Behaviour for GroupDir {
    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        let children = self.control.group.children().len();
        let children = u32::try_from(children).unwrap_or(u32::MAX);
        attr.nlink = attr.nlink.saturating_add(children);
        Ok(())
    }

    fn check_change(&self, _: &SetAttr) -> Result<(), Errno> {
        Err(EPERM)
    }

    fn lookup(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        for table in self.tables() {
            match table.lookup(node, name) {
                Err(ENOENT) => {}
                found => return found,
            }
        }
        Ok(GroupDir::inode(self.child(name)?, node.super_block()))
    }

    fn revalidate(
        &self,
        node: &Node,
        name: &FileName,
        cached: &InodeRef,
    ) -> Result<Option<InodeRef>, Errno> {
        for table in self.tables() {
            if let Ok(same) = table.revalidate(node, name, cached) {
                return Ok(same);
            }
        }
        let child = self.child(name)?;
        let same = cached
            .as_any()
            .downcast_ref::<Synthetic<GroupDir>>()
            .is_some_and(|known| known.behaviour.control.group.id() == child.group.id());
        Ok((!same).then(|| GroupDir::inode(child, node.super_block())))
    }

    fn create(
        &self,
        node: &Node,
        name: &FileName,
        new: NewNode<'_>,
        _: Owner,
    ) -> Result<InodeRef, Errno> {
        if !matches!(new, NewNode::Directory) {
            return Err(EPERM);
        }
        // It would make two lines of one in /proc/PID/cgroup.
        if name.as_bytes().contains(&b'\n') {
            return Err(EINVAL);
        }
        let group = self.control.group.make(name)?;
        let control = Control {
            group,
            ..self.control.clone()
        };
        Ok(GroupDir::inode(control, node.super_block()))
    }

    fn rmdir(&self, _: &Node, name: &FileName, _: &InodeRef) -> Result<(), Errno> {
        let kernel = self.control.kernel()?;
        kernel.remove_cgroup(&self.control.group, name)
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        _: &Current,
        _: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        Ok(open_dir(inode))
    }
}

impl Listing for GroupDir {
    fn list(
        &self,
        node: &Node,
        from: u64,
        add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        /// Keys of a table; then come those of children.
        const KEYS: u64 = OF_TABLE;
        const CHILDREN: u64 = 4 * KEYS;
        let mut full = false;
        for (place, table) in (0..).zip(self.tables()) {
            let first = place * KEYS;
            table.list(node, from.saturating_sub(first), &mut |entry| {
                let entry = Listed {
                    key: entry.key + first,
                    ..entry
                };
                let flow = if entry.key < from {
                    ControlFlow::Continue(())
                } else {
                    add(entry)
                };
                full = flow.is_break();
                flow
            })?;
            if full {
                return Ok(());
            }
        }
        let mut children = self.control.group.children();
        children.sort_by_key(|(_, group)| group.id());
        for (name, group) in children {
            let child = Listed {
                key: CHILDREN + group.id(),
                name: &name,
                ino: Self::ino(group.id()),
                kind: FileKind::Directory,
            };
            if child.key >= from && add(child).is_break() {
                break;
            }
        }
        Ok(())
    }
}
