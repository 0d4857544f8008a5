//! Seals of memory files, F_ADD_SEALS in fcntl(2).

use std::sync::Arc;

use syscalls::Errno;
use syscalls::abi::fs::Seals;
use syscalls::errno::{EBUSY, EINVAL, EPERM};

use super::{File, InodeRef, Mode};
use crate::sync::{Level, Mutex};

/// The seals of one file. Only memfds have them.
struct Sealed(Mutex<Seals>);

/// What keeps a file's bytes as they are.
const FROZEN: Seals = Seals::WRITE.union(Seals::FUTURE_WRITE);

/// Makes a file sealable, with some seals from the start.
pub(super) fn attach(inode: &InodeRef, seals: Seals) {
    let sealed = Sealed(Mutex::new(Level::Leaf, seals));
    inode.attachments().put(Arc::new(sealed));
}

/// The seals of an inode; none for most.
#[must_use]
pub fn of(inode: &InodeRef) -> Seals {
    match inode.attachments().get::<Sealed>() {
        Some(sealed) => *sealed.0.lock(),
        None => Seals::empty(),
    }
}

/// F_GET_SEALS; `EINVAL` for a file that cannot have any.
pub(crate) fn get(file: &File) -> Result<u64, Errno> {
    let sealed = file.inode().attachments().get::<Sealed>().ok_or(EINVAL)?;
    let seals = *sealed.0.lock();
    Ok(seals.bits().into())
}

/// F_ADD_SEALS; `EPERM` without write access or once sealed against it, `EBUSY` while
/// somebody can write through a mapping.
pub(crate) fn add(file: &File, raw: u32) -> Result<u64, Errno> {
    let inode = file.inode();
    let sealed = inode.attachments().get::<Sealed>();
    if !file.mode().writes() {
        return Err(EPERM);
    }
    let mut new = Seals::from_bits(raw).ok_or(EINVAL)?;
    let sealed = sealed.ok_or(EINVAL)?;
    let executable = inode.owner()?.mode.bits() & 0o111 != 0;
    if new.contains(Seals::EXEC) && executable {
        new |= Seals::SHRINK | Seals::GROW | FROZEN;
    }
    let freezes = new.contains(Seals::WRITE);
    let mapped = freezes && file.ops.mappable(file)?.mappings().has_writable();
    let mut seals = sealed.0.lock();
    if seals.contains(Seals::SEAL) {
        return Err(EPERM);
    }
    if mapped && !seals.contains(Seals::WRITE) {
        return Err(EBUSY);
    }
    *seals |= new;
    Ok(0)
}

/// `EPERM` if seals forbid to write `len` bytes at `offset`.
pub(super) fn check_write(inode: &InodeRef, offset: u64, len: usize) -> Result<(), Errno> {
    let seals = of(inode);
    if seals.intersects(FROZEN) {
        return Err(EPERM);
    }
    if seals.contains(Seals::GROW) && offset.saturating_add(len as u64) > inode.attr()?.size {
        return Err(EPERM);
    }
    Ok(())
}

/// `EPERM` if seals forbid the new size.
pub(super) fn check_resize(inode: &InodeRef, size: u64) -> Result<(), Errno> {
    let seals = of(inode);
    if seals.is_empty() {
        return Ok(());
    }
    let now = inode.attr()?.size;
    let shrinks = size < now && seals.contains(Seals::SHRINK);
    let grows = size > now && seals.contains(Seals::GROW);
    if shrinks || grows { Err(EPERM) } else { Ok(()) }
}

/// `EPERM` if seals forbid that mode.
pub(super) fn check_mode(inode: &InodeRef, now: Mode, new: Mode) -> Result<(), Errno> {
    let executes = |mode: Mode| mode.bits() & 0o111;
    if executes(now) != executes(new) && of(inode).contains(Seals::EXEC) {
        return Err(EPERM);
    }
    Ok(())
}

/// `EPERM` if seals forbid to map the file shared and writable, now or by a later
/// mprotect(2).
pub fn check_shared_writable(inode: &InodeRef) -> Result<(), Errno> {
    if of(inode).intersects(FROZEN) {
        Err(EPERM)
    } else {
        Ok(())
    }
}
