//! How the names of a directory differ from those below it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use syscalls::Errno;
use syscalls::errno::{EEXIST, ENOENT};

use super::inode::OverlayInode;
use crate::vfs::FileName;

/// Positions of a listing from here on are names of [`Dir`], below are lower ones.
pub(super) const FIRST_COOKIE: u64 = 1 << 32;

/// Names that lead elsewhere than below. New ones stand in the order they were made, so
/// that a listing that goes on while names come and go shows every lasting one once.
pub(super) struct Dir {
    names: HashMap<FileName, Entry, RandomState>,
    by_cookie: BTreeMap<u64, FileName>,
    next_cookie: u64,
    /// rmdir(2) has happened: nothing is here, and nothing can be made.
    removed: bool,
}

struct Entry {
    /// Place in the listing, and file; `None` where the name is gone.
    here: Option<(u64, Arc<OverlayInode>)>,
    /// There is such a name below, which must not show again.
    hides: Hides,
}

/// Whether a name exists in the lower directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hides {
    /// It does.
    Lower,
    /// It does not.
    Nothing,
}

/// What is known of a name without asking below.
pub(super) enum Known {
    /// It leads to this.
    Here(Arc<OverlayInode>),
    /// There is none, whatever is below.
    Gone,
    /// Whatever is below.
    AsBelow,
}

impl Default for Dir {
    fn default() -> Self {
        Dir {
            names: HashMap::default(),
            by_cookie: BTreeMap::new(),
            next_cookie: FIRST_COOKIE,
            removed: false,
        }
    }
}

impl Dir {
    /// How many names are here and not below.
    pub(super) fn len(&self) -> usize {
        self.by_cookie.len()
    }

    pub(super) fn get(&self, name: &FileName) -> Known {
        match self.names.get(name) {
            _ if self.removed => Known::Gone,
            None => Known::AsBelow,
            Some(Entry { here: None, .. }) => Known::Gone,
            Some(Entry {
                here: Some((_, inode)),
                ..
            }) => Known::Here(inode.clone()),
        }
    }

    /// True if a name of the lower directory does not show here.
    pub(super) fn hides(&self, name: &[u8]) -> bool {
        self.removed || self.names.contains_key(name)
    }

    /// `EEXIST` if the name is taken here, `ENOENT` in a removed directory.
    pub(super) fn check_free(&self, name: &FileName) -> Result<(), Errno> {
        self.check_alive()?;
        match self.get(name) {
            Known::Here(_) => Err(EEXIST),
            Known::Gone | Known::AsBelow => Ok(()),
        }
    }

    /// `ENOENT` in a removed directory.
    pub(super) fn check_alive(&self) -> Result<(), Errno> {
        if self.removed { Err(ENOENT) } else { Ok(()) }
    }

    /// `name` leads to `inode` from now on. `hides` says what is below a name that is not
    /// known here. What it led to, to be dropped outside the lock.
    pub(super) fn put(
        &mut self,
        name: &FileName,
        inode: Arc<OverlayInode>,
        hides: Hides,
    ) -> Option<Arc<OverlayInode>> {
        let entry = self
            .names
            .entry(name.clone())
            .or_insert(Entry { here: None, hides });
        if let Some((_, old)) = &mut entry.here {
            return Some(std::mem::replace(old, inode));
        }
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        entry.here = Some((cookie, inode));
        self.by_cookie.insert(cookie, name.clone());
        None
    }

    /// `name` is gone from now on. What it led to, to be dropped outside the lock.
    pub(super) fn take(&mut self, name: &FileName, hides: Hides) -> Option<Arc<OverlayInode>> {
        let entry = self
            .names
            .entry(name.clone())
            .or_insert(Entry { here: None, hides });
        let here = entry.here.take();
        if entry.hides == Hides::Nothing {
            self.names.remove(name);
        }
        let (cookie, inode) = here?;
        self.by_cookie.remove(&cookie);
        Some(inode)
    }

    /// rmdir(2): nothing is here any more.
    pub(super) fn remove(&mut self) {
        *self = Dir {
            removed: true,
            ..Dir::default()
        };
    }

    /// Everything that is kept here.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Arc<OverlayInode>> + use<> {
        self.by_cookie.clear();
        std::mem::take(&mut self.names)
            .into_values()
            .filter_map(|entry| entry.here.map(|(_, inode)| inode))
    }

    /// Up to `max` names from `cookie` on.
    pub(super) fn entries_from(
        &self,
        cookie: u64,
        max: usize,
    ) -> Vec<(u64, FileName, Arc<OverlayInode>)> {
        let entry = |(&cookie, name): (&u64, &FileName)| {
            let (_, inode) = self.names.get(name)?.here.as_ref()?;
            Some((cookie, name.clone(), inode.clone()))
        };
        self.by_cookie
            .range(cookie..)
            .take(max)
            .filter_map(entry)
            .collect()
    }
}
