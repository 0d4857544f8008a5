//! Names of trees and inodes, and what a walk or a transfer says about them.

use syscalls::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Attr;

/// Names an inode in the server. See the crate's documentation for how long it is valid;
/// a handle that is not valid gives `ESTALE`.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Handle(pub u64);

/// Index of a tree in the order in which the server was given them; 0 is the root file system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TreeId(pub u32);

/// How far a walk came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// The components found, in order, a reference on each. Fewer than were asked for if
    /// the last one is not a directory (a symbolic link is the caller's to follow), or if
    /// `stop` says why.
    pub found: Vec<(Handle, Attr)>,
    /// Why component `found.len()` has no handle: `ENOENT` if the directory has no such
    /// name, else the host's error. `None` if that component was not looked at.
    pub stop: Option<Errno>,
}

/// What an open file is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading a file's data or a directory's entries.
    Read,
    /// Writing data. The server opens the file for reading too where the host lets it.
    Write,
    /// Both: fails where either is not possible.
    ReadWrite,
}

impl Access {
    pub(crate) const fn reads(self) -> bool {
        matches!(self, Access::Read | Access::ReadWrite)
    }
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Access::Write | Access::ReadWrite)
    }
}

/// One stretch of a transfer between a file and the sandbox's memory file. Bytes all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Segment {
    /// Position in the host file.
    pub file_pos: u64,
    /// Offset in the memory file.
    pub mem_offset: u64,
    /// Length; a request's segments together carry at most
    /// [`Client::MAX_TRANSFER`](crate::Client::MAX_TRANSFER).
    pub len: u64,
}
