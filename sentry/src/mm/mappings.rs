//! Who maps a page cache.
//!
//! A page cache embeds a [`Mappings`]; memory registers there while it maps the file.
//! The cache changes first and tells the mappings afterwards, with none of its own locks
//! held:
//! - truncation: set the size, take the pages out, [`Mappings::invalidate`];
//! - write-back: mark the pages clean, [`Mappings::write_protect`], write them.
//!
//! A fault that asked the cache for pages before the change and installs them after it
//! notices by [`Mappings::generation`], and asks again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::{Mappable, Mm};
use crate::sync::{Level, Mutex};

/// See the module.
pub struct Mappings {
    generation: AtomicU64,
    /// Changes that are being told right now.
    changing: AtomicU64,
    /// By [`Mm::id`].
    mms: Mutex<BTreeMap<u64, Entry>>,
}

struct Entry {
    mm: Weak<Mm>,
    /// Mappings of that memory.
    count: u64,
    /// Those among them through which the file may be written.
    writable: u64,
}

/// What happens to pages that a private mapping copied from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateCopies {
    /// They go too: the file was cut off there.
    Drop,
    /// They stay: holes, pages that are read again.
    Keep,
}

impl Default for Mappings {
    fn default() -> Self {
        Mappings {
            generation: AtomicU64::new(0),
            changing: AtomicU64::new(0),
            mms: Mutex::new(Level::Mappings, BTreeMap::new()),
        }
    }
}

impl Mappings {
    /// Mapped nowhere.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// True if anybody maps the file.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        !self.mms.lock().is_empty()
    }

    /// Mappings in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.mms.lock().values().map(|entry| entry.count).sum()
    }

    /// True if there is a shared mapping that is, or may become, writable: files under
    /// such a mapping cannot be sealed against writing (memfd_create(2)).
    #[must_use]
    pub fn has_writable(&self) -> bool {
        self.mms.lock().values().any(|entry| entry.writable > 0)
    }

    /// Removes pages `first..end` from all mappings; the next access asks the file again.
    pub fn invalidate(&self, first: u64, end: u64, copies: PrivateCopies) {
        self.tell(|mm| mm.invalidate(self, first, end, copies));
    }

    /// Has the next write to pages `first..end` through any shared mapping ask the file
    /// again.
    pub fn write_protect(&self, first: u64, end: u64) {
        self.tell(|mm| mm.write_protect(self, first, end));
    }

    /// Counts invalidations and protections.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// True while somebody may not yet know of a change: new memory that copied from one
    /// that maps the file is not told.
    pub(super) fn is_changing(&self) -> bool {
        self.changing.load(Ordering::SeqCst) > 0
    }

    /// Tells all memory that maps the file. Faults that began before will ask again.
    fn tell(&self, change: impl Fn(&Mm)) {
        self.changing.fetch_add(1, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
        let mms: Vec<Arc<Mm>> = {
            let mms = self.mms.lock();
            mms.values().filter_map(|e| e.mm.upgrade()).collect()
        };
        mms.iter().for_each(|mm| change(mm));
        self.changing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One mapping's entry in the [`Mappings`] of what it maps.
pub(super) struct Registration {
    source: Arc<dyn Mappable>,
    mm: Weak<Mm>,
    id: u64,
    writable: bool,
}

impl Registration {
    /// Registers a mapping of `source` in the memory `mm` with number `id`. `writable`:
    /// shared, and may be made writable.
    pub(super) fn new(source: Arc<dyn Mappable>, mm: Weak<Mm>, id: u64, writable: bool) -> Self {
        {
            let mut mms = source.mappings().mms.lock();
            let entry = mms.entry(id).or_insert_with(|| Entry {
                mm: mm.clone(),
                count: 0,
                writable: 0,
            });
            entry.count += 1;
            entry.writable += u64::from(writable);
        }
        Registration {
            source,
            mm,
            id,
            writable,
        }
    }

    pub(super) fn source(&self) -> &Arc<dyn Mappable> {
        &self.source
    }

    /// The same mapping in another memory.
    pub(super) fn in_other(&self, mm: Weak<Mm>, id: u64) -> Self {
        Self::new(self.source.clone(), mm, id, self.writable)
    }

    /// True if both map the same file in the same way.
    pub(super) fn is_same(&self, other: &Registration) -> bool {
        self.writable == other.writable && self.is_of(other.source.mappings())
    }

    pub(super) fn is_of(&self, mappings: &Mappings) -> bool {
        std::ptr::eq(self.source.mappings(), mappings)
    }
}

impl Clone for Registration {
    fn clone(&self) -> Self {
        self.in_other(self.mm.clone(), self.id)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut mms = self.source.mappings().mms.lock();
        let gone = mms.get_mut(&self.id).is_some_and(|entry| {
            entry.count -= 1;
            entry.writable -= u64::from(self.writable);
            entry.count == 0
        });
        // The weak reference is dropped outside the lock; it frees memory, no object.
        let _entry = if gone { mms.remove(&self.id) } else { None };
    }
}
