//! Capabilities of programs.

use std::sync::atomic::{AtomicU64, Ordering};

use syscalls::Errno;
use syscalls::errno::ENODATA;

/// The attribute with a program's capabilities.
pub(super) const CAPABILITIES: &[u8] = b"security.capability";

/// That a file has no capabilities, which execve(2) asks each time.
#[derive(Default)]
pub(super) struct KnownAbsent {
    /// Changes of attributes.
    changes: AtomicU64,
    /// What `changes` was when they were found to be absent, plus 1.
    at: AtomicU64,
}

impl KnownAbsent {
    pub(super) fn is_so(&self) -> bool {
        self.at.load(Ordering::Acquire) == self.changes.load(Ordering::Acquire) + 1
    }

    /// Asks the host by `ask`, and remembers if there is nothing.
    pub(super) fn ask(
        &self,
        ask: impl FnOnce() -> Result<Vec<u8>, Errno>,
    ) -> Result<Vec<u8>, Errno> {
        let before = self.changes.load(Ordering::Acquire);
        let result = ask();
        if result == Err(ENODATA) {
            self.at.store(before + 1, Ordering::Release);
        }
        result
    }

    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}
