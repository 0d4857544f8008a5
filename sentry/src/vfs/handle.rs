//! Names of files for later, name_to_handle_at(2): a number that leads to the file as long as
//! the kernel knows it.
//!
//! Differs from Linux: a file that was not used for long may be forgotten; its handle is stale
//! then, as that of a removed one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EOPNOTSUPP, ESTALE};

use super::{Dentry, Location, Mount};
use crate::sync::{Level, Mutex};

/// Bytes of a handle.
pub(super) const SIZE: usize = 16;
/// What kind of handle it is; Linux leaves that to the file system.
pub(super) const KIND: i32 = 0x72;
/// File systems whose files have lasting names.
const NAMED: [&str; 3] = ["tmpfs", "overlay", "9p"];

/// Files by their numbers.
static KNOWN: Mutex<BTreeMap<u64, Weak<Dentry>>> = Mutex::new(Level::Leaf, BTreeMap::new());

/// The number of an inode; it is forgotten with it.
struct Number(u64);

impl Drop for Number {
    fn drop(&mut self) {
        let forgotten = KNOWN.lock().remove(&self.0);
        drop(forgotten);
    }
}

impl Number {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Number(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The handle of the file at `at`: its file system and its number there. `EOPNOTSUPP`.
pub(super) fn of(at: &Location) -> Result<[u8; SIZE], Errno> {
    let inode = at.inode();
    let super_block = inode.super_block();
    if !NAMED.contains(&super_block.fs.name()) {
        return Err(EOPNOTSUPP);
    }
    let number = inode.attachments().get_or(Number::new).0;
    let old = KNOWN.lock().insert(number, Arc::downgrade(&at.dentry));
    drop(old);
    let mut handle = [0; SIZE];
    let (fs, file) = handle.split_at_mut(SIZE / 2);
    fs.copy_from_slice(&super_block.dev.to_ne_bytes());
    file.copy_from_slice(&number.to_ne_bytes());
    Ok(handle)
}

/// The file that a handle names, as `mount` shows it; `ESTALE`.
pub(super) fn find(mount: &Arc<Mount>, handle: [u8; SIZE]) -> Result<Location, Errno> {
    let word = |at: usize| {
        let bytes = handle
            .get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_ne_bytes)
    };
    let file = KNOWN.lock().get(&word(SIZE / 2)).cloned();
    let dentry = file.and_then(|file| file.upgrade()).ok_or(ESTALE)?;
    let inode = dentry.inode();
    let same = Arc::ptr_eq(inode.super_block(), &mount.super_block);
    if !same || word(0) != mount.super_block.dev || inode.attr()?.nlink == 0 {
        return Err(ESTALE);
    }
    Ok(Location {
        mount: mount.clone(),
        dentry,
    })
}
