//! Who may look into whom: "Ptrace access mode checking" in ptrace(2).

use std::sync::Arc;

use super::{Capabilities, Current, Task};

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
        let same = |id: u32, ids: super::UserIds| {
            [ids.real, ids.effective, ids.saved]
                .iter()
                .all(|&i| i == id)
        };
        same(own.uid.real, theirs.uid)
            && same(own.gid.real, theirs.gid)
            && other.group.is_dumpable()
            && own.permitted.contains(theirs.permitted)
    }
}
