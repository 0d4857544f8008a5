//! Guest addresses. A guest address is not a number: arithmetic is checked, and memory
//! behind it is reached only through the kernel's user-memory object.

use std::fmt;
use std::marker::PhantomData;

use crate::errno::{EFAULT, Errno};

/// Bytes in a page of guest memory.
pub const PAGE_SIZE: u64 = 4096;

/// An address in a guest's address space. Not checked: any 64-bit value.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(transparent)]
pub struct UserAddr(u64);

impl UserAddr {
    /// The null address.
    pub const NULL: Self = UserAddr(0);

    /// Wraps a raw register value.
    #[must_use]
    pub const fn new(raw: u64) -> Self {
        UserAddr(raw)
    }

    /// The raw value.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// True for the null address.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// `self + bytes`; `EFAULT` where that wraps.
    #[allow(clippy::should_implement_trait, reason = "an operator could not fail")]
    pub fn add(self, bytes: u64) -> Result<Self, Errno> {
        self.0.checked_add(bytes).map(UserAddr).ok_or(EFAULT)
    }

    /// The start of the page that holds the address.
    #[must_use]
    pub const fn page_floor(self) -> Self {
        UserAddr(self.0 & !(PAGE_SIZE - 1))
    }

    /// The first page boundary at or above the address; `None` where that wraps.
    #[must_use]
    pub fn page_ceil(self) -> Option<Self> {
        self.0
            .checked_add(PAGE_SIZE - 1)
            .map(|a| UserAddr(a).page_floor())
    }

    /// Distance from the start of its page, bytes.
    #[must_use]
    pub const fn page_offset(self) -> u64 {
        self.0 & (PAGE_SIZE - 1)
    }

    /// True on a page boundary.
    #[must_use]
    pub const fn is_page_aligned(self) -> bool {
        self.page_offset() == 0
    }

    /// The same address as a pointer to `T`.
    #[must_use]
    pub const fn cast<T>(self) -> UserPtr<T> {
        UserPtr(self, PhantomData)
    }
}

impl fmt::Debug for UserAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_null() {
            f.write_str("NULL")
        } else {
            write!(f, "{:#x}", self.0)
        }
    }
}

impl fmt::Display for UserAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A guest address that the ABI says points to a `T` (or to the first of several).
#[derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)]
#[repr(transparent)]
pub struct UserPtr<T>(UserAddr, PhantomData<fn() -> T>);

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> PartialEq for UserPtr<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for UserPtr<T> {}

impl<T> UserPtr<T> {
    /// A pointer to the `T` at `addr`.
    #[must_use]
    pub const fn new(addr: UserAddr) -> Self {
        UserPtr(addr, PhantomData)
    }

    /// The address.
    #[must_use]
    pub const fn addr(self) -> UserAddr {
        self.0
    }

    /// True for NULL.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// `None` for NULL: for arguments that may be left out.
    #[must_use]
    pub fn non_null(self) -> Option<Self> {
        (!self.is_null()).then_some(self)
    }

    /// A pointer to element `index`; `EFAULT` where the address wraps.
    pub fn at(self, index: u64) -> Result<Self, Errno> {
        let size = size_of::<T>() as u64;
        let bytes = index.checked_mul(size).ok_or(EFAULT)?;
        Ok(UserPtr::new(self.0.add(bytes)?))
    }
}

impl<T> fmt::Debug for UserPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A guest address of a NUL-terminated string.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(transparent)]
pub struct UserCStr(pub UserAddr);

impl fmt::Debug for UserCStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
