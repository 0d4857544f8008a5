//! A file is written or run, not both: `ETXTBSY`.

use std::sync::atomic::{AtomicI32, Ordering};

use syscalls::Errno;
use syscalls::errno::ETXTBSY;

use super::InodeRef;

/// Writers of a file if positive, runners if negative.
#[derive(Default)]
pub(super) struct UseCount(AtomicI32);

impl UseCount {
    pub(super) fn has_writers(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    fn change(&self, by: i32, allowed: impl Fn(i32) -> bool) -> Result<(), Errno> {
        let next = |count: i32| allowed(count).then(|| count.saturating_add(by));
        self.0
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
            .0
            .fetch_sub(1, Ordering::SeqCst);
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
            .0
            .fetch_add(1, Ordering::SeqCst);
    }
}

/// What an open file claims as long as it is open.
pub(super) enum Claim {
    /// Nothing.
    None,
    /// Nobody runs it.
    Write(#[allow(dead_code, reason = "held")] WriteAccess),
    /// Nobody writes it.
    Run(#[allow(dead_code, reason = "held")] DenyWrite),
}
