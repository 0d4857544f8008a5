//! Trees of the host, through the Gofer.
//!
//! Inodes are the host's: the same file reached twice is one [`GoferInode`] with one page
//! cache. In an *exclusive* tree nobody else writes, so names, absence, attributes and
//! pages are cached and writes go back later ([`write_back`]); in a *shared* one
//! attributes are asked for again and writes go through at once.

mod ahead;
mod backing;
mod capabilities;
mod convert;
mod dir;
mod file;
mod handle;
mod inode;
mod open;
mod write_back;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Weak};

use gofer::{Attr as HostAttr, Client, Handle, TreeId};
use platform::MemoryFile;
use syscalls::Errno;
use syscalls::errno::EMFILE;

use self::ahead::Ahead;
use self::handle::LazyHandle;
use self::inode::GoferInode;
pub use self::write_back::WriteBack;
use crate::sync::{Level, Mutex};
use crate::vfs::{FileName, FileSystem, FsInfo, Inode, InodeRef, SuperBlock};

/// Whether others write to a tree while the sandbox uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody else does.
    Exclusive,
    /// Others may.
    Shared,
}

/// One tree.
pub(crate) struct Tree {
    client: Client,
    memory: MemoryFile,
    sharing: Sharing,
    root: Handle,
    write_back: WriteBack,
    inodes: Mutex<Inodes>,
    ahead: Ahead,
    /// References to give back to the Gofer, in batches.
    forgotten: Mutex<Vec<Handle>>,
}

/// The inodes of a tree that are in use.
#[derive(Default)]
struct Inodes {
    by_handle: HashMap<Handle, Weak<GoferInode>>,
    /// In an exclusive tree: those without a handle too.
    by_number: HashMap<Number, Weak<GoferInode>>,
}

/// What makes an inode without a handle the same as another: its device and number there.
type Number = (u64, u64);

fn number(attr: &HostAttr) -> Number {
    (attr.dev, attr.ino)
}

struct GoferFs(Arc<Tree>);

/// References are given back when this many have come together.
const FORGET_BATCH: usize = 128;

/// Mounts tree `id`: its root inode, whose super block is the instance.
pub fn mount(
    client: &Client,
    memory: &MemoryFile,
    id: TreeId,
    sharing: Sharing,
    write_back: &WriteBack,
    source: &str,
) -> Result<InodeRef, Errno> {
    let (root, attr) = client.attach(id)?;
    let tree = Arc::new(Tree {
        client: client.clone(),
        memory: memory.clone(),
        sharing,
        root,
        write_back: write_back.clone(),
        inodes: Mutex::new(Level::Wait, Inodes::default()),
        ahead: Ahead::default(),
        forgotten: Mutex::new(Level::Leaf, Vec::new()),
    });
    let super_block = SuperBlock::new(Box::new(GoferFs(tree.clone())), source);
    Ok(tree.inode(&super_block, &tree, root, attr))
}

impl Tree {
    fn is_shared(&self) -> bool {
        self.sharing == Sharing::Shared
    }

    /// The inode of a handle on which the Gofer has just given one reference.
    fn inode(
        &self,
        super_block: &Arc<SuperBlock>,
        tree: &Arc<Tree>,
        handle: Handle,
        attr: HostAttr,
    ) -> Arc<GoferInode> {
        let known = {
            let mut inodes = self.inodes.lock();
            let Some(known) = inodes.by_handle.get(&handle).and_then(Weak::upgrade) else {
                let waits = inodes.by_number.get(&number(&attr)).and_then(Weak::upgrade);
                let inode = match waits.filter(|inode| inode.handle.set(handle)) {
                    Some(inode) => inode,
                    None => {
                        let lazy = LazyHandle::known(handle);
                        let made = GoferInode::new(tree, super_block, lazy, attr);
                        inodes.note_number(&made, &attr);
                        made
                    }
                };
                inodes.by_handle.insert(handle, Arc::downgrade(&inode));
                return inode;
            };
            known
        };
        // The inode holds a reference already.
        self.forget(handle);
        known
    }

    /// The inode with attributes `attr`, to which `name` in `dir` leads: without a handle, if
    /// it is not known yet.
    fn told(&self, dir: &GoferInode, name: &FileName, attr: HostAttr) -> Option<Arc<GoferInode>> {
        let dir = dir.this.upgrade()?;
        let mut inodes = self.inodes.lock();
        let known = inodes.by_number.get(&number(&attr)).and_then(Weak::upgrade);
        Some(known.unwrap_or_else(|| {
            let lazy = LazyHandle::of(dir.clone(), name.clone());
            let made = GoferInode::new(&dir.tree, dir.super_block(), lazy, attr);
            inodes.note_number(&made, &attr);
            made
        }))
    }

    /// Asks the Gofer. Where it is out of descriptors, cached names give some up.
    fn ask<R>(&self, request: impl Fn(&Client) -> Result<R, Errno>) -> Result<R, Errno> {
        loop {
            match request(&self.client) {
                Err(EMFILE) if crate::vfs::shrink_names() > 0 => self.flush_forgotten(),
                answer => return answer,
            }
        }
    }

    /// Gives one reference back, soon.
    fn forget(&self, handle: Handle) {
        let full = {
            let mut forgotten = self.forgotten.lock();
            forgotten.push(handle);
            forgotten.len() >= FORGET_BATCH
        };
        if full {
            self.flush_forgotten();
        }
    }

    fn flush_forgotten(&self) {
        let batch = std::mem::take(&mut *self.forgotten.lock());
        if let Err(error) = self.client.forget(&batch)
            && !self.client.is_broken()
        {
            log::warn!("the Gofer keeps {} inodes: {error}", batch.len());
        }
    }

    /// An inode object went away.
    fn dropped(&self, handle: Option<Handle>, number: Number) {
        {
            let mut inodes = self.inodes.lock();
            if let Some(handle) = handle {
                remove_dead(&mut inodes.by_handle, handle);
            }
            remove_dead(&mut inodes.by_number, number);
        }
        if let Some(handle) = handle {
            self.forget(handle);
        }
    }
}

impl Inodes {
    fn note_number(&mut self, inode: &Arc<GoferInode>, attr: &HostAttr) {
        if !inode.tree.is_shared() {
            self.by_number.insert(number(attr), Arc::downgrade(inode));
        }
    }
}

/// Takes an entry out whose inode is gone. A new object may have taken its place already.
fn remove_dead<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Weak<GoferInode>>, key: K) {
    if let Entry::Occupied(entry) = map.entry(key)
        && entry.get().strong_count() == 0
    {
        entry.remove();
    }
}

impl FileSystem for GoferFs {
    /// What programs expect a root file system to be of.
    fn name(&self) -> &'static str {
        "9p"
    }

    fn info(&self) -> Result<FsInfo, Errno> {
        let host = self.0.client.statfs(self.0.root)?;
        Ok(FsInfo {
            magic: host.fs_type,
            block_size: host.bsize,
            blocks: host.blocks,
            blocks_free: host.bfree,
            blocks_available: host.bavail,
            files: host.files,
            files_free: host.ffree,
            name_max: host.namelen,
        })
    }

    fn trusts_cache(&self) -> bool {
        !self.0.is_shared()
    }

    fn drop_clean_pages(&self) {
        // What cannot be written now stays; who wrote it hears of that.
        let _ = self.0.write_back.flush_all();
        let inodes: Vec<_> = self.0.inodes.lock().by_handle.values().cloned().collect();
        for data in inodes.iter().filter_map(Weak::upgrade) {
            if let Some(data) = &data.data {
                data.cache.drop_clean();
            }
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        self.0.write_back.flush_all()
    }
}
