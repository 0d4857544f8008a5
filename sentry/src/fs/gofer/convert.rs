//! Between the Gofer's types and the kernel's.

use gofer::{Attr as HostAttr, FileType, SetTime as HostSetTime, Time};

use crate::vfs::{FileKind, SetTime, Timestamp};

pub(super) fn kind(attr: &HostAttr) -> FileKind {
    entry_kind(attr.file_type())
}

/// Entries of unknown type are shown as regular: stat(2) tells the truth.
pub(super) fn entry_kind(file_type: FileType) -> FileKind {
    match file_type {
        FileType::Fifo => FileKind::Fifo,
        FileType::CharDevice => FileKind::CharDevice,
        FileType::Directory => FileKind::Directory,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Symlink => FileKind::Symlink,
        FileType::Socket => FileKind::Socket,
        FileType::Regular | FileType::Unknown => FileKind::Regular,
    }
}

pub(super) fn timestamp(time: Time) -> Timestamp {
    Timestamp::from(time.sec) * 1_000_000_000 + Timestamp::from(time.nsec)
}

pub(super) fn host_time(time: Timestamp) -> Time {
    let sec = time.div_euclid(1_000_000_000);
    let nsec = time.rem_euclid(1_000_000_000);
    let bound = if sec < 0 { i64::MIN } else { i64::MAX };
    Time {
        sec: i64::try_from(sec).unwrap_or(bound),
        nsec: i64::try_from(nsec).unwrap_or(0),
    }
}

pub(super) fn set_time(time: Option<SetTime>) -> HostSetTime {
    match time {
        None => HostSetTime::Keep,
        Some(SetTime::Now) => HostSetTime::Now,
        Some(SetTime::To(at)) => HostSetTime::At(host_time(at)),
    }
}
