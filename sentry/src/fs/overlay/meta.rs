//! Attributes that differ from the lower file's, or that a new file has.

use std::collections::BTreeMap;

use crate::time::now_realtime;
use crate::vfs::{Attr, Mode, Owner, SetAttr, SetTime, Timestamp};

/// Attributes, and what became of extended ones.
pub(super) struct Meta {
    pub(super) mode: Mode,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) nlink: u32,
    pub(super) atime: Timestamp,
    pub(super) mtime: Timestamp,
    pub(super) ctime: Timestamp,
    pub(super) btime: Timestamp,
    /// Extended attributes set here; `None`: removed here.
    pub(super) xattrs: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Meta {
    /// Of a new file.
    pub(super) fn new(owner: Owner, nlink: u32) -> Self {
        let now = now_realtime();
        Meta {
            mode: owner.mode,
            uid: owner.uid,
            gid: owner.gid,
            nlink,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            xattrs: BTreeMap::new(),
        }
    }

    /// Of a lower file that is about to change.
    pub(super) fn of(attr: &Attr) -> Self {
        Meta {
            mode: attr.mode,
            uid: attr.uid,
            gid: attr.gid,
            nlink: attr.nlink,
            atime: attr.atime,
            mtime: attr.mtime,
            ctime: attr.ctime,
            btime: attr.btime,
            xattrs: BTreeMap::new(),
        }
    }

    /// Puts them into what the lower file says.
    pub(super) fn show(&self, attr: &mut Attr) {
        attr.mode = self.mode;
        attr.uid = self.uid;
        attr.gid = self.gid;
        attr.nlink = self.nlink;
        attr.atime = self.atime;
        attr.mtime = self.mtime;
        attr.ctime = self.ctime;
        attr.btime = self.btime;
    }

    /// Contents or entries changed.
    pub(super) fn modified(&mut self) {
        let now = now_realtime();
        self.mtime = now;
        self.ctime = now;
    }

    /// Names came or went.
    pub(super) fn add_links(&mut self, change: i32) {
        self.nlink = self.nlink.saturating_add_signed(change);
        self.ctime = now_realtime();
    }

    /// chmod(2) and the like; the size was dealt with.
    pub(super) fn set(&mut self, set: &SetAttr) {
        let now = now_realtime();
        let at = |time| match time {
            SetTime::Now => now,
            SetTime::To(at) => at,
        };
        self.mode = set.mode.unwrap_or(self.mode);
        self.uid = set.uid.unwrap_or(self.uid);
        self.gid = set.gid.unwrap_or(self.gid);
        self.atime = set.atime.map_or(self.atime, at);
        let resized = set.size.map(|_| now);
        self.mtime = set.mtime.map(at).or(resized).unwrap_or(self.mtime);
        self.ctime = now;
    }
}
