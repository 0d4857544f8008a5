//! Open directories.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;

use gofer::{Access, Detail};
use syscalls::Errno;
use syscalls::errno::{EINVAL, EISDIR};

use super::convert;
use super::inode::GoferInode;
use crate::sync::{Level, Mutex};
use crate::vfs::{
    DirEntry, DirSink, File, FileKind, FileOps, Inode, Listed, Listing, SeekFrom, Sink,
};

/// Lists the directory as it was when it was opened or rewound: positions are places in
/// that listing, so that every lasting name is seen once whatever comes and goes.
pub(super) struct DirFile {
    inode: Arc<GoferInode>,
    listing: Mutex<Option<Arc<Listing>>>,
}

impl DirFile {
    pub(super) fn new(inode: Arc<GoferInode>) -> Self {
        DirFile {
            inode,
            listing: Mutex::new(Level::Leaf, None),
        }
    }

    /// The listing that position `pos` belongs to.
    fn listing(&self, pos: u64) -> Result<Arc<Listing>, Errno> {
        if pos > 0
            && let Some(listing) = self.listing.lock().clone()
        {
            return Ok(listing);
        }
        let listing = self.inode.read_all()?;
        *self.listing.lock() = Some(listing.clone());
        Ok(listing)
    }
}

impl GoferInode {
    /// All entries; remembered in an exclusive tree.
    pub(super) fn read_all(&self) -> Result<Arc<Listing>, Errno> {
        if !self.tree.is_shared()
            && let Some(known) = self.listing.lock().clone()
        {
            return Ok(known);
        }
        let client = &self.tree.client;
        let dir = self.handle()?;
        let mut page = self
            .tree
            .ask(|client| client.readdir(dir, 0, Detail::Names))?;
        let long = !page.is_end();
        if long {
            // Again, from a descriptor that stays for the whole of it.
            self.tree.ask(|client| client.open(dir, Access::Read))?;
            page = client.readdir(dir, 0, Detail::Names)?;
        }
        let mut entries = Vec::new();
        let mut from = 0;
        loop {
            let before = from;
            for entry in &page {
                from = entry.next;
                if entry.name != b"." && entry.name != b".." {
                    let kind = convert::entry_kind(entry.file_type);
                    entries.push(Listed {
                        name: entry.name.into(),
                        ino: entry.ino,
                        kind,
                    });
                }
            }
            if page.is_end() || from == before {
                break;
            }
            page = client.readdir(dir, from, Detail::Names)?;
        }
        if long {
            // A listing is no reason to keep a descriptor in the Gofer.
            client.close(dir)?;
        }
        let listing = Arc::new(Listing(entries));
        if !self.tree.is_shared() {
            *self.listing.lock() = Some(listing.clone());
        }
        Ok(listing)
    }
}

impl FileOps for DirFile {
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
        let listing = self.listing(pos)?;
        let own = self.inode.ino();
        let parent = file.location.dentry.place.get().parent;
        let parent = parent.map_or(own, |parent| parent.inode().ino());
        let dots = [
            (&b"."[..], own, FileKind::Directory),
            (&b".."[..], parent, FileKind::Directory),
        ];
        let entries = listing
            .0
            .iter()
            .map(|entry| (&*entry.name, entry.ino, entry.kind));
        let skip = usize::try_from(pos).unwrap_or(usize::MAX);
        let mut pos = pos;
        for (name, ino, kind) in dots.into_iter().chain(entries).skip(skip) {
            if let ControlFlow::Break(()) = sink(DirEntry {
                name,
                ino,
                kind,
                next: pos + 1,
            }) {
                break;
            }
            pos += 1;
        }
        Ok(pos)
    }

    fn sync(&self, _: &File, data_only: bool) -> Result<(), Errno> {
        self.inode.sync(data_only)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
