//! Attributes of files, inode(7).

use bitflags::bitflags;

/// Type of a file, the upper bits of `st_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum FileKind {
    /// FIFO or pipe.
    Fifo = 0o010_000,
    /// Character device.
    CharDevice = 0o020_000,
    /// Directory.
    Directory = 0o040_000,
    /// Block device.
    BlockDevice = 0o060_000,
    /// Regular file.
    Regular = 0o100_000,
    /// Symbolic link.
    Symlink = 0o120_000,
    /// Socket.
    Socket = 0o140_000,
    /// None: what an eventfd, an epoll and their like show.
    Untyped = 0,
}

impl FileKind {
    /// The bits in `st_mode`.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self as u32
    }

    /// From `st_mode`; `None` for a type that Linux does not have.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o010_000 => Self::Fifo,
            0o020_000 => Self::CharDevice,
            0o040_000 => Self::Directory,
            0o060_000 => Self::BlockDevice,
            0o100_000 => Self::Regular,
            0o120_000 => Self::Symlink,
            0o140_000 => Self::Socket,
            _ => return None,
        })
    }

    /// `d_type` of getdents64(2).
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "four bits")]
    pub const fn d_type(self) -> u8 {
        (self.bits() >> 12) as u8
    }
}

bitflags! {
    /// Permission and set-id bits, the lower twelve of `st_mode`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Mode: u16 {
        /// Set user id on execution.
        const SETUID = 0o4000;
        /// Set group id on execution.
        const SETGID = 0o2000;
        /// Restricted deletion.
        const STICKY = 0o1000;
        /// All nine permission bits.
        const RWX_ALL = 0o777;
        /// Execution for the group.
        const GROUP_EXEC = 0o010;
        const _ = 0o7777;
    }
}

impl Mode {
    /// The low twelve bits of a `mode_t`.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "masked to twelve bits")]
    pub const fn from_raw(raw: u32) -> Self {
        Mode::from_bits_retain((raw & 0o7777) as u16)
    }
}

/// Nanoseconds since 1970, may be negative.
pub type Timestamp = i128;

/// A device number: major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct DeviceNumber {
    /// Which driver, 12 bits.
    pub major: u32,
    /// Which device of it, 20 bits.
    pub minor: u32,
}

impl DeviceNumber {
    /// As in `st_rdev` and mknod(2).
    #[must_use]
    pub const fn to_raw(self) -> u64 {
        let (major, minor) = (self.major as u64, self.minor as u64);
        (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12) | ((major & !0xfff) << 32)
    }

    /// From `st_rdev` and mknod(2).
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "masked")]
    pub const fn from_raw(raw: u64) -> Self {
        DeviceNumber {
            major: (((raw >> 8) & 0xfff) | ((raw >> 32) & 0xffff_f000)) as u32,
            minor: ((raw & 0xff) | ((raw >> 12) & 0xffff_ff00)) as u32,
        }
    }
}

/// What stat(2) tells of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in inode(7)")]
pub struct Attr {
    pub dev: u64,
    pub ino: u64,
    pub kind: FileKind,
    pub mode: Mode,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: DeviceNumber,
    /// Bytes.
    pub size: u64,
    /// 512-byte units.
    pub blocks: u64,
    pub blksize: u32,
    pub atime: Timestamp,
    pub mtime: Timestamp,
    pub ctime: Timestamp,
    pub btime: Timestamp,
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The present.
    Now,
    /// This.
    To(Timestamp),
}

/// What chmod, chown, truncate and utimensat change; `None` stays. Permission was
/// checked and set-id bits were cleared by the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in inode(7)")]
pub struct SetAttr {
    pub mode: Option<Mode>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime: Option<SetTime>,
    pub mtime: Option<SetTime>,
}
