//! Record locks: ranges of a file.

use syscalls::abi::fs::{F_RDLCK, F_WRLCK};

use super::LockOwner;
use crate::task::Pid;

/// What a lock allows others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Other readers.
    Read,
    /// Nobody.
    Write,
}

impl LockKind {
    /// F_RDLCK, F_WRLCK.
    #[must_use]
    pub fn raw(self) -> i16 {
        match self {
            LockKind::Read => F_RDLCK,
            LockKind::Write => F_WRLCK,
        }
    }
}

/// Bytes `first..=last`; up to the end of any file if `last` is the largest offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

impl Extent {
    /// The largest offset of a file.
    pub const END: u64 = i64::MAX as u64;
    /// Everything.
    pub const ALL: Extent = Extent {
        first: 0,
        last: Self::END,
    };

    fn meets(self, other: Extent) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// A lock on a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub owner: LockOwner,
    /// The process that took it; -1 for OFD locks.
    pub pid: Pid,
    /// Shared or not.
    pub kind: LockKind,
    /// Where.
    pub extent: Extent,
}

/// All record locks of a file, each owner's without overlaps.
#[derive(Default)]
pub(super) struct Records(Vec<Record>);

impl Records {
    /// The first lock of somebody else that does not go with `wanted`.
    pub(super) fn conflict(&self, wanted: &Record) -> Option<&Record> {
        let bad = |held: &&Record| {
            held.owner != wanted.owner
                && held.extent.meets(wanted.extent)
                && (held.kind == LockKind::Write || wanted.kind == LockKind::Write)
        };
        let bad = self.0.iter().filter(bad);
        bad.min_by_key(|held| held.extent.first)
    }

    pub(super) fn holds(&self, owner: LockOwner) -> bool {
        self.0.iter().any(|held| held.owner == owner)
    }

    /// Takes a lock that nothing conflicts with; true if that made another one weaker.
    pub(super) fn set(&mut self, wanted: &Record) -> bool {
        let weakened = self.0.iter().any(|held| {
            held.owner == wanted.owner
                && held.kind == LockKind::Write
                && wanted.kind == LockKind::Read
                && held.extent.meets(wanted.extent)
        });
        self.clear(wanted.owner, wanted.extent);
        let mut new = wanted.clone();
        // What touches it and is of one kind becomes one lock, as F_GETLK shows it.
        self.0.retain(|held| {
            let touches = held.owner == new.owner
                && held.kind == new.kind
                && held.extent.first <= new.extent.last.saturating_add(1)
                && new.extent.first <= held.extent.last.saturating_add(1);
            if touches {
                new.extent.first = new.extent.first.min(held.extent.first);
                new.extent.last = new.extent.last.max(held.extent.last);
            }
            !touches
        });
        self.0.push(new);
        weakened
    }

    /// Cuts `extent` out of the owner's locks.
    pub(super) fn clear(&mut self, owner: LockOwner, extent: Extent) {
        let mut pieces = Vec::new();
        self.0.retain(|held| {
            if held.owner != owner || !held.extent.meets(extent) {
                return true;
            }
            let part = |first, last| Record {
                extent: Extent { first, last },
                ..held.clone()
            };
            if held.extent.first < extent.first {
                pieces.push(part(held.extent.first, extent.first - 1));
            }
            if held.extent.last > extent.last {
                pieces.push(part(extent.last + 1, held.extent.last));
            }
            false
        });
        self.0.append(&mut pieces);
    }
}

#[cfg(test)]
mod tests {
    use super::{Extent, LockKind, LockOwner, Record, Records};

    fn record(owner: u64, kind: LockKind, first: u64, last: u64) -> Record {
        Record {
            owner: LockOwner::Table(owner),
            pid: 1,
            kind,
            extent: Extent { first, last },
        }
    }

    fn extents(records: &Records) -> Vec<(u64, u64, LockKind)> {
        let mut all: Vec<_> = records
            .0
            .iter()
            .map(|r| (r.extent.first, r.extent.last, r.kind))
            .collect();
        all.sort_by_key(|r| r.0);
        all
    }

    #[test]
    fn ranges_split_and_join() {
        use LockKind::{Read, Write};
        let mut records = Records::default();
        records.set(&record(1, Write, 0, 99));
        assert!(records.set(&record(1, Read, 40, 59)));
        assert_eq!(
            extents(&records),
            [(0, 39, Write), (40, 59, Read), (60, 99, Write)]
        );
        records.set(&record(1, Write, 40, 59));
        assert_eq!(extents(&records), [(0, 99, Write)]);
        records.clear(
            LockOwner::Table(1),
            Extent {
                first: 10,
                last: 19,
            },
        );
        assert_eq!(extents(&records), [(0, 9, Write), (20, 99, Write)]);
        records.clear(LockOwner::Table(1), Extent::ALL);
        assert!(extents(&records).is_empty());
    }

    #[test]
    fn readers_share_and_writers_do_not() {
        use LockKind::{Read, Write};
        let mut records = Records::default();
        records.set(&record(1, Read, 0, 9));
        assert!(records.conflict(&record(2, Read, 0, 9)).is_none());
        assert!(records.conflict(&record(2, Write, 9, 20)).is_some());
        assert!(records.conflict(&record(2, Write, 10, 20)).is_none());
        assert!(records.conflict(&record(1, Write, 0, 9)).is_none());
    }
}
