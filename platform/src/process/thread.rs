//! The pages that the Sentry shares with the task of a guest thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use syscalls::Errno;
use syscalls::errno::{EFAULT, EINVAL};

use super::commands::{CommandFile, THREADS_OFFSET};
use super::layout::thread::{
    ANSWER_COUNT, ANSWER_KNOWN, ANSWERS, CONTROL_SIZE, SIGNAL_STACK, STACK,
};
use super::layout::{THREAD_SIZE, THREADS};
use crate::usercopy;

/// Bytes, as an index.
#[allow(clippy::cast_possible_truncation, reason = "16 KiB")]
pub(crate) const SIZE: usize = THREAD_SIZE as usize;

/// Pages of one thread; see `layout::thread`. Free for other threads of any address space
/// when dropped: they must not be mapped anywhere any more.
pub(crate) struct ThreadPages {
    file: Arc<CommandFile>,
    number: u32,
    /// Start of the pages in our own mapping.
    base: *mut u8,
}

// SAFETY: `base` points into a shared mapping that `file` keeps and that has no thread
// affinity; all access is atomic or by usercopy.
unsafe impl Send for ThreadPages {}
// SAFETY: as above.
unsafe impl Sync for ThreadPages {}

impl ThreadPages {
    /// Unused pages, all zero but for what describes their stack for signals.
    pub(super) fn new(file: &Arc<CommandFile>) -> Result<Self, Errno> {
        let number = file.take_thread()?;
        let offset = usize::try_from(Self::offset_of(number)).map_err(|_| EFAULT)?;
        let pages = ThreadPages {
            file: Arc::clone(file),
            number,
            base: file.map().at(offset, SIZE)?,
        };
        pages.reset()?;
        Ok(pages)
    }

    /// Pages of a file of their own.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        CommandFile::new()
            .and_then(|file| Self::new(&Arc::new(file)))
            .expect("memory for a thread's pages")
    }

    /// As new: nothing of a former owner's is left.
    pub(super) fn reset(&self) -> Result<(), Errno> {
        // SAFETY: the whole of our pages.
        unsafe { usercopy::zero(self.base, SIZE) }?;
        let stack = self.address() + STACK as u64;
        let size = THREAD_SIZE - STACK as u64;
        for (at, value) in [(0, stack), (16, size)] {
            self.write(SIGNAL_STACK + at, &value.to_ne_bytes())?;
        }
        Ok(())
    }

    /// Where they are mapped in the thread's address space.
    pub(crate) fn address(&self) -> u64 {
        THREADS + u64::from(self.number) * THREAD_SIZE
    }

    /// Where they are in the command file, bytes.
    pub(super) fn offset(&self) -> u64 {
        Self::offset_of(self.number)
    }

    fn offset_of(number: u32) -> u64 {
        THREADS_OFFSET + u64::from(number) * THREAD_SIZE
    }

    /// A 32-bit word of the control page, by its offset.
    pub(crate) fn word(&self, at: usize) -> &AtomicU32 {
        debug_assert!(at.is_multiple_of(4) && at < CONTROL_SIZE);
        // SAFETY: in the mapping, which lives as long as `self`, and aligned; all access in
        // this process is atomic or by usercopy. The page has memory: `reset` wrote it.
        let place = unsafe { self.base.add(at % CONTROL_SIZE) };
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(place.cast()) }
    }

    /// A 64-bit word of the control page, by its offset.
    pub(crate) fn long(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at.is_multiple_of(8) && at < CONTROL_SIZE);
        // SAFETY: as for `word`.
        let place = unsafe { self.base.add(at % CONTROL_SIZE) };
        // SAFETY: as for `word`.
        unsafe { AtomicU64::from_ptr(place.cast()) }
    }

    /// Has a call answered by the task itself, by its number; or no longer. Calls from
    /// `ANSWER_COUNT` on never are.
    pub(crate) fn set_answer(&self, number: usize, answer: Option<u32>) {
        if number < ANSWER_COUNT {
            let entry = answer.map_or(0, |answer| u64::from(answer) | ANSWER_KNOWN);
            self.long(ANSWERS + 8 * number)
                .store(entry, Ordering::Relaxed);
        }
    }

    /// Copies bytes out; `EINVAL` for a range that is not inside.
    pub(crate) fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), Errno> {
        let place = self.place(at, bytes.len())?;
        // SAFETY: a range of our pages, and a slice.
        unsafe { usercopy::copy(bytes.as_mut_ptr(), place, bytes.len()) }
    }

    /// Copies bytes in; `EINVAL` for a range that is not inside.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> Result<(), Errno> {
        let place = self.place(at, bytes.len())?;
        // SAFETY: a range of our pages, and a slice.
        unsafe { usercopy::copy(place, bytes.as_ptr(), bytes.len()) }
    }

    fn place(&self, at: usize, len: usize) -> Result<*mut u8, Errno> {
        let end = at.checked_add(len).ok_or(EINVAL)?;
        if end > SIZE {
            return Err(EINVAL);
        }
        // SAFETY: inside our pages, as just checked.
        Ok(unsafe { self.base.add(at) })
    }
}

impl Drop for ThreadPages {
    fn drop(&mut self) {
        self.file.return_thread(self.number);
    }
}
