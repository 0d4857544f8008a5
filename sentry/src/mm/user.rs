//! Copies between the kernel and guest memory.

use std::sync::atomic::AtomicU32;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::{EFAULT, Errno, Mm, UserAddr, UserPtr};
use syscalls::UserCStr;

/// Names a futex word: the same word has the same key in every process that shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FutexKey {
    /// A word of this memory only.
    Private {
        /// Which [`Mm`].
        mm: u64,
        /// Address.
        addr: u64,
    },
    /// A word that may be mapped elsewhere: byte offset in the memory file.
    Shared(u64),
}

impl Mm {
    /// Copies from the guest; `EFAULT` unless all of it can be read.
    pub fn read_bytes(&self, _addr: UserAddr, _dst: &mut [u8]) -> Result<(), Errno> {
        Err(EFAULT)
    }

    /// Copies to the guest; `EFAULT` unless all of it can be written.
    pub fn write_bytes(&self, _addr: UserAddr, _src: &[u8]) -> Result<(), Errno> {
        Err(EFAULT)
    }

    /// Clears guest memory.
    pub fn zero_bytes(&self, _addr: UserAddr, _len: usize) -> Result<(), Errno> {
        Err(EFAULT)
    }

    /// Copies `len` bytes at `offset` of the memory file to the guest.
    pub fn write_from_file(&self, _addr: UserAddr, _offset: u64, _len: usize) -> Result<(), Errno> {
        Err(EFAULT)
    }

    /// Copies `len` bytes of the guest to `offset` of the memory file.
    pub fn read_to_file(&self, _addr: UserAddr, _offset: u64, _len: usize) -> Result<(), Errno> {
        Err(EFAULT)
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
        let _ = (at, max);
        Err(too_long)
    }

    /// The 32-bit word at `addr` (4-byte aligned, else `EINVAL`) as an atomic; faulted in
    /// for writing.
    pub fn with_u32<R>(
        &self,
        _addr: UserAddr,
        _f: impl FnOnce(&AtomicU32) -> R,
    ) -> Result<R, Errno> {
        Err(EFAULT)
    }

    /// The key of the futex word at `addr`; `private` as the call said.
    pub fn futex_key(&self, _addr: UserAddr, _private: Sharing) -> Result<FutexKey, Errno> {
        Err(EFAULT)
    }
}

/// FUTEX_PRIVATE_FLAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Only this memory's tasks.
    Private,
    /// Any process that maps the page.
    Shared,
}
