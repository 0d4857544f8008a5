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
        let same = are_all(theirs.uid, own.uid.real) && are_all(theirs.gid, own.gid.real);
        other.lies_open_to(&own, &theirs, same, own.permitted)
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
        let same = are_all(theirs.uid, creds.uid.fs) && are_all(theirs.gid, creds.gid.fs);
        self.lies_open_to(creds, &theirs, same, creds.effective)
    }

    /// Whether `looker`, who uses `caps`, may look at what acts as `own`; `same` if they
    /// are the same user and group.
    fn lies_open_to(
        &self,
        looker: &Credentials,
        own: &Credentials,
        same: bool,
        caps: Capabilities,
    ) -> bool {
        let program = self.group.user.get();
        let may = |user| looker.has_in(user, Capabilities::SYS_PTRACE);
        // A program that was executed elsewhere keeps what it knows from there.
        (same || may(&own.user))
            && (self.group.is_dumpable() || may(&program))
            && ((looker.user == own.user && caps.contains(own.permitted)) || may(&own.user))
    }
}
