//! Who may look into whom: "Ptrace access mode checking" in ptrace(2).

use std::sync::Arc;

use super::{Capabilities, Credentials, Current, Task, ThreadGroup, UserIds};

/// True if all of `ids`, the file-system id apart, are `id`.
fn are_all(ids: UserIds, id: u32) -> bool {
    [ids.real, ids.effective, ids.saved]
        .iter()
        .all(|&i| i == id)
}

impl Current {
    /// True if the caller may read and change the other's memory, descriptors and the
    /// like (`PTRACE_MODE_ATTACH_REALCREDS`): the same thread group, or the same user
    /// and nothing hidden, or `CAP_SYS_PTRACE`.
    #[must_use]
    pub fn may_inspect(&self, other: &Task) -> bool {
        if Arc::ptr_eq(&self.group, &other.group) {
            return true;
        }
        let (own, theirs) = (self.creds.get(), other.creds.get());
        if own.has(Capabilities::SYS_PTRACE) {
            return true;
        }
        are_all(theirs.uid, own.uid.real)
            && are_all(theirs.gid, own.gid.real)
            && other.group.is_dumpable()
            && own.permitted.contains(theirs.permitted)
    }
}

impl Task {
    /// True if whoever acts as `creds`, in the process `group`, may see what /proc keeps
    /// from strangers (`PTRACE_MODE_READ_FSCREDS`).
    #[must_use]
    pub fn shows_to(&self, creds: &Credentials, group: Option<&Arc<ThreadGroup>>) -> bool {
        if group.is_some_and(|group| Arc::ptr_eq(group, &self.group)) {
            return true;
        }
        let theirs = self.creds.get();
        if creds.has(Capabilities::SYS_PTRACE) {
            return true;
        }
        are_all(theirs.uid, creds.uid.fs)
            && are_all(theirs.gid, creds.gid.fs)
            && self.group.is_dumpable()
            && creds.effective.contains(theirs.permitted)
    }
}
