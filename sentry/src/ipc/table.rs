//! Objects of one kind, by key and by number.
//!
//! A number is a place in the table and above it a sequence number, counted up whenever
//! places are used again: an old number soon means nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::ipc::{IPC_CREAT, IPC_EXCL, IPC_PRIVATE};
use syscalls::errno::{EEXIST, EINVAL, ENOENT, ENOSPC};

use crate::sync::{Level, Mutex};

/// Bits of a number that are the place.
const PLACE_BITS: u32 = 15;
/// Places below this are used one after another, however few are taken.
const MIN_CYCLE: usize = 64;
/// Sequence numbers in all.
const SEQUENCES: u32 = 1 << 16;

/// The sequence number in `id`.
pub(super) fn sequence_of(id: i32) -> u16 {
    u16::try_from(id >> PLACE_BITS).unwrap_or(0)
}

fn place_of(id: i32) -> Result<u32, Errno> {
    let id = u32::try_from(id).map_err(|_| EINVAL)?;
    Ok(id & ((1 << PLACE_BITS) - 1))
}

/// What `*get` found.
pub(super) enum Found<T> {
    /// It was there.
    Old(Named<T>),
    /// It was made, with this number.
    New(i32),
}

/// An object with its names.
pub(crate) struct Named<T> {
    pub(crate) id: i32,
    pub(crate) key: i32,
    pub(crate) object: Arc<T>,
}

enum Held<T> {
    /// Until it is removed.
    Strong(Arc<T>),
    /// As long as somebody uses it.
    Weak(Weak<T>),
}

struct Entry<T> {
    id: i32,
    key: i32,
    held: Held<T>,
}

impl<T> Entry<T> {
    fn named(&self) -> Option<Named<T>> {
        let object = match &self.held {
            Held::Strong(object) => object.clone(),
            Held::Weak(object) => object.upgrade()?,
        };
        Some(Named {
            id: self.id,
            key: self.key,
            object,
        })
    }

    fn is_alive(&self) -> bool {
        match &self.held {
            Held::Strong(_) => true,
            Held::Weak(object) => object.strong_count() > 0,
        }
    }
}

struct Inner<T> {
    entries: BTreeMap<u32, Entry<T>>,
    /// Places by key, private ones apart.
    keys: BTreeMap<i32, u32>,
    /// Entries that are held weakly, at most.
    weak: usize,
    last_place: Option<u32>,
    sequence: u32,
}

impl<T> Inner<T> {
    fn forget_dead(&mut self) {
        if self.weak > 0 {
            self.entries.retain(|_, entry| entry.is_alive());
            let weak = |entry: &&Entry<T>| matches!(entry.held, Held::Weak(_));
            self.weak = self.entries.values().filter(weak).count();
        }
    }

    /// The number of the next object. There is room.
    fn next_id(&mut self, most: usize) -> Result<i32, Errno> {
        let cycle = (self.entries.len() * 3 / 2).max(MIN_CYCLE).min(most);
        let cycle = u32::try_from(cycle).map_err(|_| ENOSPC)?;
        let after = self.last_place.map_or(0, |last| last + 1);
        let mut places = (after..cycle).chain(0..after.min(cycle));
        let place = places
            .find(|place| !self.entries.contains_key(place))
            .ok_or(ENOSPC)?;
        if self.last_place.is_some_and(|last| place <= last) {
            self.sequence = (self.sequence + 1) % SEQUENCES;
        }
        self.last_place = Some(place);
        i32::try_from((self.sequence << PLACE_BITS) + place).map_err(|_| ENOSPC)
    }
}

/// See the module.
pub(crate) struct Table<T>(Mutex<Inner<T>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table(Mutex::new(
            Level::Ipc,
            Inner {
                entries: BTreeMap::new(),
                keys: BTreeMap::new(),
                weak: 0,
                last_place: None,
                sequence: 0,
            },
        ))
    }
}

impl<T> Table<T> {
    /// The object with `key`, made if there is none and `flags` say so: `ENOENT`,
    /// `EEXIST`, `ENOSPC` beyond `most` objects.
    pub(super) fn get(
        &self,
        key: i32,
        flags: i32,
        most: usize,
        make: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<Found<T>, Errno> {
        let mut inner = self.0.lock();
        inner.forget_dead();
        if key != IPC_PRIVATE {
            let known = inner.keys.get(&key);
            let known = known.and_then(|place| inner.entries.get(place));
            if let Some(known) = known.and_then(Entry::named) {
                if flags & IPC_CREAT != 0 && flags & IPC_EXCL != 0 {
                    return Err(EEXIST);
                }
                return Ok(Found::Old(known));
            }
            if flags & IPC_CREAT == 0 {
                return Err(ENOENT);
            }
        }
        let object = make()?;
        if inner.entries.len() >= most {
            return Err(ENOSPC);
        }
        let id = inner.next_id(most)?;
        let held = Held::Strong(Arc::new(object));
        let place = place_of(id)?;
        if key != IPC_PRIVATE {
            inner.keys.insert(key, place);
        }
        inner.entries.insert(place, Entry { id, key, held });
        Ok(Found::New(id))
    }

    /// The object with this number; `EINVAL`.
    pub(super) fn find(&self, id: i32) -> Result<Named<T>, Errno> {
        self.at(id).and_then(|named| {
            if named.id == id {
                Ok(named)
            } else {
                Err(EINVAL)
            }
        })
    }

    /// The object in a place, as the *_STAT commands ask for it; `EINVAL`.
    pub(super) fn at(&self, place: i32) -> Result<Named<T>, Errno> {
        let place = place_of(place)?;
        let inner = self.0.lock();
        inner
            .entries
            .get(&place)
            .and_then(Entry::named)
            .ok_or(EINVAL)
    }

    /// The number and key are gone. False if somebody else did it.
    pub(super) fn remove(&self, id: i32) -> bool {
        let removed = {
            let Ok(place) = place_of(id) else {
                return false;
            };
            let mut inner = self.0.lock();
            let known = inner
                .entries
                .get(&place)
                .is_some_and(|entry| entry.id == id);
            let removed = known.then(|| inner.entries.remove(&place)).flatten();
            if let Some(removed) = &removed {
                inner.keys.remove(&removed.key);
            }
            removed
        };
        // Dropped outside the lock.
        removed.is_some()
    }

    /// The key is gone, and the number goes when nobody uses the object any more.
    pub(super) fn let_go(&self, id: i32) {
        let Ok(place) = place_of(id) else {
            return;
        };
        let held = {
            let mut inner = self.0.lock();
            let entry = inner.entries.get_mut(&place).filter(|entry| entry.id == id);
            let let_go = entry.and_then(|entry| match &entry.held {
                Held::Strong(object) => {
                    let weak = Held::Weak(Arc::downgrade(object));
                    let key = std::mem::replace(&mut entry.key, IPC_PRIVATE);
                    Some((key, std::mem::replace(&mut entry.held, weak)))
                }
                Held::Weak(_) => None,
            });
            if let Some((key, _)) = &let_go {
                inner.keys.remove(key);
                inner.weak += 1;
            }
            let_go
        };
        drop(held);
    }

    /// All objects, by place.
    pub(crate) fn list(&self) -> Vec<Named<T>> {
        let inner = self.0.lock();
        inner.entries.values().filter_map(Entry::named).collect()
    }

    /// The highest place that is taken; 0 if none is.
    pub(super) fn highest(&self) -> u64 {
        let mut inner = self.0.lock();
        inner.forget_dead();
        let last = inner.entries.last_key_value();
        last.map_or(0, |(place, _)| u64::from(*place))
    }
}
