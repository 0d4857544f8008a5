//! Attributes of an inode, and changes of them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Attributes of an inode, statx(2).
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Attr {
    /// The host's device number, as stat(2) packs it.
    pub dev: u64,
    /// Inode number on that device.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Hard links.
    pub nlink: u32,
    /// Owner, in the Gofer's user namespace.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device inode, as stat(2) packs it.
    pub rdev: u64,
    /// Bytes.
    pub size: u64,
    /// Units of 512 bytes.
    pub blocks: u64,
    /// Preferred size of transfers, bytes.
    pub blksize: u64,
    /// Last access.
    pub atime: Time,
    /// Last change of data.
    pub mtime: Time,
    /// Last change of the inode.
    pub ctime: Time,
    /// Birth; the epoch where the host's file system has none.
    pub btime: Time,
}

/// A point in time.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Default,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(C)]
pub struct Time {
    /// Seconds since 1970 UTC.
    pub sec: i64,
    /// Nanoseconds, 0..1,000,000,000.
    pub nsec: i64,
}

impl Time {
    /// Nanoseconds since 1970 UTC, held at the limits of an `i64` (the years 1677 and 2262).
    #[must_use]
    pub fn as_nanos(self) -> i64 {
        self.sec
            .saturating_mul(1_000_000_000)
            .saturating_add(self.nsec)
    }

    /// From nanoseconds since 1970 UTC.
    #[must_use]
    pub fn from_nanos(nanos: i64) -> Self {
        Time {
            sec: nanos.div_euclid(1_000_000_000),
            nsec: nanos.rem_euclid(1_000_000_000),
        }
    }
}

/// The type in a mode or a directory entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum FileType {
    /// A directory entry of a file system that does not say.
    Unknown = 0,
    /// Named pipe.
    Fifo = 1,
    /// Character device.
    CharDevice = 2,
    /// Directory.
    Directory = 4,
    /// Block device.
    BlockDevice = 6,
    /// Regular file.
    Regular = 8,
    /// Symbolic link.
    Symlink = 10,
    /// Unix socket.
    Socket = 12,
}

impl FileType {
    /// From `d_type` of getdents64(2), which is also bits 12 to 15 of a mode.
    #[must_use]
    pub const fn from_raw(raw: u8) -> Self {
        match raw {
            1 => FileType::Fifo,
            2 => FileType::CharDevice,
            4 => FileType::Directory,
            6 => FileType::BlockDevice,
            8 => FileType::Regular,
            10 => FileType::Symlink,
            12 => FileType::Socket,
            _ => FileType::Unknown,
        }
    }

    /// From `st_mode`.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "four bits")]
        Self::from_raw(((mode >> 12) & 0xf) as u8)
    }

    /// `d_type`.
    #[must_use]
    pub const fn raw(self) -> u8 {
        self as u8
    }
}

impl Attr {
    /// The type in `mode`.
    #[must_use]
    pub const fn file_type(&self) -> FileType {
        FileType::from_mode(self.mode)
    }
}

/// Who a new inode shall belong to. Where the host does not let the Gofer give files away
/// (rootless), the inode keeps the Gofer's own ids: the attributes that come back tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// User, in the Gofer's user namespace.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A change of attributes; what is `None` or [`SetTime::Keep`] stays. The changes are made
/// in the order size, owner, mode, times; the first that fails ends the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SetAttr {
    /// Permission bits, set-id bits and the sticky bit: `0o7777`.
    pub mode: Option<u32>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New size of a regular file, bytes.
    pub size: Option<u64>,
    /// Last access.
    pub atime: SetTime,
    /// Last change of data.
    pub mtime: SetTime,
}

/// A change of a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SetTime {
    /// As it is.
    #[default]
    Keep,
    /// The host's clock.
    Now,
    /// This.
    At(Time),
}

#[cfg(test)]
mod tests {
    use super::{FileType, Time};

    #[test]
    fn nanoseconds_before_the_epoch_round_down() {
        let t = Time::from_nanos(-1);
        assert_eq!((t.sec, t.nsec), (-1, 999_999_999));
        assert_eq!(t.as_nanos(), -1);
        let far = Time {
            sec: i64::MAX,
            nsec: 5,
        };
        assert_eq!(far.as_nanos(), i64::MAX);
    }

    #[test]
    fn types_of_modes() {
        assert_eq!(FileType::from_mode(0o100_644), FileType::Regular);
        assert_eq!(FileType::from_mode(0o040_755), FileType::Directory);
        assert_eq!(FileType::from_mode(0o120_777), FileType::Symlink);
    }
}
