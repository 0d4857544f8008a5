//! Variants of calls.

use bitflags::bitflags;

/// What a rename does with an existing target, renameat2(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rename {
    /// Replaces it.
    Replace,
    /// Fails with `EEXIST` (`RENAME_NOREPLACE`).
    NoReplace,
    /// Swaps the two (`RENAME_EXCHANGE`).
    Exchange,
}

/// Whether an extended attribute may or must exist, setxattr(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XattrMode {
    /// Either.
    Any,
    /// Must not: `EEXIST`.
    Create,
    /// Must: `ENODATA`.
    Replace,
}

/// What to look for in a sparse file, lseek(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek {
    /// The next byte that is data (`SEEK_DATA`).
    Data,
    /// The next byte that is a hole (`SEEK_HOLE`).
    Hole,
}

/// How much an fsync covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fsync {
    /// Data and all attributes, fsync(2).
    All,
    /// Data and what is needed to read it, fdatasync(2).
    Data,
}

bitflags! {
    /// What is done with a range of a file, fallocate(2). Bits and their combinations as Linux has them.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct FallocateMode: u32 {
        /// The file's size stays.
        const KEEP_SIZE = 0x01;
        /// Frees the range.
        const PUNCH_HOLE = 0x02;
        /// Takes the range out.
        const COLLAPSE_RANGE = 0x08;
        /// Makes the range read as zeroes.
        const ZERO_RANGE = 0x10;
        /// Makes room.
        const INSERT_RANGE = 0x20;
        /// Undoes sharing of blocks.
        const UNSHARE_RANGE = 0x40;
    }
}
