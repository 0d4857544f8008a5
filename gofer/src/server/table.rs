//! Handles: which inodes the client has, and how many references on each.
//!
//! A handle is an index and a generation, so that one that was forgotten stays invalid when
//! its index is used again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use syscalls::Errno;
use syscalls::errno::{EMFILE, ENFILE, ESTALE};

use super::node::Node;
use crate::Handle;

/// What makes two inodes the same. Inodes of different trees are kept apart, as their rights
/// and the mounts they were reached through differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    pub(super) tree: u32,
    /// Reached over a mount that is not followed.
    pub(super) sealed: bool,
    pub(super) dev: u64,
    pub(super) ino: u64,
}

struct Entry {
    generation: u32,
    refs: u64,
    used: Option<(Key, Arc<Node>)>,
}

#[derive(Default)]
struct Inner {
    entries: Vec<Entry>,
    by_key: HashMap<Key, u32>,
    free: Vec<u32>,
}

/// The client's inodes.
pub(super) struct Table {
    inner: RwLock<Inner>,
    /// Most inodes.
    capacity: usize,
}

fn join(index: u32, generation: u32) -> Handle {
    Handle(u64::from(generation) << 32 | u64::from(index))
}

impl Table {
    pub(super) fn new(capacity: usize) -> Self {
        Table {
            inner: RwLock::new(Inner::default()),
            capacity,
        }
    }

    /// The inode of a handle; `ESTALE`.
    pub(super) fn get(&self, handle: Handle) -> Result<Arc<Node>, Errno> {
        let inner = self.inner.read();
        let index = inner.find(handle).ok_or(ESTALE)?;
        let used = inner.entries.get(index).and_then(|e| e.used.as_ref());
        used.map(|(_, node)| Arc::clone(node)).ok_or(ESTALE)
    }

    /// Hands an inode out: one reference more. If the client has it already, that one
    /// stays and `node` is dropped; the inode that the handle means is returned too.
    /// `EMFILE` if that would be too many.
    pub(super) fn hand_out(&self, key: Key, node: Node) -> Result<(Handle, Arc<Node>), Errno> {
        let mut inner = self.inner.write();
        let inner = &mut *inner;
        if let Some(&index) = inner.by_key.get(&key) {
            let entry = inner.entries.get_mut(slot(index)).ok_or(ESTALE)?;
            if let Some((_, node)) = &entry.used {
                entry.refs += 1;
                return Ok((join(index, entry.generation), Arc::clone(node)));
            }
        }
        if inner.by_key.len() >= self.capacity {
            return Err(EMFILE);
        }
        let node = Arc::new(node);
        let index = match inner.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(inner.entries.len()).map_err(|_| ENFILE)?;
                inner.entries.push(Entry {
                    generation: 1,
                    refs: 0,
                    used: None,
                });
                index
            }
        };
        let entry = inner.entries.get_mut(slot(index)).ok_or(ESTALE)?;
        entry.refs = 1;
        entry.used = Some((key, Arc::clone(&node)));
        inner.by_key.insert(key, index);
        Ok((join(index, entry.generation), node))
    }

    /// Takes references back; closes what nobody refers to.
    pub(super) fn forget(&self, handles: impl Iterator<Item = Handle>) {
        // Dropped after the lock: closing may be slow.
        let mut gone = Vec::new();
        let mut inner = self.inner.write();
        for handle in handles {
            gone.extend(inner.forget(handle));
        }
        drop(inner);
    }

    /// Closes the data descriptors that no request uses; returns how many.
    pub(super) fn close_idle(&self) -> usize {
        let inner = self.inner.read();
        let nodes = inner.entries.iter().filter_map(|e| e.used.as_ref());
        nodes.map(|(_, node)| node.close_idle()).sum()
    }
}

impl Inner {
    fn find(&self, handle: Handle) -> Option<usize> {
        let index = usize::try_from(handle.0 & 0xffff_ffff).ok()?;
        let entry = self.entries.get(index)?;
        (u64::from(entry.generation) == handle.0 >> 32).then_some(index)
    }

    fn forget(&mut self, handle: Handle) -> Option<Arc<Node>> {
        let index = self.find(handle)?;
        let entry = self.entries.get_mut(index)?;
        entry.refs = entry.refs.saturating_sub(1);
        if entry.refs > 0 {
            return None;
        }
        let (key, node) = entry.used.take()?;
        entry.generation = entry.generation.wrapping_add(1).max(1);
        self.by_key.remove(&key);
        self.free.extend(u32::try_from(index));
        Some(node)
    }
}

fn slot(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
