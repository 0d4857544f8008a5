//! Credentials across execve(2): set-id files, file capabilities, capabilities(7).

use std::sync::Arc;

use syscalls::Errno;

use super::capabilities::SecureBits;
use super::{Capabilities, Credentials, Current, Task};
use crate::loader::Identity;
use crate::namespace::UserNamespace;
use crate::vfs::{File, Mode, MountFlags};

/// Who a program runs as.
pub(crate) struct ExecCredentials {
    creds: Credentials,
    secure: bool,
}

/// Capabilities of a file, the attribute `security.capability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileCapabilities {
    /// For whose name space they were given: its root, by the kernel's id.
    owner: u32,
    permitted: Capabilities,
    inheritable: Capabilities,
    effective: bool,
}

impl FileCapabilities {
    /// From the attribute, `struct vfs_cap_data` of versions 2 and 3.
    fn parse(bytes: &[u8]) -> Option<Self> {
        const EFFECTIVE: u32 = 1;
        const VERSION_2: u32 = 0x0200_0000;
        const VERSION_3: u32 = 0x0300_0000;
        let word = |index: usize| {
            let bytes = bytes.get(index * 4..index * 4 + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let magic = word(0)?;
        let owner = match (magic & 0xff00_0000, bytes.len()) {
            (VERSION_2, 20) => 0,
            (VERSION_3, 24) => word(5)?,
            _ => return None,
        };
        let set = |low: u32, high: u32| {
            Capabilities::from_bits_truncate(u64::from(low) | u64::from(high) << 32)
        };
        Some(FileCapabilities {
            owner,
            permitted: set(word(1)?, word(3)?),
            inheritable: set(word(2)?, word(4)?),
            effective: magic & EFFECTIVE != 0,
        })
    }

    /// True where `user` or what it lies in is the name space of that root.
    fn count_in(&self, user: &UserNamespace) -> bool {
        let mut all = user.and_above();
        all.any(|at| at.known_uid(self.owner) == Some(0))
    }

    fn of(file: &File) -> Option<Self> {
        let bytes: Result<Vec<u8>, Errno> = file.inode().xattr(b"security.capability");
        Self::parse(&bytes.ok()?)
    }
}

impl ExecCredentials {
    /// What `task` becomes by executing `file`.
    pub(crate) fn for_file(task: &Task, file: &Arc<File>) -> Self {
        let old = task.creds.get();
        let trusted = !file.location.mount.flags().contains(MountFlags::NOSUID)
            && old.user.is_within(&file.inode().super_block().user());
        let mut new = Credentials::clone(&old);
        if trusted
            && !old.no_new_privs
            && let Ok(owner) = file.inode().owner()
            && old.user.knows(owner.uid, owner.gid)
        {
            if owner.mode.contains(Mode::SETUID) {
                new.uid.effective = owner.uid;
            }
            if owner.mode.contains(Mode::SETGID | Mode::GROUP_EXEC) {
                new.gid.effective = owner.gid;
            }
        }
        let caps = if trusted {
            FileCapabilities::of(file).filter(|caps| caps.count_in(&old.user))
        } else {
            None
        };
        transform(&old, new, caps)
    }

    /// What the program is told.
    pub(crate) fn identity(&self) -> Identity {
        let (user, uid, gid) = (&self.creds.user, self.creds.uid, self.creds.gid);
        Identity {
            uid: user.shown_uid(uid.real),
            euid: user.shown_uid(uid.effective),
            gid: user.shown_gid(gid.real),
            egid: user.shown_gid(gid.effective),
            secure: self.secure,
        }
    }

    /// Makes them the task's.
    pub(super) fn commit(self, task: &mut Current) {
        let plain = self.creds.uid.effective == self.creds.uid.real
            && self.creds.gid.effective == self.creds.gid.real;
        // What they gained, if anything, is noticed when they are set.
        task.group.set_dumpable(plain);
        task.group.user.set(self.creds.user.clone());
        task.set_credentials(self.creds);
    }
}

/// capabilities(7), "Transformation of capabilities during execve()". `new` has the
/// effective ids of a set-id file already.
fn transform(
    old: &Credentials,
    mut new: Credentials,
    caps: Option<FileCapabilities>,
) -> ExecCredentials {
    let root = old.root_uid();
    let is_root = |uid: u32| Some(uid) == root;
    let set_id = new.uid.effective != old.uid.real || new.gid.effective != old.gid.real;
    let mut effective = false;
    new.permitted = Capabilities::empty();
    if let Some(caps) = caps.filter(|_| !old.no_new_privs) {
        new.permitted = (caps.permitted & old.bounding) | (caps.inheritable & old.inheritable);
        effective = caps.effective;
    }
    let root_by_file = is_root(new.uid.effective) && !is_root(new.uid.real);
    let root_counts = !old.securebits.contains(SecureBits::NOROOT);
    if root_counts && !(caps.is_some() && root_by_file) {
        if is_root(new.uid.real) || is_root(new.uid.effective) {
            new.permitted = old.bounding | old.inheritable;
        }
        effective |= is_root(new.uid.effective);
    }
    new.uid.saved = new.uid.effective;
    new.uid.fs = new.uid.effective;
    new.gid.saved = new.gid.effective;
    new.gid.fs = new.gid.effective;
    if caps.is_some() || set_id {
        new.ambient = Capabilities::empty();
    }
    new.permitted |= new.ambient;
    new.effective = if effective {
        new.permitted
    } else {
        new.ambient
    };
    new.securebits -= SecureBits::KEEP_CAPS;
    let beyond_ambient = effective || !new.ambient.contains(new.permitted);
    ExecCredentials {
        secure: set_id || (!is_root(new.uid.real) && beyond_ambient),
        creds: new,
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Credentials, FileCapabilities, transform};
    use crate::task::UserIds;

    fn user(uid: u32) -> Credentials {
        Credentials {
            uid: UserIds::all(uid),
            gid: UserIds::all(uid),
            bounding: Capabilities::CHOWN | Capabilities::NET_RAW,
            ..Credentials::default()
        }
    }

    #[test]
    fn root_has_what_is_bounded_and_users_have_nothing() {
        let after = transform(&user(0), user(0), None);
        assert_eq!(after.creds.effective, user(0).bounding);
        assert!(!after.secure);
        let after = transform(&user(5), user(5), None);
        assert!(after.creds.permitted.is_empty() && !after.secure);
    }

    #[test]
    fn set_user_id_root() {
        let mut new = user(5);
        new.uid.effective = 0;
        let after = transform(&user(5), new, None);
        assert!(after.secure);
        assert_eq!(after.creds.uid.real, 5);
        assert_eq!(after.creds.uid.saved, 0);
        assert_eq!(after.creds.effective, user(0).bounding);
    }

    #[test]
    fn file_capabilities() {
        let bytes = [
            1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let caps = FileCapabilities::parse(&bytes);
        assert_eq!(caps.map(|c| c.permitted), Some(Capabilities::NET_RAW));
        let after = transform(&user(5), user(5), caps);
        assert_eq!(after.creds.effective, Capabilities::NET_RAW);
        assert!(after.secure);
        assert_eq!(FileCapabilities::parse(&bytes[..12]), None);
    }

    #[test]
    fn ambient_capabilities_stay() {
        let mut old = user(5);
        old.permitted = Capabilities::CHOWN;
        old.inheritable = Capabilities::CHOWN;
        old.ambient = Capabilities::CHOWN;
        let after = transform(&old, old.clone(), None);
        assert_eq!(after.creds.effective, Capabilities::CHOWN);
        assert!(!after.secure);
    }
}
