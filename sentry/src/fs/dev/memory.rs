//! null(4), zero(4), full(4).

use std::any::Any;
use std::sync::Arc;

use platform::MemoryFile;
use syscalls::Errno;
use syscalls::errno::ENOSPC;

use crate::fs::page_cache::{MAX_FILE_SIZE, PageCache};
use crate::mm::Mappable;
use crate::vfs::{File, FileOps, Sink, Source};

/// /dev/null.
pub(super) struct Null;

/// /dev/zero.
pub(super) struct Zero(pub(super) MemoryFile);

/// /dev/full.
pub(super) struct Full(pub(super) MemoryFile);

/// Takes everything.
fn swallow(src: &mut Source<'_>) -> usize {
    let all = src.remaining();
    src.skip(all);
    all
}

fn fill(dst: &mut Sink<'_>) -> Result<usize, Errno> {
    dst.write_zeros(dst.remaining())
}

/// Pages of zeros that belong to one mapping.
fn zeros(memory: &MemoryFile) -> Arc<dyn Mappable> {
    Arc::new(PageCache::new(memory.clone(), None, None, MAX_FILE_SIZE))
}

impl FileOps for Null {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, _: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        Ok(swallow(src))
    }

    fn append(&self, _: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        Ok((swallow(src), 0))
    }

    fn is_the_same_anywhere(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl FileOps for Zero {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        fill(dst)
    }

    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        Ok(swallow(src))
    }

    fn append(&self, _: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        Ok((swallow(src), 0))
    }

    fn is_the_same_anywhere(&self) -> bool {
        true
    }

    fn mappable(&self, _: &File) -> Result<Arc<dyn Mappable>, Errno> {
        Ok(zeros(&self.0))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl FileOps for Full {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        fill(dst)
    }

    fn write(&self, _: &File, _: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        Err(ENOSPC)
    }

    fn append(&self, _: &File, _: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        Err(ENOSPC)
    }

    fn is_the_same_anywhere(&self) -> bool {
        true
    }

    fn mappable(&self, _: &File) -> Result<Arc<dyn Mappable>, Errno> {
        Ok(zeros(&self.0))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
