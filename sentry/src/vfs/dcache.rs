//! The cache of names: what is known of a directory's children, present and absent.
//!
//! Two locks for each directory. `changes` is held over whatever changes entries
//! (create, unlink, rename …), through the file system's own work; `names` only for a
//! look into the table. A lookup that has to ask the file system holds neither: it notes
//! the table's generation before and asks again, under `changes`, if that moved.
//!
//! Memory is bounded: every cached dentry stands in one queue, and where that is too
//! long a clock hand drops the ones that nobody uses and nobody looked up since it last
//! came by. Names known to be absent are counted and dropped with their directories.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;
use syscalls::Errno;
use syscalls::errno::{EAGAIN, EEXIST, ENOENT};

use super::dentry::Place;
use super::{Dentry, FileName, InodeRef};
use crate::sync::{Level, Mutex, MutexGuard};

/// Dentries kept although nobody uses them, about, where memory is plenty: a large source
/// tree, walked again and again, fits.
const MAX_CACHED: usize = 131_072;
/// Bytes that a dentry takes with its inode, here, in the Gofer and in the host's kernel.
const SIZE: u64 = 2048;
/// Names known to be absent that are kept.
const MAX_ABSENT: usize = 16_384;
/// Dentries that one insertion looks at to make room.
const SWEEP: usize = 8;

/// What is known of a child.
enum Child {
    /// It exists.
    Present(Arc<Dentry>),
    /// It does not.
    Absent,
}

/// What makes a dentry a directory.
pub(super) struct Directory {
    /// Held over changes of entries.
    changes: Mutex<()>,
    names: Mutex<Names>,
    /// Whether `names` may be believed: [`super::FileSystem::trusts_cache`].
    trusted: bool,
}

#[derive(Default)]
struct Names {
    map: HashMap<FileName, Child, RandomState>,
    absent: usize,
    /// Moves whenever an entry changes.
    generation: u64,
    /// rmdir(2) has happened.
    dead: bool,
}

impl Directory {
    pub(super) fn new(trusted: bool) -> Self {
        Directory {
            changes: Mutex::new(Level::Dentry, ()),
            names: Mutex::new(Level::Leaf, Names::default()),
            trusted,
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        ABSENT.fetch_sub(self.names.get_mut().absent, Ordering::Relaxed);
    }
}

impl Names {
    /// What had the name.
    fn put(&mut self, name: FileName, child: Child) -> Option<Child> {
        let old = self.map.insert(name, child);
        self.forget(old)
    }

    fn take(&mut self, name: &[u8]) -> Option<Child> {
        let old = self.map.remove(name);
        self.forget(old)
    }

    fn forget(&mut self, old: Option<Child>) -> Option<Child> {
        if matches!(old, Some(Child::Absent)) {
            self.absent -= 1;
            ABSENT.fetch_sub(1, Ordering::Relaxed);
        }
        old
    }

    fn put_absent(&mut self, name: FileName) -> Option<Child> {
        if ABSENT.load(Ordering::Relaxed) >= MAX_ABSENT {
            self.drop_absent();
            if ABSENT.load(Ordering::Relaxed) >= MAX_ABSENT {
                return self.take(name.as_bytes());
            }
        }
        self.absent += 1;
        ABSENT.fetch_add(1, Ordering::Relaxed);
        self.put(name, Child::Absent)
    }

    fn drop_absent(&mut self) {
        if self.absent > 0 {
            self.map
                .retain(|_, child| matches!(child, Child::Present(_)));
            ABSENT.fetch_sub(std::mem::take(&mut self.absent), Ordering::Relaxed);
        }
    }
}

/// Whether a lookup may ask the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// It may.
    FileSystem,
    /// `EAGAIN` for what is not cached (`RESOLVE_CACHED`).
    CacheOnly,
}

impl Dentry {
    /// The child `name`, not "." or ".."; `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`.
    pub(super) fn child(self: &Arc<Self>, name: &[u8], ask: Ask) -> Result<Arc<Dentry>, Errno> {
        let directory = self.directory()?;
        let (known, generation) = {
            let names = directory.names.lock();
            let known = match names.map.get(name) {
                Some(Child::Present(child)) => {
                    if directory.trusted || child.is_mountpoint() {
                        child.mark_used();
                        return Ok(child.clone());
                    }
                    Some(child.clone())
                }
                Some(Child::Absent) => return Err(ENOENT),
                None if names.dead => return Err(ENOENT),
                None => None,
            };
            (known, names.generation)
        };
        if ask == Ask::CacheOnly {
            return Err(EAGAIN);
        }
        let name = FileName::new(name)?;
        let found = match known {
            None => self.inode().lookup(&name),
            Some(known) => match self.inode().revalidate(&name, known.inode()) {
                Ok(None) => return Ok(known),
                Ok(Some(other)) => Ok(other),
                Err(error) => Err(error),
            },
        };
        match self.remember(directory, &name, found, Some(generation)) {
            Some(result) => result,
            // The directory changed meanwhile: once more, in peace.
            None => self.change()?.child(&name),
        }
    }

    /// Stores what the file system said. `None` if entries changed since `generation`.
    fn remember(
        self: &Arc<Self>,
        directory: &Directory,
        name: &FileName,
        found: Result<InodeRef, Errno>,
        generation: Option<u64>,
    ) -> Option<Result<Arc<Dentry>, Errno>> {
        let mut fresh = None;
        let (result, replaced) = {
            let mut names = directory.names.lock();
            if generation.is_some_and(|generation| generation != names.generation) {
                return None;
            }
            match found {
                Ok(inode) => match names.map.get(name.as_bytes()) {
                    Some(Child::Present(child)) if Arc::ptr_eq(child.inode(), &inode) => {
                        (Ok(child.clone()), None)
                    }
                    _ => {
                        let child = self.make_child(name, inode);
                        let old = if names.dead {
                            None
                        } else {
                            fresh = Some(child.clone());
                            names.put(name.clone(), Child::Present(child.clone()))
                        };
                        (Ok(child), old)
                    }
                },
                Err(ENOENT) if directory.trusted && !names.dead => {
                    (Err(ENOENT), names.put_absent(name.clone()))
                }
                Err(ENOENT) => (Err(ENOENT), names.take(name.as_bytes())),
                Err(error) => (Err(error), None),
            }
        };
        if let Some(Child::Present(old)) = replaced {
            // Somebody else than this kernel removed it.
            old.mark_deleted();
        }
        if let Some(child) = fresh {
            admit(&child);
        }
        Some(result)
    }

    fn make_child(self: &Arc<Self>, name: &FileName, inode: InodeRef) -> Arc<Dentry> {
        Dentry::with_place(
            inode,
            Place {
                parent: Some(self.clone()),
                name: name.shared(),
                deleted: false,
            },
        )
    }

    /// Locks the directory against other changes of its entries; `ENOTDIR`.
    pub(super) fn change(self: &Arc<Self>) -> Result<Change<'_>, Errno> {
        let directory = self.directory()?;
        Ok(Change {
            dentry: self,
            directory,
            _lock: directory.changes.lock(),
        })
    }

    /// As [`Self::change`] while other directories are locked: an ancestor is locked
    /// before its descendants, strangers under the rename lock of their file system.
    pub(super) fn change_second(self: &Arc<Self>) -> Result<Change<'_>, Errno> {
        let directory = self.directory()?;
        Ok(Change {
            dentry: self,
            directory,
            _lock: directory.changes.lock_second(),
        })
    }

    /// Forgets everything below, for a file system that is not mounted any more. What is
    /// still in use stays usable; it is only not found from above.
    pub(super) fn forget_below(self: &Arc<Self>) {
        let mut work = vec![self.clone()];
        while let Some(dentry) = work.pop() {
            let Ok(directory) = dentry.directory() else {
                continue;
            };
            let map = {
                let mut names = directory.names.lock();
                names.drop_absent();
                std::mem::take(&mut names.map)
            };
            work.extend(map.into_values().filter_map(|child| match child {
                Child::Present(child) => Some(child),
                Child::Absent => None,
            }));
        }
    }
}

/// A directory whose entries nobody else changes.
pub(super) struct Change<'a> {
    dentry: &'a Arc<Dentry>,
    directory: &'a Directory,
    _lock: MutexGuard<'a, ()>,
}

impl Change<'_> {
    /// The directory's inode.
    pub(super) fn inode(&self) -> &InodeRef {
        self.dentry.inode()
    }

    /// `ENOENT` if the directory itself was removed.
    pub(super) fn check_alive(&self) -> Result<(), Errno> {
        if self.directory.names.lock().dead {
            Err(ENOENT)
        } else {
            Ok(())
        }
    }

    /// `name`, if nothing has it; `EEXIST`, `ENOENT` in a removed directory, and what is
    /// wrong with the name.
    pub(super) fn free(&self, name: Result<FileName, Errno>) -> Result<FileName, Errno> {
        self.check_alive()?;
        let name = name?;
        match self.child(&name) {
            Ok(_) => Err(EEXIST),
            Err(ENOENT) if self.inode().super_block().fs.takes_names() => Ok(name),
            Err(error) => Err(error),
        }
    }

    /// The child `name`; `ENOENT`.
    pub(super) fn child(&self, name: &FileName) -> Result<Arc<Dentry>, Errno> {
        let known = match self.directory.names.lock().map.get(name.as_bytes()) {
            Some(Child::Present(child)) => Some(child.clone()),
            Some(Child::Absent) => return Err(ENOENT),
            None => None,
        };
        let found = match known {
            None => self.inode().lookup(name),
            Some(known) if self.directory.trusted || known.is_mountpoint() => return Ok(known),
            Some(known) => match self.inode().revalidate(name, known.inode()) {
                Ok(None) => return Ok(known),
                Ok(Some(other)) => Ok(other),
                Err(error) => Err(error),
            },
        };
        self.dentry
            .remember(self.directory, name, found, None)
            .unwrap_or(Err(ENOENT))
    }

    /// `name` now leads to `inode`: it was created or linked.
    pub(super) fn created(&self, name: &FileName, inode: InodeRef) -> Arc<Dentry> {
        let child = self.dentry.make_child(name, inode);
        let old = {
            let mut names = self.directory.names.lock();
            names.generation += 1;
            names.put(name.clone(), Child::Present(child.clone()))
        };
        drop(old);
        admit(&child);
        child
    }

    /// `name`, which led to `child`, is gone.
    pub(super) fn removed(&self, name: &FileName, child: &Arc<Dentry>) {
        child.mark_deleted();
        if let Ok(directory) = child.directory() {
            let below = {
                let mut names = directory.names.lock();
                names.dead = true;
                names.drop_absent();
                std::mem::take(&mut names.map)
            };
            drop(below);
        }
        self.detach(name);
    }

    /// `name` is gone from here; its dentry lives on elsewhere, or not at all.
    pub(super) fn detach(&self, name: &FileName) {
        let old = {
            let mut names = self.directory.names.lock();
            names.generation += 1;
            if self.directory.trusted && !names.dead {
                names.put_absent(name.clone())
            } else {
                names.take(name.as_bytes())
            }
        };
        drop(old);
    }

    /// `child` is now here, as `name`.
    pub(super) fn attach(&self, name: &FileName, child: &Arc<Dentry>) {
        let (parent, shared) = (self.dentry.clone(), name.shared());
        let old_parent = child.place.update(|place| {
            place.name = shared;
            place.parent.replace(parent)
        });
        let old = {
            let mut names = self.directory.names.lock();
            names.generation += 1;
            names.put(name.clone(), Child::Present(child.clone()))
        };
        drop((old, old_parent));
    }
}

/// What [`MAX_CACHED`] is in this sandbox.
static CAPACITY: AtomicUsize = AtomicUsize::new(MAX_CACHED);
static ABSENT: AtomicUsize = AtomicUsize::new(0);
/// Entries of the queue whose dentry is gone, about.
static GONE: AtomicUsize = AtomicUsize::new(0);
static QUEUE: Mutex<VecDeque<Weak<Dentry>>> = Mutex::new(Level::Leaf, VecDeque::new());

/// Keeps no more names than are a 32nd of `memory`, bytes.
pub(crate) fn fit(memory: u64) {
    let capacity = usize::try_from(memory / 32 / SIZE).unwrap_or(MAX_CACHED);
    CAPACITY.store(capacity.min(MAX_CACHED), Ordering::Relaxed);
}

/// A dentry was dropped, cached or not.
pub(super) fn note_dropped() {
    GONE.fetch_add(1, Ordering::Relaxed);
}

/// Notes a new cached dentry, and makes room.
fn admit(child: &Arc<Dentry>) {
    let candidates: Vec<Weak<Dentry>> = {
        let mut queue = QUEUE.lock();
        queue.push_back(Arc::downgrade(child));
        if GONE.load(Ordering::Relaxed) > 1024.max(queue.len() / 2) {
            GONE.store(0, Ordering::Relaxed);
            queue.retain(|dentry| dentry.strong_count() > 0);
            queue.shrink_to(1024);
        }
        let excess = queue.len().saturating_sub(CAPACITY.load(Ordering::Relaxed));
        queue.drain(..excess.min(SWEEP)).collect()
    };
    for candidate in candidates {
        let Some(dentry) = candidate.upgrade() else {
            continue;
        };
        if dentry.take_used() || !evict(&dentry) {
            QUEUE.lock().push_back(candidate);
        }
    }
}

/// Drops half of the names that only the cache holds, the oldest first: their inodes hold
/// something that is scarce. Returns how many.
pub(crate) fn shrink() -> usize {
    let half = {
        let mut queue = QUEUE.lock();
        let half = queue.len().div_ceil(2);
        queue.drain(..half).collect::<Vec<_>>()
    };
    let mut dropped = 0;
    // Children were made after their parents: from the back, both can go at once.
    for candidate in half.into_iter().rev() {
        match candidate.upgrade() {
            Some(dentry) if evict(&dentry) => dropped += 1,
            Some(_) => QUEUE.lock().push_back(candidate),
            None => {}
        }
    }
    dropped
}

/// Takes `dentry` out of its parent if only the cache holds it.
fn evict(dentry: &Arc<Dentry>) -> bool {
    if let Ok(directory) = dentry.directory() {
        directory.names.lock().drop_absent();
    }
    let (parent, name) = dentry.place.with(|p| (p.parent.clone(), p.name.clone()));
    let Some(parent) = parent else {
        return true;
    };
    let Ok(directory) = parent.directory() else {
        return true;
    };
    let taken = {
        let mut names = directory.names.lock();
        match names.map.get(&name[..]) {
            Some(Child::Present(child)) if Arc::ptr_eq(child, dentry) => {
                // Two: the parent's and the caller's. Children in the cache would hold it too.
                if Arc::strong_count(dentry) > 2 || dentry.is_mountpoint() {
                    return false;
                }
                names.take(&name)
            }
            // It has no name any more; whoever holds it keeps it.
            _ => None,
        }
    };
    drop(taken);
    true
}
