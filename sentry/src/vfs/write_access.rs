//! A file is written or run, not both: `ETXTBSY`. And who reads it, for leases.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use syscalls::Errno;
use syscalls::errno::ETXTBSY;

use super::{InodeRef, OpenMode};

/// Who uses a file.
#[derive(Default)]
pub(super) struct UseCount {
    /// Writers if positive, runners if negative.
    writers: AtomicI32,
    /// Those who only read.
    readers: AtomicU32,
    /// It has, or had, leases.
    leased: AtomicBool,
}

impl UseCount {
    pub(super) fn has_writers(&self) -> bool {
        self.writers.load(Ordering::SeqCst) > 0
    }

    /// True unless an open file of this mode is the only user.
    pub(super) fn has_users_beside(&self, mode: OpenMode) -> bool {
        let writers = i32::from(mode.writes());
        let readers = u32::from(mode.reads() && !mode.writes());
        (
            self.writers.load(Ordering::SeqCst),
            self.readers.load(Ordering::SeqCst),
        ) != (writers, readers)
    }

    pub(super) fn is_leased(&self) -> bool {
        self.leased.load(Ordering::SeqCst)
    }

    pub(super) fn set_leased(&self) {
        self.leased.store(true, Ordering::SeqCst);
    }

    fn change(&self, by: i32, allowed: impl Fn(i32) -> bool) -> Result<(), Errno> {
        let next = |count: i32| allowed(count).then(|| count.saturating_add(by));
        self.writers
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
            .map(|_| ())
            .map_err(|_| ETXTBSY)
    }
}

/// The file is open for writing, or is being truncated.
pub struct WriteAccess(InodeRef);

impl WriteAccess {
    /// `ETXTBSY` while the file is being run.
    pub fn take(inode: &InodeRef) -> Result<Self, Errno> {
        inode
            .attachments()
            .use_count
            .change(1, |count| count >= 0)?;
        Ok(WriteAccess(inode.clone()))
    }
}

impl Drop for WriteAccess {
    fn drop(&mut self) {
        self.0
            .attachments()
            .use_count
            .writers
            .fetch_sub(1, Ordering::SeqCst);
    }
}

/// The file is open for reading alone.
pub(super) struct ReadAccess(InodeRef);

impl ReadAccess {
    pub(super) fn take(inode: &InodeRef) -> Self {
        let readers = &inode.attachments().use_count.readers;
        readers.fetch_add(1, Ordering::SeqCst);
        ReadAccess(inode.clone())
    }
}

impl Drop for ReadAccess {
    fn drop(&mut self) {
        let readers = &self.0.attachments().use_count.readers;
        readers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The file is being run: what execve(2) keeps beside the program's mapping.
pub struct DenyWrite(InodeRef);

impl DenyWrite {
    /// `ETXTBSY` while the file is open for writing.
    pub fn take(inode: &InodeRef) -> Result<Self, Errno> {
        inode
            .attachments()
            .use_count
            .change(-1, |count| count <= 0)?;
        Ok(DenyWrite(inode.clone()))
    }
}

impl Drop for DenyWrite {
    fn drop(&mut self) {
        self.0
            .attachments()
            .use_count
            .writers
            .fetch_add(1, Ordering::SeqCst);
    }
}

/// What an open file claims as long as it is open.
pub(super) enum Claim {
    /// Nothing.
    None,
    /// A reader.
    Read(#[allow(dead_code, reason = "held")] ReadAccess),
    /// Nobody runs it.
    Write(#[allow(dead_code, reason = "held")] WriteAccess),
    /// Nobody writes it.
    Run(#[allow(dead_code, reason = "held")] DenyWrite),
}
