//! The file of command pages: one page per address space that the Sentry writes and the
//! mapper reads, and a scratch page beside it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use syscalls::errno::{EFAULT, ENOMEM};
use syscalls::{Errno, PAGE_SIZE};

use super::layout::command::{
    CAPACITY, CHILD, COUNT, KIND, OPERATION, OPERATIONS, SENTRY, SEQUENCE,
};
use super::operation::Operation;
use crate::host::mapping::Mapping;
use crate::host::{futex, memfd};
use crate::usercopy;

/// As many address spaces as there can be process ids on most hosts.
const SLOTS: u32 = 1 << 16;
/// Command page and scratch page.
const SLOT_SIZE: u64 = 2 * PAGE_SIZE;

pub(super) struct CommandFile {
    file: OwnedFd,
    map: Mapping,
    free: Mutex<FreeSlots>,
}

struct FreeSlots {
    returned: Vec<u32>,
    /// Slots from here on were never used.
    next: u32,
}

/// The pages of one address space; free again when dropped.
pub(super) struct Slot {
    file: Arc<CommandFile>,
    number: u32,
}

impl CommandFile {
    pub(super) fn new() -> Result<Self, Errno> {
        usercopy::install();
        let size = u64::from(SLOTS) * SLOT_SIZE;
        let file = memfd::create(c"runsk-commands", size)?;
        let map = Mapping::shared(&file, 0, usize::try_from(size).map_err(|_| ENOMEM)?)?;
        let free = Mutex::new(FreeSlots {
            returned: Vec::new(),
            next: 0,
        });
        Ok(CommandFile { file, map, free })
    }

    /// A slot whose command page is fresh: number 0, no operations.
    pub(super) fn take(self: &Arc<Self>) -> Result<Slot, Errno> {
        let number = {
            let mut free = self.free.lock();
            match free.returned.pop() {
                Some(number) => number,
                None if free.next < SLOTS => {
                    free.next += 1;
                    free.next - 1
                }
                None => return Err(ENOMEM.why("too many address spaces")),
            }
        };
        let slot = Slot {
            file: Arc::clone(self),
            number,
        };
        slot.put(0, &[0; OPERATIONS])?;
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
        child: u64,
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
        self.put(CHILD, &child.to_ne_bytes())?;
        let sequence = self.sequence()?;
        sequence.fetch_add(1, Ordering::Release);
        futex::wake(sequence, 1);
        Ok(())
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
        self.file.free.lock().returned.push(self.number);
    }
}
