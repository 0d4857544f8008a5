//! Flags as typed arguments.
//!
//! A flags type knows what Linux does with bits that it does not define: refuse them
//! before anything else (`refused`: `EINVAL` at the door), drop them (`ignored`), or look
//! at them only after other checks or in a way of its own (`kept`).

use std::fmt::{self, Write};

/// The bits of a flags argument, with Linux's names for a trace.
pub trait FlagNames: Copy {
    /// Name and bits of every flag; combinations before their parts.
    const NAMES: &'static [(&'static str, u64)];
    /// A field in the lower bits whose zero has a name: its mask and that name.
    const ZERO: Option<(u64, &'static str)>;
    /// The bits.
    fn raw(self) -> u64;
}

/// Writes `A|B|0x40`, as strace does.
pub(crate) fn show<T: FlagNames>(flags: T, out: &mut dyn Write) -> fmt::Result {
    let mut rest = flags.raw();
    let mut separator = "";
    if let Some((mask, name)) = T::ZERO
        && rest & mask == 0
    {
        out.write_str(name)?;
        separator = "|";
    }
    for &(name, bits) in T::NAMES {
        if bits != 0 && rest & bits == bits {
            write!(out, "{separator}{name}")?;
            rest &= !bits;
            separator = "|";
        }
    }
    match (rest, separator) {
        (0, "|") => Ok(()),
        (0, _) => out.write_str("0"),
        _ => write!(out, "{separator}{rest:#x}"),
    }
}

/// Declares a flags type: its integer, the prefix of Linux's names, what happens to
/// unknown bits, for some the name of zero, and the flags. A flag whose Linux name does
/// not begin with the prefix gives it after its value.
macro_rules! flags {
    ($(
        $(#[$attr:meta])*
        pub struct $name:ident: $int:ident, $prefix:literal, $unknown:ident
        $(, $mask:literal => $zero:literal)?
        { $($(#[doc = $doc:literal])* $flag:ident = $value:expr $(, $linux:literal)?;)* }
    )*) => {$(
        bitflags::bitflags! {
            $(#[$attr])*
            #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
            pub struct $name: $int {
                $(
                    #[doc = concat!("`", $crate::flags::linux_name!($prefix, $flag $(, $linux)?), "`")]
                    $(#[doc = $doc])*
                    const $flag = $value;
                )*
            }
        }

        impl $crate::flags::FlagNames for $name {
            const NAMES: &'static [(&'static str, u64)] = &[$((
                $crate::flags::linux_name!($prefix, $flag $(, $linux)?),
                $name::$flag.bits() as u64,
            )),*];
            const ZERO: Option<(u64, &'static str)> = $crate::flags::zero!($($mask, $zero)?);
            fn raw(self) -> u64 {
                u64::from(self.bits())
            }
        }

        impl $crate::arg::Arg for $name {
            fn decode(raw: u64) -> Result<Self, $crate::errno::Errno> {
                let bits = <$int as $crate::arg::Arg>::decode(raw)?;
                $crate::flags::unknown!($unknown, $name, bits)
            }
            fn show(&self, out: &mut dyn std::fmt::Write, _: &dyn $crate::arg::TraceMem) -> std::fmt::Result {
                $crate::flags::show(*self, out)
            }
        }
    )*};
}

macro_rules! linux_name {
    ($prefix:literal, $flag:ident) => {
        concat!($prefix, stringify!($flag))
    };
    ($prefix:literal, $flag:ident, $linux:literal) => {
        $linux
    };
}

macro_rules! zero {
    () => {
        None
    };
    ($mask:literal, $zero:literal) => {
        Some(($mask, $zero))
    };
}

macro_rules! unknown {
    (refused, $name:ident, $bits:ident) => {
        <$name>::from_bits($bits)
            .ok_or_else(|| $crate::errno::EINVAL.why(concat!("unknown ", stringify!($name))))
    };
    (ignored, $name:ident, $bits:ident) => {
        Ok(<$name>::from_bits_truncate($bits))
    };
    (kept, $name:ident, $bits:ident) => {
        Ok(<$name>::from_bits_retain($bits))
    };
}

/// Declares numbers that name something, one of which an argument holds, and the list of
/// them for a trace.
macro_rules! numbers {
    ($(
        $(#[$attr:meta])*
        pub const $list:ident: $int:ident { $($name:ident = $value:expr;)* }
    )*) => {$(
        $(
            #[allow(missing_docs, reason = "named as in the manual page")]
            pub const $name: $int = $value;
        )*

        $(#[$attr])*
        #[allow(clippy::cast_sign_loss, reason = "compared as the same type, sign-extended")]
        pub const $list: $crate::flags::Numbers = &[$((stringify!($name), $value as i64)),*];
    )*};
}

/// Names of numbers.
pub type Numbers = &'static [(&'static str, i64)];

pub(crate) use {flags, linux_name, numbers, unknown, zero};

#[cfg(test)]
mod tests {
    use crate::abi::fs::{AccessMode, OpenFlags, PipeFlags};
    use crate::arg::{Arg, NoMem};
    use crate::errno::EINVAL;

    fn shown<T: Arg>(raw: u64) -> String {
        let mut out = String::new();
        T::decode(raw).unwrap().show(&mut out, &NoMem).unwrap();
        out
    }

    #[test]
    fn flags_are_shown_as_strace_does() {
        assert_eq!(shown::<OpenFlags>(0), "O_RDONLY");
        assert_eq!(
            shown::<OpenFlags>(0o2_204_000),
            "O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY"
        );
        assert_eq!(shown::<OpenFlags>(0o1101), "O_WRONLY|O_CREAT|O_TRUNC");
        assert_eq!(shown::<OpenFlags>(0o4_010_002), "O_RDWR|O_SYNC");
        assert_eq!(shown::<PipeFlags>(0), "0");
        assert_eq!(shown::<AccessMode>(0), "F_OK");
        assert_eq!(shown::<AccessMode>(4), "R_OK");
    }

    #[test]
    fn unknown_bits() {
        assert_eq!(PipeFlags::decode(1), Err(EINVAL));
        assert_eq!(OpenFlags::decode(1 << 31), Ok(OpenFlags::empty()));
        // The upper half of a 32-bit argument does not exist.
        assert_eq!(
            PipeFlags::decode(0xffff_ffff_0000_0800),
            Ok(PipeFlags::NONBLOCK)
        );
    }
}
