//! Open regular files.

use std::any::Any;
use std::sync::Arc;

use gofer::Seek;
use syscalls::Errno;
use syscalls::errno::{EINVAL, ENXIO};

use super::inode::GoferInode;
use crate::mm::Mappable;
use crate::vfs::{File, FileOps, Inode, SeekFrom, Sink, Source};

pub(super) struct RegularFile(pub(super) Arc<GoferInode>);

impl RegularFile {
    fn write_at(&self, src: &mut Source<'_>, pos: Option<u64>) -> Result<(usize, u64), Errno> {
        let data = self.0.data()?;
        let (count, end) = {
            let _writer = data.writer.lock();
            let pos = pos.unwrap_or_else(|| data.cache.size());
            let count = data.cache.write(src, pos)?;
            (count, pos + count as u64)
        };
        self.0.written()?;
        Ok((count, end))
    }

    /// Holes are the host's to know; what is not written yet has to get there first.
    fn ask_host(&self, pos: u64, to: Seek) -> Result<u64, Errno> {
        if pos >= self.0.data()?.cache.size() {
            return Err(ENXIO);
        }
        self.0.flush()?;
        let access = gofer::Access::Read;
        self.0
            .data()?
            .host
            .opened
            .ensure(&self.0.tree.client, self.0.handle()?, access)?;
        self.0.tree.client.seek(self.0.handle()?, pos, to)
    }
}

impl FileOps for RegularFile {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        self.0.revalidate()?;
        self.0.data()?.cache.read(dst, pos)
    }

    fn write(&self, _: &File, src: &mut Source<'_>, pos: u64) -> Result<usize, Errno> {
        self.write_at(src, Some(pos)).map(|(count, _)| count)
    }

    fn append(&self, _: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        self.0.revalidate()?;
        self.write_at(src, None)
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        self.0.revalidate()?;
        match from {
            SeekFrom::Start(pos) => Ok(pos),
            SeekFrom::End(by) => self
                .0
                .data()?
                .cache
                .size()
                .checked_add_signed(by)
                .ok_or(EINVAL),
            SeekFrom::Data(pos) => self.ask_host(pos, Seek::Data),
            SeekFrom::Hole(pos) => self.ask_host(pos, Seek::Hole),
        }
    }

    fn mappable(&self, _: &File) -> Result<Arc<dyn Mappable>, Errno> {
        Ok(self.0.data()?.cache.clone())
    }

    fn sync(&self, _: &File, data_only: bool) -> Result<(), Errno> {
        self.0.sync(data_only)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
