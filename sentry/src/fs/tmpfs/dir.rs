//! Directories.

use std::collections::{BTreeMap, HashMap};

use syscalls::Errno;
use syscalls::errno::{EEXIST, ENOENT};

use crate::vfs::{FileName, InodeRef};

/// Where listing starts after "." (1) and ".." (2).
pub(super) const FIRST_COOKIE: u64 = 3;

/// Names in the order they were made, so that a listing that goes on while names come
/// and go shows every lasting one exactly once.
pub(super) struct Dir {
    by_name: HashMap<FileName, (u64, InodeRef)>,
    by_cookie: BTreeMap<u64, FileName>,
    next_cookie: u64,
    /// rmdir(2) has happened: nothing can be made here any more.
    pub(super) removed: bool,
}

impl Default for Dir {
    fn default() -> Self {
        Dir {
            by_name: HashMap::new(),
            by_cookie: BTreeMap::new(),
            next_cookie: FIRST_COOKIE,
            removed: false,
        }
    }
}

impl Dir {
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn get(&self, name: &FileName) -> Result<InodeRef, Errno> {
        self.by_name
            .get(name)
            .map(|(_, inode)| inode.clone())
            .ok_or(ENOENT)
    }

    /// `EEXIST` if the name is taken, `ENOENT` in a removed directory.
    pub(super) fn check_free(&self, name: &FileName) -> Result<(), Errno> {
        if self.removed {
            return Err(ENOENT);
        }
        if self.by_name.contains_key(name) {
            Err(EEXIST)
        } else {
            Ok(())
        }
    }

    /// Puts `inode` there; what had the name before is returned.
    pub(super) fn put(&mut self, name: &FileName, inode: InodeRef) -> Option<InodeRef> {
        if let Some((_, old)) = self.by_name.get_mut(name) {
            return Some(std::mem::replace(old, inode));
        }
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        self.by_name.insert(name.clone(), (cookie, inode));
        self.by_cookie.insert(cookie, name.clone());
        None
    }

    pub(super) fn take(&mut self, name: &FileName) -> Result<InodeRef, Errno> {
        let (cookie, inode) = self.by_name.remove(name).ok_or(ENOENT)?;
        self.by_cookie.remove(&cookie);
        Ok(inode)
    }

    /// Up to `max` entries from `cookie` on.
    pub(super) fn entries_from(&self, cookie: u64, max: usize) -> Vec<(u64, FileName, InodeRef)> {
        let entry = |(&cookie, name): (&u64, &FileName)| {
            let (_, inode) = self.by_name.get(name)?;
            Some((cookie, name.clone(), inode.clone()))
        };
        self.by_cookie
            .range(cookie..)
            .take(max)
            .filter_map(entry)
            .collect()
    }
}
