//! Registers to typed arguments. Every argument type knows how it is decoded (unknown
//! bits are refused at the door, in [`Arg::decode`]) and how a trace shows it.

use std::fmt::{self, Write};

use crate::errno::{EINVAL, Errno};
use crate::trace::show_path;
use crate::uaddr::{UserAddr, UserCStr, UserPtr};

/// Guest memory as a trace reads it: never faults pages in from slow sources by itself
/// choosing, never fails loudly.
pub trait TraceMem {
    /// Copies bytes at `addr` into `buf`; returns how many could be read.
    fn peek(&self, addr: UserAddr, buf: &mut [u8]) -> usize;
}

/// No memory at all.
#[cfg(test)]
pub(crate) struct NoMem;

#[cfg(test)]
impl TraceMem for NoMem {
    fn peek(&self, _: UserAddr, _: &mut [u8]) -> usize {
        0
    }
}

/// A typed argument of a system call.
pub trait Arg: Sized {
    /// From the register's 64 bits. Linux ignores the upper half for 32-bit types.
    fn decode(raw: u64) -> Result<Self, Errno>;
    /// As strace would print it.
    fn show(&self, out: &mut dyn Write, mem: &dyn TraceMem) -> fmt::Result;
}

/// A file descriptor number as the guest gave it; negative values mean what the call says.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(transparent)]
pub struct Fd(pub i32);

impl Fd {
    /// The current directory, in the `dirfd` argument of the *at calls.
    pub const CWD: Fd = Fd(-100);

    /// A new descriptor as the result of a call.
    pub fn to_result(self) -> crate::SysResult {
        u64::try_from(self.0).map_err(|_| crate::errno::EBADF.into())
    }
}

/// An argument whose unknown bits Linux checks only after other things, or ignores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unchecked<T>(pub u64, std::marker::PhantomData<fn() -> T>);

impl<T> Unchecked<T> {
    /// The raw register.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }
}

impl<T: Arg> Unchecked<T> {
    /// Decodes now.
    pub fn check(self) -> Result<T, Errno> {
        T::decode(self.0)
    }
}

impl<T: Arg> Arg for Unchecked<T> {
    fn decode(raw: u64) -> Result<Self, Errno> {
        Ok(Unchecked(raw, std::marker::PhantomData))
    }
    fn show(&self, out: &mut dyn Write, mem: &dyn TraceMem) -> fmt::Result {
        match T::decode(self.0) {
            Ok(value) => value.show(out, mem),
            Err(_) => write!(out, "{:#x}", self.0),
        }
    }
}

/// A `flags` argument that has no flags yet: anything but zero is `EINVAL`, before all
/// other checks. `T` is how wide Linux reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoFlags<T = u32>(std::marker::PhantomData<fn() -> T>);

impl<T: Arg + Into<u64>> Arg for NoFlags<T> {
    fn decode(raw: u64) -> Result<Self, Errno> {
        match T::decode(raw)?.into() {
            0 => Ok(NoFlags(std::marker::PhantomData)),
            _ => Err(EINVAL.why("flags that do not exist")),
        }
    }
    fn show(&self, out: &mut dyn Write, _: &dyn TraceMem) -> fmt::Result {
        out.write_str("0")
    }
}

macro_rules! int_args {
    ($($ty:ty),*) => {$(
        impl Arg for $ty {
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_lossless,
                reason = "the ABI: a 32-bit argument is the low half of the register")]
            fn decode(raw: u64) -> Result<Self, Errno> {
                Ok(raw as $ty)
            }
            fn show(&self, out: &mut dyn Write, _: &dyn TraceMem) -> fmt::Result {
                write!(out, "{self}")
            }
        }
    )*};
}
int_args!(u16, i32, u32, i64, u64, usize);

impl Arg for Fd {
    fn decode(raw: u64) -> Result<Self, Errno> {
        i32::decode(raw).map(Fd)
    }
    fn show(&self, out: &mut dyn Write, _: &dyn TraceMem) -> fmt::Result {
        if *self == Fd::CWD {
            out.write_str("AT_FDCWD")
        } else {
            write!(out, "{}", self.0)
        }
    }
}

impl Arg for UserAddr {
    fn decode(raw: u64) -> Result<Self, Errno> {
        Ok(UserAddr::new(raw))
    }
    fn show(&self, out: &mut dyn Write, _: &dyn TraceMem) -> fmt::Result {
        write!(out, "{self:?}")
    }
}

impl<T> Arg for UserPtr<T> {
    fn decode(raw: u64) -> Result<Self, Errno> {
        Ok(UserPtr::new(UserAddr::new(raw)))
    }
    fn show(&self, out: &mut dyn Write, _: &dyn TraceMem) -> fmt::Result {
        write!(out, "{self:?}")
    }
}

impl Arg for UserCStr {
    fn decode(raw: u64) -> Result<Self, Errno> {
        Ok(UserCStr(UserAddr::new(raw)))
    }
    fn show(&self, out: &mut dyn Write, mem: &dyn TraceMem) -> fmt::Result {
        show_path(out, mem, self.0)
    }
}
