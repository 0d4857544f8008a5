//! How long what is written will last, as programs see it: F_SET_RW_HINT of fcntl(2).

use std::sync::atomic::{AtomicU64, Ordering};

use syscalls::Errno;
use syscalls::errno::{EINVAL, EPERM};

use super::File;
use super::access::acts_as_owner;
use crate::task::Credentials;

/// The hint of an inode. Nothing here depends on it.
#[derive(Default)]
struct Hint(AtomicU64);

/// RWH_WRITE_LIFE_EXTREME.
const LONGEST: u64 = 5;

/// The hint; 0 if there is none.
pub(crate) fn get(file: &File) -> u64 {
    let hint = file.inode().attachments().get::<Hint>();
    hint.map_or(0, |hint| hint.0.load(Ordering::Relaxed))
}

/// `EPERM` for others than the owner, `EINVAL` for no hint.
pub(crate) fn set(creds: &Credentials, file: &File, hint: u64) -> Result<(), Errno> {
    if !acts_as_owner(creds, file.inode().owner()?.uid) {
        return Err(EPERM);
    }
    if hint > LONGEST {
        return Err(EINVAL);
    }
    let of = file.inode().attachments().get_or(Hint::default);
    of.0.store(hint, Ordering::Relaxed);
    Ok(())
}
