//! Copies between the kernel and guest memory.
//!
//! Everything goes through the kernel's own mapping of the memory file. A copy happens
//! under the reading side of the memory's lock: no page changes hands in the middle.

use std::sync::atomic::AtomicU32;

use platform::Prot;
use syscalls::errno::{EFAULT, EINVAL};
use syscalls::{Errno, PAGE_SIZE, UserAddr, UserCStr, UserPtr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Mm;
use super::fault::permits;
use super::state::State;

/// At most this much of a long buffer is faulted in at once, bytes.
const CHUNK: u64 = 2 << 20;
/// Strings are read in steps: most are short.
const FIRST_STEP: usize = 128;

/// Names a futex word: the same word has the same key in every process that shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FutexKey {
    /// A word of this memory only.
    Private {
        /// Which [`Mm`].
        mm: u64,
        /// Address.
        addr: u64,
        /// As the call said: Linux keeps those that said so apart from those that did not.
        sharing: Sharing,
    },
    /// A word that may be mapped elsewhere: byte offset in the memory file.
    Shared(u64),
}

impl Mm {
    /// Copies from the guest; `EFAULT` unless all of it can be read.
    pub fn read_bytes(&self, addr: UserAddr, dst: &mut [u8]) -> Result<(), Errno> {
        whole(self.read_partial(addr, dst), dst.len())
    }

    /// Copies from the guest until it cannot be read; returns how many bytes could.
    pub fn read_partial(&self, addr: UserAddr, dst: &mut [u8]) -> usize {
        self.copy(addr, dst.len(), Prot::READ, |offset, part| {
            let dst = dst.get_mut(part.done..part.done + part.len);
            self.file().read(offset, dst.ok_or(EFAULT)?)
        })
    }

    /// Copies to the guest; `EFAULT` unless all of it can be written.
    pub fn write_bytes(&self, addr: UserAddr, src: &[u8]) -> Result<(), Errno> {
        whole(self.write_partial(addr, src), src.len())
    }

    /// Copies to the guest until it cannot be written; returns how many bytes could.
    pub fn write_partial(&self, addr: UserAddr, src: &[u8]) -> usize {
        self.copy(addr, src.len(), Prot::WRITE, |offset, part| {
            let src = src.get(part.done..part.done + part.len);
            self.file().write(offset, src.ok_or(EFAULT)?)
        })
    }

    /// Clears guest memory; `EFAULT` unless all of it can be written.
    pub fn zero_bytes(&self, addr: UserAddr, len: usize) -> Result<(), Errno> {
        whole(self.zero_partial(addr, len), len)
    }

    /// Clears guest memory until it cannot be written; returns how many bytes could.
    pub fn zero_partial(&self, addr: UserAddr, len: usize) -> usize {
        let zero = |offset, part: Part| self.file().zero(offset, part.len);
        self.copy(addr, len, Prot::WRITE, zero)
    }

    /// Copies `len` bytes at `offset` of the memory file to the guest, until it cannot be
    /// written; returns how many bytes could.
    pub fn write_from_file(&self, addr: UserAddr, offset: u64, len: usize) -> usize {
        self.copy(addr, len, Prot::WRITE, |to, part| {
            self.copy_inside(offset + part.done as u64, to, part.len)
        })
    }

    /// Copies `len` bytes of the guest to `offset` of the memory file, until they cannot be
    /// read; returns how many bytes could.
    pub fn read_to_file(&self, addr: UserAddr, offset: u64, len: usize) -> usize {
        self.copy(addr, len, Prot::READ, |from, part| {
            self.copy_inside(from, offset + part.done as u64, part.len)
        })
    }

    /// Copies inside the memory file. A guest may have mapped the very pages that it
    /// reads into or writes from: then through a buffer.
    fn copy_inside(&self, from: u64, to: u64, len: usize) -> Result<(), Errno> {
        if from.abs_diff(to) >= len as u64 {
            return self.file().copy(from, to, len);
        }
        let mut buffer = vec![0; len];
        self.file().read(from, &mut buffer)?;
        self.file().write(to, &buffer)
    }

    /// Calls `piece` with offsets in the memory file for the stretches of guest memory
    /// from `addr` on, faulting in what is missing. Returns how many bytes it got to.
    fn copy(
        &self,
        addr: UserAddr,
        len: usize,
        access: Prot,
        mut piece: impl FnMut(u64, Part) -> Result<(), Errno>,
    ) -> usize {
        let Ok(end) = addr.add(len as u64) else {
            return 0;
        };
        let mut done = 0;
        loop {
            let copied = self.copy_resident(addr, done, len, access, &mut piece);
            let Ok(now) = copied else {
                return done;
            };
            done = now;
            if done >= len {
                return len;
            }
            let page = (addr.get() + done as u64) & !(PAGE_SIZE - 1);
            let Some(last) = end.page_ceil() else {
                return done;
            };
            let last = last.get().min(page.saturating_add(CHUNK));
            // What follows may be out of bounds; what comes first counts.
            let brought = self
                .fault_in(page, last, access)
                .or_else(|_| self.fault_in(page, page.saturating_add(PAGE_SIZE), access));
            if brought.is_err() {
                return done;
            }
        }
    }

    /// As [`Self::copy`], as far as pages are there.
    fn copy_resident(
        &self,
        addr: UserAddr,
        mut done: usize,
        len: usize,
        access: Prot,
        piece: &mut impl FnMut(u64, Part) -> Result<(), Errno>,
    ) -> Result<usize, Errno> {
        let state = self.state.read();
        while done < len {
            let at = addr.get() + done as u64;
            let Some((offset, left)) = resident(&state, at, access) else {
                break;
            };
            let len = (len - done).min(usize::try_from(left).unwrap_or(usize::MAX));
            piece(offset, Part { done, len })?;
            done += len;
        }
        Ok(done)
    }

    /// A value.
    pub fn read<T: FromBytes + IntoBytes>(&self, at: UserPtr<T>) -> Result<T, Errno> {
        let mut value = T::new_zeroed();
        self.read_bytes(at.addr(), value.as_mut_bytes())?;
        Ok(value)
    }

    /// Stores a value.
    pub fn write<T: IntoBytes + Immutable>(&self, at: UserPtr<T>, value: &T) -> Result<(), Errno> {
        self.write_bytes(at.addr(), value.as_bytes())
    }

    /// `count` values. The caller has bounded `count`.
    pub fn read_slice<T: FromBytes + IntoBytes + Clone>(
        &self,
        at: UserPtr<T>,
        count: usize,
    ) -> Result<Vec<T>, Errno> {
        let mut values = vec![T::new_zeroed(); count];
        self.read_bytes(at.addr(), values.as_mut_slice().as_mut_bytes())?;
        Ok(values)
    }

    /// Stores several values.
    pub fn write_slice<T: IntoBytes + Immutable>(
        &self,
        at: UserPtr<T>,
        values: &[T],
    ) -> Result<(), Errno> {
        self.write_bytes(at.addr(), values.as_bytes())
    }

    /// A string without its NUL; `too_long` if there is none in the first `max` bytes.
    pub fn read_cstr(&self, at: UserCStr, max: usize, too_long: Errno) -> Result<Vec<u8>, Errno> {
        let mut text = Vec::new();
        while text.len() < max {
            let from = at.0.add(text.len() as u64)?;
            let step = if text.is_empty() { FIRST_STEP } else { 4096 };
            let old = text.len();
            text.resize(max.min(old + step), 0);
            let new = text.get_mut(old..).unwrap_or_default();
            let read = self.read_partial(from, new);
            if let Some(end) = new.iter().take(read).position(|&byte| byte == 0) {
                text.truncate(old + end);
                return Ok(text);
            }
            if read < new.len() {
                return Err(EFAULT);
            }
        }
        Err(too_long)
    }

    /// The 32-bit word at `addr` (4-byte aligned, else `EINVAL`) as an atomic; faulted in
    /// for writing.
    pub fn with_u32<R>(&self, addr: UserAddr, f: impl FnOnce(&AtomicU32) -> R) -> Result<R, Errno> {
        self.with_word(addr, Prot::WRITE, f)
    }

    /// The 32-bit word at `addr` (4-byte aligned, else `EINVAL`), loaded at once.
    pub fn load_u32(&self, addr: UserAddr) -> Result<u32, Errno> {
        self.with_word(addr, Prot::READ, |word| {
            word.load(std::sync::atomic::Ordering::SeqCst)
        })
    }

    fn with_word<R>(
        &self,
        addr: UserAddr,
        access: Prot,
        f: impl FnOnce(&AtomicU32) -> R,
    ) -> Result<R, Errno> {
        if !addr.get().is_multiple_of(4) {
            return Err(EINVAL);
        }
        loop {
            {
                let state = self.state.read();
                if let Some((offset, _)) = resident(&state, addr.get(), access) {
                    return self.file().with_u32(offset, f);
                }
            }
            self.touch(addr, access)?;
        }
    }

    /// The key of the futex word at `addr`; `private` as the call said.
    pub fn futex_key(&self, addr: UserAddr, private: Sharing) -> Result<FutexKey, Errno> {
        if !addr.get().is_multiple_of(4) {
            return Err(EINVAL);
        }
        let own = FutexKey::Private {
            mm: self.id(),
            addr: addr.get(),
            sharing: private,
        };
        loop {
            {
                let state = self.state.read();
                if private == Sharing::Private {
                    let inside = addr.get() < state.layout.high;
                    return inside.then_some(own).ok_or(EFAULT);
                }
                match state.vmas.find(addr.get()) {
                    Some(vma) if !vma.is_shared() && !vma.prot.is_empty() => return Ok(own),
                    _ => {}
                }
                if let Some((offset, _)) = resident(&state, addr.get(), Prot::READ) {
                    return Ok(FutexKey::Shared(offset));
                }
            }
            self.touch(addr, Prot::READ)?;
        }
    }

    /// Faults in one page.
    fn touch(&self, addr: UserAddr, access: Prot) -> Result<(), Errno> {
        let page = addr.page_floor().get();
        let end = page.checked_add(PAGE_SIZE).ok_or(EFAULT)?;
        self.fault_in(page, end, access).map_err(|_| EFAULT)
    }
}

/// A stretch of a longer copy.
#[derive(Clone, Copy)]
struct Part {
    /// Bytes that come before it.
    done: usize,
    /// Its bytes.
    len: usize,
}

fn whole(copied: usize, len: usize) -> Result<(), Errno> {
    if copied == len { Ok(()) } else { Err(EFAULT) }
}

/// Where in the memory file the byte at `at` is, and how many follow it there, if the
/// application could `access` it without a fault.
fn resident(state: &State, at: u64, access: Prot) -> Option<(u64, u64)> {
    let (start, run) = state.resident.find(at)?;
    let told = run.told?;
    permits(told, access).then(|| (run.offset(at - start), run.len() - (at - start)))
}

/// FUTEX_PRIVATE_FLAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Only this memory's tasks.
    Private,
    /// Any process that maps the page.
    Shared,
}
