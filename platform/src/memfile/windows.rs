//! The memory file in our own address space.

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use parking_lot::Mutex;
use syscalls::Errno;
use syscalls::errno::{EFAULT, ENOMEM};

use crate::host::mapping::Mapping;

/// Bytes in a window.
const WINDOW: u64 = 1 << 30;

/// Pieces of the file, mapped on first use and then until the end: an address stays valid
/// as long as `self`, so copies need no lock.
pub(super) struct Windows {
    /// Bytes of the file.
    size: u64,
    windows: Box<[OnceLock<Mapping>]>,
    mapping: Mutex<()>,
}

impl Windows {
    /// For a file of `size` bytes.
    pub(super) fn new(size: u64) -> Result<Self, Errno> {
        let count = usize::try_from(size.div_ceil(WINDOW)).map_err(|_| ENOMEM)?;
        Ok(Windows {
            size,
            windows: (0..count).map(|_| OnceLock::new()).collect(),
            mapping: Mutex::new(()),
        })
    }

    /// The address of byte `offset` of `file`, and how many bytes follow it there, at most
    /// `len` (not 0). `EFAULT` if not all of `len` is inside the file.
    pub(super) fn at(
        &self,
        file: BorrowedFd<'_>,
        offset: u64,
        len: usize,
    ) -> Result<(*mut u8, usize), Errno> {
        let wanted = u64::try_from(len).map_err(|_| EFAULT)?;
        if offset > self.size || wanted > self.size - offset {
            return Err(EFAULT);
        }
        let index = usize::try_from(offset / WINDOW).map_err(|_| EFAULT)?;
        let within = usize::try_from(offset % WINDOW).map_err(|_| EFAULT)?;
        let window = self.windows.get(index).ok_or(EFAULT)?;
        let window = match window.get() {
            Some(window) => window,
            None => self.map(file, index, window)?,
        };
        let len = len.min(window.len() - within);
        Ok((window.at(within, len)?, len))
    }

    #[cold]
    fn map<'a>(
        &self,
        file: BorrowedFd<'_>,
        index: usize,
        window: &'a OnceLock<Mapping>,
    ) -> Result<&'a Mapping, Errno> {
        let _one_at_a_time = self.mapping.lock();
        if let Some(window) = window.get() {
            return Ok(window);
        }
        let start = u64::try_from(index).map_err(|_| EFAULT)? * WINDOW;
        let len = usize::try_from(WINDOW.min(self.size - start)).map_err(|_| ENOMEM)?;
        let map = Mapping::shared(file, start, len)?;
        Ok(window.get_or_init(|| map))
    }
}
