//! What getsockopt(2) and setsockopt(2) pass: read where it is looked at, so that what is
//! wrong is told in Linux's order.

use syscalls::errno::EINVAL;
use syscalls::{Errno, UserPtr};

use crate::task::Current;

/// The most bytes of a value that are looked at.
const MAX: usize = 4096;

/// A value that a program sets.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    task: &'a Current,
    at: UserPtr<u8>,
    len: usize,
}

/// What a program says when it asks for a value.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// How many bytes it offers; may be negative.
    pub len: i32,
    /// Where: a few options take part of the question from there.
    pub at: UserPtr<u8>,
}

impl<'a> Given<'a> {
    /// `EINVAL` for a negative length.
    pub fn new(task: &'a Current, at: UserPtr<u8>, len: i32) -> Result<Self, Errno> {
        let len = usize::try_from(len).map_err(|_| EINVAL)?;
        Ok(Given { task, at, len })
    }

    /// Bytes of it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for a value of no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True for an address of 0.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.at.is_null()
    }

    /// All of it; `EFAULT`.
    pub fn bytes(&self) -> Result<Vec<u8>, Errno> {
        self.task.mem().read_slice(self.at, self.len.min(MAX))
    }

    /// So many of its first bytes; `EFAULT`.
    pub fn first(&self, count: usize) -> Result<Vec<u8>, Errno> {
        self.task.mem().read_slice(self.at, self.len.min(count))
    }

    /// Its first bytes; `EINVAL` if there are fewer, `EFAULT`.
    pub fn prefix<const N: usize>(&self) -> Result<[u8; N], Errno> {
        if self.len < N {
            return Err(EINVAL);
        }
        let bytes = self.task.mem().read_slice(self.at, N)?;
        bytes.first_chunk::<N>().copied().ok_or(EINVAL)
    }

    /// A number, as IPv6 reads it: an address of 0 is one of 0.
    pub fn number_or_null(&self) -> Result<i32, Errno> {
        if self.is_null() && self.len >= 4 {
            return Ok(0);
        }
        self.number()
    }

    /// A number; `EINVAL`, `EFAULT`.
    pub fn number(&self) -> Result<i32, Errno> {
        Ok(i32::from_ne_bytes(self.prefix()?))
    }
}

impl Asked {
    /// How many bytes it offers; `EINVAL` for fewer than none.
    pub fn room(&self) -> Result<usize, Errno> {
        usize::try_from(self.len).map_err(|_| EINVAL)
    }
}

/// What values an option takes.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    /// Anything; what is not 0 counts as 1.
    Flag,
    /// Anything.
    Any,
    /// A number from a range.
    Range(i32, i32),
    /// A number from a range, or -1 for the default.
    OrDefault(i32, i32),
    /// What is made of it, given the default.
    By(fn(i32, i32) -> Result<i32, Errno>),
}

impl Takes {
    /// What `value` becomes; `EINVAL`.
    pub(super) fn admit(self, value: i32, default: i32) -> Result<i32, Errno> {
        match self {
            Takes::Flag => Ok(i32::from(value != 0)),
            Takes::Any => Ok(value),
            Takes::OrDefault(..) if value == -1 => Ok(default),
            Takes::Range(least, most) | Takes::OrDefault(least, most) => {
                let fits = (least..=most).contains(&value);
                if fits { Ok(value) } else { Err(EINVAL) }
            }
            Takes::By(make) => make(value, default),
        }
    }
}
