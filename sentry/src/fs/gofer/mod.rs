//! Trees of the host, through the Gofer.
//!
//! Inodes are the host's: the same file reached twice is one [`GoferInode`] with one page
//! cache. In an *exclusive* tree nobody else writes, so names, absence, attributes and
//! pages are cached and writes go back later ([`write_back`]); in a *shared* one
//! attributes are asked for again and writes go through at once.

mod backing;
mod convert;
mod dir;
mod file;
mod inode;
mod open;
mod write_back;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use gofer::{Attr as HostAttr, Client, Handle, TreeId};
use platform::MemoryFile;
use syscalls::Errno;
use syscalls::errno::EMFILE;

use self::inode::GoferInode;
pub use self::write_back::WriteBack;
use crate::sync::{Level, Mutex};
use crate::vfs::{FileSystem, FsInfo, InodeRef, SuperBlock};

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
    inodes: Mutex<HashMap<Handle, Weak<GoferInode>>>,
    /// References to give back to the Gofer, in batches.
    forgotten: Mutex<Vec<Handle>>,
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
        inodes: Mutex::new(Level::Wait, HashMap::new()),
        forgotten: Mutex::new(Level::Leaf, Vec::new()),
    });
    let super_block = SuperBlock::new(Box::new(GoferFs(tree.clone())), source);
    let inode = GoferInode::new(&tree, &super_block, root, attr);
    tree.inodes.lock().insert(root, Arc::downgrade(&inode));
    Ok(inode)
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
            let Some(known) = inodes.get(&handle).and_then(Weak::upgrade) else {
                let made = GoferInode::new(tree, super_block, handle, attr);
                inodes.insert(handle, Arc::downgrade(&made));
                return made;
            };
            known
        };
        // The inode holds a reference already.
        self.forget(handle);
        known
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
    fn dropped(&self, handle: Handle) {
        {
            let mut inodes = self.inodes.lock();
            // A new object may have taken its place already.
            if inodes
                .get(&handle)
                .is_some_and(|weak| weak.strong_count() == 0)
            {
                inodes.remove(&handle);
            }
        }
        self.forget(handle);
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
        let inodes: Vec<_> = self.0.inodes.lock().values().cloned().collect();
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
