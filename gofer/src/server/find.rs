//! Finding inodes: attach, walk, forget.

use std::ffi::CStr;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENOENT, ENOTDIR, EROFS};
use zerocopy::{FromBytes, IntoBytes};

use super::attr::attributes;
use super::confine::{Child, child, take_name};
use super::dispatch::Serve;
use super::node::Node;
use super::table::Key;
use super::{Files, Rights, Tree};
use crate::host::HostResult;
use crate::wire::request;
use crate::{Attr, FileType, Handle};

impl Files {
    pub(super) fn node(&self, handle: Handle) -> Result<Arc<Node>, Errno> {
        self.table.get(handle)
    }

    /// The node of a directory; `ENOTDIR`.
    pub(super) fn dir(&self, handle: Handle) -> Result<Arc<Node>, Errno> {
        let node = self.table.get(handle)?;
        match node.file_type {
            FileType::Directory => Ok(node),
            _ => Err(ENOTDIR),
        }
    }

    /// The node of an inode that may be changed; `EROFS`.
    pub(super) fn writable(&self, handle: Handle) -> Result<Arc<Node>, Errno> {
        let node = self.table.get(handle)?;
        self.check_writable(&node)?;
        Ok(node)
    }

    /// The node of a directory in which names may be changed.
    pub(super) fn writable_dir(&self, handle: Handle) -> Result<Arc<Node>, Errno> {
        let node = self.dir(handle)?;
        self.check_writable(&node)?;
        Ok(node)
    }

    /// `EROFS` for an inode that must not be changed.
    pub(super) fn check_writable(&self, node: &Node) -> Result<(), Errno> {
        match self.tree(node.tree)?.rights {
            Rights::ReadWrite if !node.sealed => Ok(()),
            Rights::ReadWrite | Rights::ReadOnly => Err(EROFS),
        }
    }

    pub(super) fn tree(&self, index: u32) -> Result<&Tree, Errno> {
        let index = usize::try_from(index).map_err(|_| ENOENT)?;
        self.trees.get(index).ok_or(ENOENT)
    }

    /// Looks a name up; the caller has a directory.
    pub(super) fn lookup(&self, dir: &Node, name: &CStr) -> Result<Child, Errno> {
        let mounts = self.tree(dir.tree)?.mounts;
        self.with_room(|| child(dir, mounts, name))
    }

    /// Hands out what was found in `tree`.
    pub(super) fn hand_out(
        &self,
        tree: u32,
        found: Child,
    ) -> Result<(request::Node, Arc<Node>), Errno> {
        let attr = attributes(&found.path)?;
        let Child { path, sealed } = found;
        let node = Node::new(path, tree, attr.file_type(), sealed);
        self.hand_out_node(node.with_read_ahead(self.read_ahead), attr)
    }

    /// Hands out a node whose attributes are `attr`.
    pub(super) fn hand_out_node(
        &self,
        node: Node,
        attr: Attr,
    ) -> Result<(request::Node, Arc<Node>), Errno> {
        let key = Key {
            tree: node.tree,
            sealed: node.sealed,
            dev: attr.dev,
            ino: attr.ino,
        };
        let (handle, node) = self.table.hand_out(key, node)?;
        Ok((request::Node { handle, attr }, node))
    }

    /// Runs `f`, which makes a descriptor; if there is no room for one, makes some and
    /// tries once more.
    pub(super) fn with_room<T>(&self, f: impl Fn() -> Result<T, Errno>) -> Result<T, Errno> {
        use syscalls::errno::EMFILE;
        match f() {
            Err(EMFILE) if self.table.close_idle() > 0 => f(),
            result => result,
        }
    }
}

impl Serve for request::Attach {
    fn serve(self, files: &Files, _: &[u8], _: &mut Vec<u8>) -> Result<request::Node, Errno> {
        let root = &files.tree(self.tree)?.root;
        let path = files.with_room(|| rustix::io::fcntl_dupfd_cloexec(root, 0).host())?;
        let found = Child {
            path,
            sealed: false,
        };
        Ok(files.hand_out(self.tree, found)?.0)
    }
}

impl Serve for request::Walk {
    fn serve(
        self,
        files: &Files,
        mut tail: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<request::WalkReply, Errno> {
        let mut dir = files.dir(self.dir)?;
        let mut found = 0;
        let mut errno = 0;
        while !tail.is_empty() && dir.file_type == FileType::Directory && found < WALK_LIMIT {
            let step = take_name(&mut tail)
                .and_then(|name| files.lookup(&dir, name))
                .and_then(|child| files.hand_out(dir.tree, child));
            match step {
                Ok((reply, node)) => {
                    out.extend_from_slice(reply.as_bytes());
                    dir = node;
                    found += 1;
                }
                Err(e) => {
                    errno = u32::from(e.raw());
                    break;
                }
            }
        }
        Ok(request::WalkReply { found, errno })
    }
}

/// As many as surely fit in a reply.
const WALK_LIMIT: u32 = 256;

impl Serve for request::Forget {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<request::Nothing, Errno> {
        let handles = tail.chunks_exact(size_of::<Handle>());
        if !handles.remainder().is_empty() {
            return Err(EINVAL);
        }
        files
            .table
            .forget(handles.filter_map(|bytes| Handle::read_from_bytes(bytes).ok()));
        Ok(request::Nothing {})
    }
}
