//! Pieces of a stream. Large ones come from a store and go back to it, so that a busy
//! connection does not ask the allocator, and an idle one holds nothing.

use syscalls::Errno;

use crate::sync::{Level, Mutex};
use crate::vfs::{Sink, Source};

/// Bytes of a large chunk.
pub(super) const SIZE: usize = 64 << 10;
/// Room that a small chunk is made with.
const LEAST: usize = 256;
/// Large chunks that are kept for later.
const KEPT: usize = 32;

static STORE: Mutex<Vec<Vec<u8>>> = Mutex::new(Level::Leaf, Vec::new());

/// Bytes, of which some were taken. The storage is always filled with something, so that
/// nothing has to be cleared before it is copied into.
pub(super) struct Chunk {
    storage: Vec<u8>,
    start: usize,
    end: usize,
}

impl Chunk {
    /// Up to `len` bytes of `src`. `EFAULT` if nothing could be copied.
    pub(super) fn fill(src: &mut Source<'_>, len: usize) -> Result<Self, Errno> {
        let storage = if len > SIZE / 2 {
            let kept = STORE.lock().pop();
            kept.unwrap_or_else(|| vec![0; SIZE])
        } else {
            vec![0; len.max(LEAST)]
        };
        let mut chunk = Chunk {
            storage,
            start: 0,
            end: 0,
        };
        chunk.append(src, len)?;
        Ok(chunk)
    }

    /// True if `len` more bytes fit.
    pub(super) fn takes(&self, len: usize) -> bool {
        self.storage.len() - self.end >= len
    }

    /// Appends up to `len` bytes of `src`; returns how many.
    pub(super) fn append(&mut self, src: &mut Source<'_>, len: usize) -> Result<usize, Errno> {
        let end = self.storage.len().min(self.end + len);
        let space = self.storage.get_mut(self.end..end).unwrap_or_default();
        let count = src.read(space)?;
        self.end += count;
        Ok(count)
    }

    /// What is left.
    pub(super) fn bytes(&self) -> &[u8] {
        self.storage.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn last(&self) -> Option<u8> {
        self.bytes().last().copied()
    }

    /// Drops up to `len` bytes; returns how many.
    pub(super) fn skip(&mut self, len: usize) -> usize {
        let count = len.min(self.len());
        self.start += count;
        count
    }

    /// Moves up to `len` bytes to `dst`.
    pub(super) fn drain(&mut self, dst: &mut Sink<'_>, len: usize) -> Result<usize, Errno> {
        let bytes = self.bytes();
        let count = dst.write(bytes.get(..len).unwrap_or(bytes))?;
        Ok(self.skip(count))
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if self.storage.len() == SIZE {
            let storage = std::mem::take(&mut self.storage);
            let mut store = STORE.lock();
            if store.len() < KEPT {
                store.push(storage);
            }
        }
    }
}
