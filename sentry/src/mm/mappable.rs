//! What can be mapped: page caches and devices with pages.

use platform::Pages;
use syscalls::Errno;
use syscalls::errno::EOPNOTSUPP;

use super::Mappings;

/// Something with pages, for mmap(2) and for reads through the page cache.
pub trait Mappable: Send + Sync {
    /// Pages from page number `index` on, at least one and at most `max`, read in from
    /// storage if need be. With `write` they will be written through a shared mapping:
    /// holes are filled and the pages count as dirty. `Err` beyond the end: the
    /// application gets SIGBUS.
    fn pages(&self, index: u64, max: u64, write: bool) -> Result<Pages, Errno>;

    /// Who maps it. Whoever takes pages out of the file, cuts it off or writes it back
    /// says so there.
    fn mappings(&self) -> &Mappings;

    /// How many pages one write through a shared mapping may fill and make dirty at
    /// once. More than 1 only where that costs nothing but memory (tmpfs).
    fn write_around(&self) -> u64 {
        1
    }

    /// Clears bytes `from..to` and gives their pages back, MADV_REMOVE.
    fn punch_hole(&self, from: u64, to: u64) -> Result<(), Errno> {
        let _ = (from, to);
        Err(EOPNOTSUPP)
    }

    /// Bytes of a System V segment, which shmdt(2) unmaps whole; `None` for all else.
    fn segment_size(&self) -> Option<u64> {
        None
    }

    /// A mapping of it has ended. Called under locks of the memory: for notes only.
    fn unmapped(&self) {}

    /// Whether page `index` is in memory, mincore(2).
    fn is_resident(&self, index: u64) -> bool {
        let _ = index;
        true
    }
}
