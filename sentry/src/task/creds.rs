//! Credentials, credentials(7). Ids are the kernel's: those of the first user name space.

use super::capabilities::{Capabilities, SecureBits};
use crate::namespace::UserNamespace;

/// Real, effective, saved and file-system id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "named as in credentials(7)")]
pub struct UserIds {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
    pub fs: u32,
}

impl UserIds {
    /// All four the same.
    #[must_use]
    pub const fn all(id: u32) -> Self {
        UserIds {
            real: id,
            effective: id,
            saved: id,
            fs: id,
        }
    }
}

/// Who a task acts as.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(
    missing_docs,
    reason = "named as in credentials(7) and capabilities(7)"
)]
pub struct Credentials {
    pub uid: UserIds,
    pub gid: UserIds,
    pub groups: Vec<u32>,
    pub user: UserNamespace,
    pub permitted: Capabilities,
    pub effective: Capabilities,
    pub inheritable: Capabilities,
    pub bounding: Capabilities,
    pub ambient: Capabilities,
    pub securebits: SecureBits,
    pub no_new_privs: bool,
}

impl Credentials {
    /// True if `gid` is the file-system group or a supplementary one.
    #[must_use]
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid.fs == gid || self.groups.contains(&gid)
    }
}
