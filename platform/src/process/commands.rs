//! The file of command pages: one page per address space that the Sentry writes and the
//! mapper reads, and a scratch page beside it. Behind them the pages of guest threads
//! (`process::thread`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use syscalls::errno::{EFAULT, ENOMEM};
use syscalls::{Errno, PAGE_SIZE};

use super::layout::command::{
    CAPACITY, COUNT, KIND, OPERATION, OPERATIONS, SENTRY, SEQUENCE, SUBJECT,
};
use super::layout::{THREAD_COUNT, THREAD_SIZE};
use super::operation::Operation;
use crate::host::mapping::Mapping;
use crate::host::{futex, memfd};
use crate::usercopy;

/// As many address spaces as there can be process ids on most hosts.
const SLOTS: u32 = 1 << 16;
/// Bytes of a command page.
const PAGE: usize = 4096;
/// Command page and scratch page.
const SLOT_SIZE: u64 = 2 * PAGE_SIZE;

/// Where the threads' pages begin in the file, bytes.
pub(super) const THREADS_OFFSET: u64 = SLOTS as u64 * SLOT_SIZE;

pub(super) struct CommandFile {
    file: OwnedFd,
    map: Mapping,
    slots: Mutex<Numbers>,
    threads: Mutex<Numbers>,
}

/// Numbers below `end` that are not in use.
struct Numbers {
    returned: Vec<u32>,
    /// From here on none was ever used.
    next: u32,
    end: u32,
}

impl Numbers {
    fn new(end: u32) -> Mutex<Self> {
        Mutex::new(Numbers {
            returned: Vec::new(),
            next: 0,
            end,
        })
    }

    fn take(&mut self) -> Option<u32> {
        self.returned.pop().or_else(|| {
            let fresh = (self.next < self.end).then_some(self.next);
            self.next += u32::from(fresh.is_some());
            fresh
        })
    }
}

/// The pages of one address space; free again when dropped.
pub(super) struct Slot {
    file: Arc<CommandFile>,
    number: u32,
}

impl CommandFile {
    pub(super) fn new() -> Result<Self, Errno> {
        usercopy::install();
        let size = THREADS_OFFSET + THREAD_COUNT * THREAD_SIZE;
        let file = memfd::create(c"runsk-commands", size)?;
        let map = Mapping::shared(&file, 0, usize::try_from(size).map_err(|_| ENOMEM)?)?;
        let threads = u32::try_from(THREAD_COUNT).map_err(|_| ENOMEM)?;
        Ok(CommandFile {
            file,
            map,
            slots: Numbers::new(SLOTS),
            threads: Numbers::new(threads),
        })
    }

    /// Our own mapping of the whole file.
    pub(super) fn map(&self) -> &Mapping {
        &self.map
    }

    /// The number of pages for a thread.
    pub(super) fn take_thread(&self) -> Result<u32, Errno> {
        let number = self.threads.lock().take();
        number.ok_or_else(|| ENOMEM.why("too many threads"))
    }

    /// Gives the number back.
    pub(super) fn return_thread(&self, number: u32) {
        self.threads.lock().returned.push(number);
    }

    /// A slot whose command page is fresh: number 0, no operations.
    pub(super) fn take(self: &Arc<Self>) -> Result<Slot, Errno> {
        let number = self.slots.lock().take();
        let number = number.ok_or_else(|| ENOMEM.why("too many address spaces"))?;
        let slot = Slot {
            file: Arc::clone(self),
            number,
        };
        // The application sees the page, and nothing of what the one before was told.
        slot.put(0, &[0; PAGE])?;
        slot.put(SENTRY, &u64::from(std::process::id()).to_ne_bytes())?;
        Ok(slot)
    }
}

impl AsFd for CommandFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Slot {
    /// Where in the file it begins, bytes.
    pub(super) fn offset(&self) -> u64 {
        u64::from(self.number) * SLOT_SIZE
    }

    /// Writes a command and wakes the mapper. The one before must have been answered. At
    /// most [`CAPACITY`] operations.
    pub(super) fn command(
        &self,
        operations: &[Operation],
        kind: u32,
        subject: u64,
    ) -> Result<(), Errno> {
        if operations.len() > CAPACITY {
            return Err(EFAULT);
        }
        let bytes: Vec<u8> = operations.iter().flat_map(Operation::bytes).collect();
        debug_assert_eq!(bytes.len(), operations.len() * OPERATION);
        let count = u32::try_from(operations.len()).map_err(|_| EFAULT)?;
        self.put(OPERATIONS, &bytes)?;
        self.put(COUNT, &count.to_ne_bytes())?;
        self.put(KIND, &kind.to_ne_bytes())?;
        self.put(SUBJECT, &subject.to_ne_bytes())?;
        let sequence = self.sequence()?;
        sequence.fetch_add(1, Ordering::Release);
        // Whoever else sleeps there: the application sees the page.
        futex::wake(sequence, u32::MAX);
        Ok(())
    }

    /// Forgets what was commanded, and what the application left in the scratch page. The
    /// last command must have been answered.
    pub(super) fn clear(&self) -> Result<(), Errno> {
        self.put(OPERATIONS, &[0; PAGE - OPERATIONS])?;
        self.put(PAGE, &[0; PAGE])
    }

    fn sequence(&self) -> Result<&AtomicU32, Errno> {
        let word = self.place(SEQUENCE, 4)?.cast::<u32>();
        // SAFETY: page-aligned and in a mapping that lives as long as `self`; all access
        // in this process is atomic or by usercopy. The page has memory: `take` wrote it.
        Ok(unsafe { AtomicU32::from_ptr(word) })
    }

    fn put(&self, at: usize, bytes: &[u8]) -> Result<(), Errno> {
        let place = self.place(at, bytes.len())?;
        // SAFETY: `place` is in the mapping and `bytes` a slice.
        unsafe { usercopy::copy(place, bytes.as_ptr(), bytes.len()) }
    }

    fn place(&self, at: usize, len: usize) -> Result<*mut u8, Errno> {
        let start = usize::try_from(self.offset()).map_err(|_| EFAULT)?;
        self.file.map.at(start + at, len)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.file.slots.lock().returned.push(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_owner_finds_nothing_of_the_one_before() {
        let file = Arc::new(CommandFile::new().unwrap());
        let slot = file.take().unwrap();
        let page = |at: usize| {
            let mut bytes = vec![1; PAGE - OPERATIONS];
            let place = slot.place(at, bytes.len()).unwrap();
            // SAFETY: `place` is in the mapping, for as many bytes as `bytes` has.
            unsafe { usercopy::copy(bytes.as_mut_ptr(), place, bytes.len()) }.unwrap();
            bytes
        };
        let secret = Operation::new(libc::SYS_munmap, &[0x1234, 0x5678]);
        slot.command(&[secret], 0, 0).unwrap();
        slot.put(PAGE, b"from the application").unwrap();
        assert!(page(OPERATIONS).iter().any(|byte| *byte != 0));
        let sequence = slot.sequence().unwrap().load(Ordering::Relaxed);
        slot.clear().unwrap();
        for at in [OPERATIONS, PAGE] {
            assert!(page(at).iter().all(|byte| *byte == 0));
        }
        // The mapper waits for the next.
        let now = slot.sequence().unwrap().load(Ordering::Relaxed);
        assert_eq!(now, sequence);
    }
}
