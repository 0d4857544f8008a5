//! Figures of a file system.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Figures of a file system, statfs(2). Its identification is [`Attr::dev`](crate::Attr::dev).
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct StatFs {
    /// Magic number of the host's file system type.
    pub fs_type: u64,
    /// Preferred size of transfers, bytes.
    pub bsize: u64,
    /// Size of what `blocks`, `bfree` and `bavail` count, bytes.
    pub frsize: u64,
    /// All blocks.
    pub blocks: u64,
    /// Free ones.
    pub bfree: u64,
    /// Free ones for ordinary users.
    pub bavail: u64,
    /// All inodes.
    pub files: u64,
    /// Free ones.
    pub ffree: u64,
    /// Longest name, bytes.
    pub namelen: u64,
    /// `ST_*` mount flags of the host's mount.
    pub flags: u64,
}
