//! Open files.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, EISDIR, ENODEV, ENXIO};

use super::dir::FIRST_COOKIE;
use super::dots;
use super::inode::{Data, Regular, TmpInode};
use crate::mm::Mappable;
use crate::vfs::{DirEntry, DirSink, File, FileKind, FileOps, OpenMode, SeekFrom, Sink, Source};

/// Entries looked up under the directory's lock at a time.
const BATCH: usize = 64;

/// An open directory.
pub(super) struct DirFile(pub(super) Arc<TmpInode>);

/// An open regular file.
pub(super) struct RegularFile(pub(super) Arc<TmpInode>);

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
        let (own, parent) = dots(file);
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
        self.0.accessed();
        loop {
            let batch = self
                .0
                .dir()?
                .lock()
                .entries_from(pos.max(FIRST_COOKIE), BATCH);
            if batch.is_empty() {
                return Ok(pos);
            }
            for (cookie, name, inode) in batch {
                let (ino, kind, next) = (inode.ino(), inode.kind(), cookie + 1);
                let entry = DirEntry {
                    name: name.as_bytes(),
                    ino,
                    kind,
                    next,
                };
                if let ControlFlow::Break(()) = sink(entry) {
                    return Ok(pos);
                }
                pos = next;
            }
        }
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
        match &self.0.data {
            Data::Regular(file) => Ok(file),
            _ => Err(EINVAL),
        }
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
        self.0.modified();
        Ok(count)
    }

    fn append(&self, _: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        let data = self.data()?;
        let _writer = data.writer.lock();
        let end = data.cache.size();
        let count = data.cache.write(src, end)?;
        self.0.modified();
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
        match &self.0.data {
            Data::Regular(file) => Ok(file.cache.clone()),
            _ => Err(ENODEV),
        }
    }

    fn sync(&self, _: &File, _: bool) -> Result<(), Errno> {
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
