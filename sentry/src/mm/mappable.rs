//! What can be mapped: page caches and devices with pages.

use platform::Pages;
use syscalls::Errno;

/// Something with pages, for mmap(2) and for reads through the page cache.
pub trait Mappable: Send + Sync {
    /// Pages from page number `index` on, at least one and at most `max`, read in from
    /// storage if need be. With `write` they will be written through a shared mapping:
    /// holes are filled and the pages count as dirty. `Err` beyond the end: the
    /// application gets SIGBUS.
    fn pages(&self, index: u64, max: u64, write: bool) -> Result<Pages, Errno>;
}
