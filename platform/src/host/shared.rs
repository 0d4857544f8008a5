//! Memory shared between two processes that do not trust each other.

use std::ffi::CStr;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::fstat;
use syscalls::Errno;
use syscalls::errno::{EINVAL, EPERM};

use crate::usercopy;

/// A memfd of fixed size, mapped whole for reading and writing. The other process may
/// change any byte at any time, so bytes are copied and words are touched by atomics;
/// no reference to plain memory is given out.
#[derive(Debug)]
pub struct SharedRegion {
    start: NonNull<u8>,
    len: NonZeroUsize,
    fd: OwnedFd,
}

// SAFETY: the mapping belongs to the process, not to a thread; all access is by copies
// that tolerate concurrent changes, or by atomics.
unsafe impl Send for SharedRegion {}
// SAFETY: as above.
unsafe impl Sync for SharedRegion {}

impl SharedRegion {
    /// A new region of `len` bytes, zero, that nobody can shrink or grow. `name` is what
    /// /proc shows.
    pub fn create(name: &CStr, len: usize) -> Result<Self, Errno> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let fd = memfd_create(name, flags).map_err(host)?;
        let size = i64::try_from(len).map_err(|_| EINVAL)?;
        nix::unistd::ftruncate(&fd, size).map_err(host)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&fd, FcntlArg::F_ADD_SEALS(seals)).map_err(host)?;
        Self::attach(fd)
    }

    /// Maps a region that another process made. `EPERM` if it could still be shrunk, which
    /// would make access to it end this process.
    pub fn attach(fd: OwnedFd) -> Result<Self, Errno> {
        let seals = fcntl(&fd, FcntlArg::F_GET_SEALS).map_err(host)?;
        if !SealFlag::from_bits_retain(seals).contains(SealFlag::F_SEAL_SHRINK) {
            return Err(EPERM.why("shared region without a seal against shrinking"));
        }
        let size = fstat(&fd).map_err(host)?.st_size;
        let len = usize::try_from(size)
            .ok()
            .and_then(NonZeroUsize::new)
            .ok_or(EINVAL)?;
        usercopy::install();
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the host's choice; it aliases nothing.
        let start = unsafe { mmap(None, len, prot, MapFlags::MAP_SHARED, &fd, 0) }.map_err(host)?;
        Ok(SharedRegion {
            start: start.cast(),
            len,
            fd,
        })
    }

    /// Size in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// The word at byte `offset`.
    ///
    /// # Panics
    /// If it is not inside the region or not aligned: offsets are the program's own.
    #[must_use]
    pub fn atomic_u32(&self, offset: usize) -> &AtomicU32 {
        let word = self.at::<AtomicU32>(offset);
        // SAFETY: `at` checked bounds and alignment; the mapping lives as long as `self`
        // and nothing but atomics and copies through raw pointers touches it.
        unsafe { word.as_ref() }
    }

    /// The double word at byte `offset`.
    ///
    /// # Panics
    /// As [`Self::atomic_u32`].
    #[must_use]
    pub fn atomic_u64(&self, offset: usize) -> &AtomicU64 {
        let word = self.at::<AtomicU64>(offset);
        // SAFETY: as in `atomic_u32`.
        unsafe { word.as_ref() }
    }

    /// Copies `dst.len()` bytes out.
    ///
    /// # Panics
    /// If they are not inside the region, or the host has no memory for a page of it.
    pub fn read(&self, offset: usize, dst: &mut [u8]) {
        let len = dst.len();
        let src = self.range(offset, len);
        // SAFETY: `range` checked the bounds; `dst` is private memory, so they do not
        // overlap. Bytes that the other process changes meanwhile arrive old or new.
        let copied = unsafe { usercopy::copy(dst.as_mut_ptr(), src.as_ptr(), len) };
        copied.expect(NO_MEMORY);
    }

    /// Copies `src` in.
    ///
    /// # Panics
    /// As [`Self::read`].
    pub fn write(&self, offset: usize, src: &[u8]) {
        let dst = self.range(offset, src.len());
        // SAFETY: as in `read`, the other way.
        let copied = unsafe { usercopy::copy(dst.as_ptr(), src.as_ptr(), src.len()) };
        copied.expect(NO_MEMORY);
    }

    fn at<T>(&self, offset: usize) -> NonNull<T> {
        assert!(offset.is_multiple_of(align_of::<T>()), "unaligned offset");
        self.range(offset, size_of::<T>()).cast()
    }

    fn range(&self, offset: usize, len: usize) -> NonNull<u8> {
        let end = offset.checked_add(len);
        assert!(
            end.is_some_and(|end| end <= self.len()),
            "outside the region"
        );
        // SAFETY: `offset` is at most the mapping's length.
        unsafe { self.start.add(offset) }
    }
}

impl Drop for SharedRegion {
    fn drop(&mut self) {
        // SAFETY: made by `attach`, and no reference outlives `self`. Unmapping a whole
        // mapping does not fail.
        let _ = unsafe { munmap(self.start.cast(), self.len()) };
    }
}

impl AsFd for SharedRegion {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

const NO_MEMORY: &str = "the host has no memory for a shared region";

fn host(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw(errno as i32)
}

#[cfg(test)]
mod tests {
    use super::SharedRegion;
    use std::os::fd::AsFd;
    use std::sync::atomic::Ordering;
    use syscalls::errno::EPERM;

    #[test]
    fn two_mappings_see_each_other() {
        let a = SharedRegion::create(c"test", 8192).unwrap();
        let b = SharedRegion::attach(a.as_fd().try_clone_to_owned().unwrap()).unwrap();
        a.write(4000, b"hello");
        let mut bytes = [0; 5];
        b.read(4000, &mut bytes);
        assert_eq!(&bytes, b"hello");
        a.atomic_u64(8184).store(7, Ordering::Release);
        assert_eq!(b.atomic_u64(8184).load(Ordering::Acquire), 7);
        assert!(nix::unistd::ftruncate(a.as_fd(), 0).is_err());
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn bounds() {
        let a = SharedRegion::create(c"test", 4096).unwrap();
        a.write(4093, b"hello");
    }

    #[test]
    fn a_file_that_may_shrink_is_refused() {
        let fd = nix::sys::memfd::memfd_create(c"x", nix::sys::memfd::MFdFlags::MFD_ALLOW_SEALING);
        let fd = fd.unwrap();
        nix::unistd::ftruncate(&fd, 4096).unwrap();
        assert_eq!(SharedRegion::attach(fd).unwrap_err(), EPERM);
    }
}
