//! Open files.

use std::any::Any;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, EISDIR, ENXIO};

use super::dir::FIRST_COOKIE;
use super::inode::{OverlayInode, Regular};
use crate::mm::Mappable;
use crate::sync::{Level, Mutex};
use crate::vfs::{
    DirEntry, DirSink, File, FileKind, FileOps, Inode, Listed, Listing, OpenMode, SeekFrom, Sink,
    Source,
};

/// Names looked at under the directory's lock at a time.
const BATCH: usize = 64;

/// Positions of the lower names: after "." and "..".
const FIRST_LOWER: u64 = 2;

/// An open directory. First come the names below, in their order there, then the others in
/// the order they were made: positions stay whatever comes and goes.
pub(super) struct DirFile {
    inode: Arc<OverlayInode>,
    /// The lower directory's names, which do not change.
    below: Mutex<Option<Arc<Listing>>>,
}

/// An open regular file.
pub(super) struct RegularFile(pub(super) Arc<OverlayInode>);

impl OverlayInode {
    /// Which of `names` of the lower directory show here.
    fn shown<'a>(&self, names: &'a [Listed]) -> Result<Vec<(usize, &'a Listed)>, Errno> {
        let dir = self.dir()?.lock();
        let names = names.iter().enumerate();
        Ok(names.filter(|(_, entry)| !dir.hides(&entry.name)).collect())
    }

    /// All names of a directory.
    pub(super) fn merged_listing(&self) -> Result<Arc<Listing>, Errno> {
        let below = self.lower.as_ref().map(|lower| lower.list()).transpose()?;
        let copy = |(_, entry): (usize, &Listed)| Listed {
            name: entry.name.clone(),
            ..*entry
        };
        let mut all: Vec<Listed> = match &below {
            Some(below) => self.shown(&below.0)?.into_iter().map(copy).collect(),
            None => Vec::new(),
        };
        let own = self.dir()?.lock().entries_from(0, usize::MAX);
        all.extend(own.into_iter().map(|(_, name, inode)| Listed {
            name: name.as_bytes().into(),
            ino: inode.ino(),
            kind: inode.kind(),
        }));
        Ok(Arc::new(Listing(all)))
    }
}

impl DirFile {
    pub(super) fn new(inode: Arc<OverlayInode>) -> Self {
        DirFile {
            inode,
            below: Mutex::new(Level::Leaf, None),
        }
    }

    fn below(&self) -> Result<Arc<Listing>, Errno> {
        if let Some(known) = self.below.lock().clone() {
            return Ok(known);
        }
        let listing = match &self.inode.lower {
            Some(lower) => lower.list()?,
            None => Arc::default(),
        };
        *self.below.lock() = Some(listing.clone());
        Ok(listing)
    }

    /// "." and "..", from `pos` on. The position after them; `Err` where `sink` is full.
    fn list_dots(&self, file: &File, mut pos: u64, sink: &mut DirSink<'_>) -> Result<u64, u64> {
        let own = self.inode.ino();
        let parent = file.location.dentry.place.get().parent;
        let parent = parent.map_or(own, |parent| parent.inode().ino());
        for (at, name, ino) in [(0, &b"."[..], own), (1, &b".."[..], parent)] {
            if pos == at {
                let (kind, next) = (FileKind::Directory, at + 1);
                let entry = DirEntry {
                    name,
                    ino,
                    kind,
                    next,
                };
                if sink(entry).is_break() {
                    return Err(pos);
                }
                pos = next;
            }
        }
        Ok(pos)
    }

    fn list_below(&self, pos: u64, sink: &mut DirSink<'_>) -> Result<Result<u64, u64>, Errno> {
        let below = self.below()?;
        let mut at = usize::try_from(pos - FIRST_LOWER).unwrap_or(usize::MAX);
        while let Some(rest) = below.0.get(at..).filter(|rest| !rest.is_empty()) {
            let batch = rest.get(..BATCH).unwrap_or(rest);
            for (index, listed) in self.inode.shown(batch)? {
                let here = FIRST_LOWER + (at + index) as u64;
                let entry = DirEntry {
                    name: &listed.name,
                    ino: listed.ino,
                    kind: listed.kind,
                    next: here + 1,
                };
                if sink(entry).is_break() {
                    return Ok(Err(here));
                }
            }
            at += batch.len();
        }
        Ok(Ok(FIRST_COOKIE))
    }

    fn list_own(&self, mut pos: u64, sink: &mut DirSink<'_>) -> Result<u64, Errno> {
        loop {
            let batch = self.inode.dir()?.lock().entries_from(pos, BATCH);
            if batch.is_empty() {
                return Ok(pos);
            }
            for (cookie, name, inode) in batch {
                let entry = DirEntry {
                    name: name.as_bytes(),
                    ino: inode.ino(),
                    kind: inode.kind(),
                    next: cookie + 1,
                };
                if sink(entry).is_break() {
                    return Ok(cookie);
                }
                pos = cookie + 1;
            }
        }
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
        let mut pos = match self.list_dots(file, pos, sink) {
            Ok(pos) => pos,
            Err(full) => return Ok(full),
        };
        self.inode.accessed();
        if pos < FIRST_COOKIE {
            pos = match self.list_below(pos, sink)? {
                Ok(pos) => pos,
                Err(full) => return Ok(full),
            };
        }
        self.list_own(pos, sink)
    }

    fn sync(&self, _: &File, _: bool) -> Result<(), Errno> {
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl RegularFile {
    fn data(&self) -> Result<&Regular, Errno> {
        self.0.regular()
    }
}

impl FileOps for RegularFile {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, file: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        let count = self.data()?.cache.read(dst, pos)?;
        if !file.mode().contains(OpenMode::NOATIME) {
            self.0.accessed();
        }
        Ok(count)
    }

    fn write(&self, _: &File, src: &mut Source<'_>, pos: u64) -> Result<usize, Errno> {
        let data = self.data()?;
        let _writer = data.writer.lock();
        let count = data.cache.write(src, pos)?;
        self.0.modified()?;
        Ok(count)
    }

    fn append(&self, _: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        let data = self.data()?;
        let _writer = data.writer.lock();
        let end = data.cache.size();
        let count = data.cache.write(src, end)?;
        self.0.modified()?;
        Ok((count, end + count as u64))
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        let cache = &self.data()?.cache;
        match from {
            SeekFrom::Start(pos) => Ok(pos),
            SeekFrom::End(by) => cache.size().checked_add_signed(by).ok_or(EINVAL),
            SeekFrom::Data(pos) => cache.next_data(pos).ok_or(ENXIO),
            SeekFrom::Hole(pos) if pos >= cache.size() => Err(ENXIO),
            SeekFrom::Hole(pos) => Ok(cache.next_hole(pos)),
        }
    }

    fn mappable(&self, _: &File) -> Result<Arc<dyn Mappable>, Errno> {
        Ok(self.data()?.cache.clone())
    }

    fn sync(&self, _: &File, _: bool) -> Result<(), Errno> {
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
