//! Open directories.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, EISDIR};

use super::{Behaviour, Node, Synthetic};
use crate::vfs::{DirEntry, DirSink, File, FileKind, FileOps, SeekFrom, Sink};

/// A child, as a listing shows it.
pub struct Listed<'a> {
    /// Where it stands in the order, below 2^62. The same child always has the same key.
    pub key: u64,
    /// Name.
    pub name: &'a [u8],
    /// Inode number.
    pub ino: u64,
    /// Type.
    pub kind: FileKind,
}

/// A directory's contents.
pub trait Listing: Behaviour {
    /// Gives `add` the children with keys of at least `from`, by rising key, until it
    /// says to stop. "." and ".." are not among them. No lock is held while `add` runs.
    fn list(
        &self,
        node: &Node,
        from: u64,
        add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Errno>;
}

/// Opens a directory.
#[must_use]
pub fn open_dir<B: Listing>(inode: &Arc<Synthetic<B>>) -> Box<dyn FileOps> {
    Box::new(OpenDir(inode.clone()))
}

struct OpenDir<B>(Arc<Synthetic<B>>);

/// Position of the child with key 0: "." and ".." come before.
const FIRST: u64 = 2;

impl<B: Listing> FileOps for OpenDir<B> {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, _: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        Err(EISDIR)
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        match from {
            SeekFrom::Start(pos) => Ok(pos),
            _ => Err(EINVAL),
        }
    }

    fn read_dir(&self, file: &File, pos: u64, sink: &mut DirSink<'_>) -> Result<u64, Errno> {
        let own = file.inode().ino();
        let parent = file.location.dentry.parent();
        let parent = parent.map_or(own, |parent| parent.inode().ino());
        let mut pos = pos;
        for (at, name, ino) in [(0, &b"."[..], own), (1, &b".."[..], parent)] {
            if pos == at {
                let entry = DirEntry {
                    name,
                    ino,
                    kind: FileKind::Directory,
                    next: at + 1,
                };
                if sink(entry).is_break() {
                    return Ok(pos);
                }
                pos = at + 1;
            }
        }
        let Synthetic { node, behaviour } = &*self.0;
        behaviour.list(node, pos.saturating_sub(FIRST), &mut |child| {
            let next = child.key.saturating_add(FIRST + 1);
            let entry = DirEntry {
                name: child.name,
                ino: child.ino,
                kind: child.kind,
                next,
            };
            sink(entry)?;
            pos = next;
            ControlFlow::Continue(())
        })?;
        Ok(pos)
    }

    fn sync(&self, _: &File, _: bool) -> Result<(), Errno> {
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
