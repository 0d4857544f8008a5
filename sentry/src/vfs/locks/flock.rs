//! Locks on whole files.

use super::{LockKind, LockOwner};

/// Who has locked a file.
#[derive(Default)]
pub(super) struct Flocks(Vec<(LockOwner, LockKind)>);

impl Flocks {
    /// True if the owner has the lock now.
    pub(super) fn take(&mut self, owner: LockOwner, kind: LockKind) -> bool {
        if self.0.contains(&(owner, kind)) {
            return true;
        }
        let free = match kind {
            LockKind::Write => self.0.is_empty(),
            LockKind::Read => self.0.iter().all(|(_, held)| *held == LockKind::Read),
        };
        if free {
            self.0.push((owner, kind));
        }
        free
    }

    /// Gives up a lock of another kind; true if there was one.
    pub(super) fn give_up_other(&mut self, owner: LockOwner, kind: LockKind) -> bool {
        let before = self.0.len();
        self.0.retain(|&(o, k)| o != owner || k == kind);
        self.0.len() < before
    }

    pub(super) fn give_up(&mut self, owner: LockOwner) {
        self.0.retain(|&(o, _)| o != owner);
    }
}
