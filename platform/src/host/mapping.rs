//! A shared mapping of a file, owned.

use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use syscalls::Errno;
use syscalls::errno::{EFAULT, EINVAL};

use super::errno;

/// Bytes of a file mapped read-write and shared, until dropped. Others change the bytes
/// at any time: access is by [`usercopy`](crate::usercopy) and atomics only.
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is plain memory without thread affinity; it is only handed out as
// raw pointers and atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `file` from byte `offset` (page-aligned).
    pub(crate) fn shared(file: impl AsFd, offset: u64, len: usize) -> Result<Self, Errno> {
        let size = NonZeroUsize::new(len).ok_or(EINVAL)?;
        let offset = i64::try_from(offset).map_err(|_| EINVAL)?;
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the host's choice disturbs nothing.
        let base = unsafe { mmap(None, size, prot, flags, file, offset) }.map_err(errno)?;
        Ok(Mapping {
            base: base.cast(),
            len,
        })
    }

    /// Bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The address of `len` bytes at `offset`; `EFAULT` if they are not all inside.
    pub(crate) fn at(&self, offset: usize, len: usize) -> Result<*mut u8, Errno> {
        let end = offset.checked_add(len).ok_or(EFAULT)?;
        if end > self.len {
            return Err(EFAULT);
        }
        // SAFETY: `offset` is inside the mapping, as just checked.
        Ok(unsafe { self.base.as_ptr().add(offset) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is ours, and borrows of its addresses end with `self`.
        let _ = unsafe { munmap(self.base.cast(), self.len) };
    }
}
