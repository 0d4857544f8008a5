//! Access to the bytes of the memory file.
//!
//! Ranges may span pages and owners; they must lie inside the file, `EFAULT` otherwise,
//! and also where the host has no memory left for a page. Bytes that an application
//! changes at the same time arrive old or new.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::AtomicU32;

use syscalls::Errno;
use syscalls::errno::{EFAULT, EINVAL};

use super::MemoryFile;
use crate::host::check_size;
use crate::usercopy;

impl MemoryFile {
    /// Copies out of the file at byte `offset`.
    pub fn read(&self, offset: u64, dst: &mut [u8]) -> Result<(), Errno> {
        self.pieces(offset, dst.len(), |piece, at, len| {
            let dst = dst.get_mut(at..at + len).ok_or(EFAULT)?;
            // SAFETY: `dst` is a valid slice, `piece` a part of a window.
            unsafe { usercopy::copy(dst.as_mut_ptr(), piece, len) }
        })
    }

    /// Copies into the file at byte `offset`.
    pub fn write(&self, offset: u64, src: &[u8]) -> Result<(), Errno> {
        self.pieces(offset, src.len(), |piece, at, len| {
            let src = src.get(at..at + len).ok_or(EFAULT)?;
            // SAFETY: `src` is a valid slice, `piece` a part of a window.
            unsafe { usercopy::copy(piece, src.as_ptr(), len) }
        })
    }

    /// Copies inside the file; ranges must not overlap.
    pub fn copy(&self, from: u64, to: u64, len: usize) -> Result<(), Errno> {
        self.pieces(from, len, |src, at, len| {
            let to = add(to, at)?;
            self.pieces(to, len, |dst, at, len| {
                // SAFETY: `at` is below the length of the piece that starts at `src`.
                let src = unsafe { src.add(at) };
                // SAFETY: both are parts of windows.
                unsafe { usercopy::copy(dst, src, len) }
            })
        })
    }

    /// Clears bytes.
    pub fn zero(&self, offset: u64, len: usize) -> Result<(), Errno> {
        self.pieces(offset, len, |piece, _, len| {
            // SAFETY: `piece` is a part of a window.
            unsafe { usercopy::zero(piece, len) }
        })
    }

    /// Runs `f` on the 32-bit word at `offset`, as an atomic; `EINVAL` unless 4-byte
    /// aligned. The word is shared with applications: only atomic operations.
    pub fn with_u32<R>(&self, offset: u64, f: impl FnOnce(&AtomicU32) -> R) -> Result<R, Errno> {
        let word = self.word(offset)?;
        // SAFETY: aligned (checked by `word`) and in a window, which lives as long as
        // `self`; all access in this process is atomic or by usercopy.
        Ok(f(unsafe { AtomicU32::from_ptr(word) }))
    }

    fn word(&self, offset: u64) -> Result<*mut u32, Errno> {
        if !offset.is_multiple_of(4) {
            return Err(EINVAL);
        }
        // Brings the page in by an access that may fail; the atomic's then will not.
        let mut bytes = [0u8; 4];
        self.read(offset, &mut bytes)?;
        let (word, _) = self.inner.windows.at(self.as_fd(), offset, 4)?;
        Ok(word.cast())
    }

    /// `preadv` of a host file straight into pages, from byte `pos` of the file; returns
    /// bytes read (fewer at the end of the file; the rest of the range is unchanged).
    pub fn read_from_host(
        &self,
        fd: BorrowedFd<'_>,
        pos: u64,
        offset: u64,
        len: usize,
    ) -> Result<usize, Errno> {
        let parts = self.vectors(offset, len)?;
        let pos = i64::try_from(pos).map_err(|_| EINVAL)?;
        let count = i32::try_from(parts.len()).map_err(|_| EINVAL)?;
        // SAFETY: every vector is a part of a window.
        check_size(unsafe { libc::preadv(fd.as_raw_fd(), parts.as_ptr(), count, pos) })
    }

    /// `pwritev` of pages to a host file at byte `pos`; returns bytes written.
    pub fn write_to_host(
        &self,
        fd: BorrowedFd<'_>,
        pos: u64,
        offset: u64,
        len: usize,
    ) -> Result<usize, Errno> {
        let parts = self.vectors(offset, len)?;
        let pos = i64::try_from(pos).map_err(|_| EINVAL)?;
        let count = i32::try_from(parts.len()).map_err(|_| EINVAL)?;
        // SAFETY: every vector is a part of a window.
        check_size(unsafe { libc::pwritev(fd.as_raw_fd(), parts.as_ptr(), count, pos) })
    }

    fn vectors(&self, offset: u64, len: usize) -> Result<Vec<libc::iovec>, Errno> {
        let mut parts = Vec::with_capacity(1);
        self.pieces(offset, len, |piece, _, len| {
            parts.push(libc::iovec {
                iov_base: piece.cast(),
                iov_len: len,
            });
            Ok(())
        })?;
        Ok(parts)
    }

    /// Calls `f(address, position in the range, length)` for each part of a range that is
    /// contiguous in our address space: one, but for ranges that span windows.
    fn pieces(
        &self,
        offset: u64,
        len: usize,
        mut f: impl FnMut(*mut u8, usize, usize) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut done = 0;
        while done < len {
            let (piece, count) =
                self.inner
                    .windows
                    .at(self.as_fd(), add(offset, done)?, len - done)?;
            f(piece, done, count)?;
            done += count;
        }
        Ok(())
    }
}

fn add(offset: u64, bytes: usize) -> Result<u64, Errno> {
    let bytes = u64::try_from(bytes).map_err(|_| EFAULT)?;
    offset.checked_add(bytes).ok_or(EFAULT)
}
