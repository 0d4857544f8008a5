//! A reference count per page.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use syscalls::Errno;
use syscalls::errno::ENOMEM;

/// Pages per table. A table is made when its first page is given out, and the host backs
/// only what was touched of it.
const TABLE: u64 = 1 << 18;

/// More references to one page than memory for their owners can exist for.
const MAX: u32 = u32::MAX / 2;

pub(super) struct Refs {
    tables: Box<[OnceLock<Box<[AtomicU32]>>]>,
}

impl Refs {
    /// For a file of `pages` pages, none of them owned.
    pub(super) fn new(pages: u64) -> Result<Self, Errno> {
        let count = usize::try_from(pages.div_ceil(TABLE)).map_err(|_| ENOMEM)?;
        let tables = (0..count).map(|_| OnceLock::new()).collect();
        Ok(Refs { tables })
    }

    /// The first reference on each page of a run that was free.
    pub(super) fn first(&self, start: u64, count: u64) {
        for page in start..start + count {
            let before = self.count(page).swap(1, Ordering::Relaxed);
            debug_assert_eq!(before, 0, "page {page} was not free");
        }
    }

    /// Another reference on each page of a run; the caller holds one.
    pub(super) fn add(&self, start: u64, count: u64) {
        for page in start..start + count {
            let before = self.count(page).fetch_add(1, Ordering::Relaxed);
            debug_assert_ne!(before, 0, "page {page} is free");
            if before > MAX {
                // Going on would hand the page to somebody else while it is in use.
                std::process::abort();
            }
        }
    }

    /// Gives back a reference on each page of a run; returns the runs that lost their last.
    pub(super) fn sub(&self, start: u64, count: u64) -> Vec<(u64, u64)> {
        let mut freed: Vec<(u64, u64)> = Vec::new();
        for page in start..start + count {
            let before = self.count(page).fetch_sub(1, Ordering::Release);
            debug_assert_ne!(before, 0, "page {page} is free already");
            if before != 1 {
                continue;
            }
            match freed.last_mut() {
                Some((first, count)) if *first + *count == page => *count += 1,
                _ => freed.push((page, 1)),
            }
        }
        // What other owners did with the pages comes before their next use.
        fence(Ordering::Acquire);
        freed
    }

    /// References on one page.
    pub(super) fn get(&self, page: u64) -> u32 {
        self.count(page).load(Ordering::Acquire)
    }

    fn count(&self, page: u64) -> &AtomicU32 {
        let index = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let table = self.tables[index(page / TABLE)].get_or_init(new_table);
        &table[index(page % TABLE)]
    }
}

fn new_table() -> Box<[AtomicU32]> {
    let len = usize::try_from(TABLE).unwrap_or(usize::MAX);
    let zeros = vec![0u32; len].into_boxed_slice();
    let table = Box::into_raw(zeros) as *mut [AtomicU32];
    // SAFETY: AtomicU32 has the layout and the valid values of u32. Made of u32, the table
    // comes as untouched zero pages instead of being written element by element.
    unsafe { Box::from_raw(table) }
}
