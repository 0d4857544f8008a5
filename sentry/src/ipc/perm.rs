//! Owner and rights of an object.

use syscalls::Errno;
use syscalls::abi::ipc::IpcPerm;
use syscalls::errno::{EACCES, EINVAL, EPERM};

use super::IpcNamespace;
use crate::namespace::UserNamespace;
use crate::task::{Capabilities, Credentials};

/// The permission bits of a mode.
const MODE: u32 = 0o777;

/// `ipc_perm` of sysvipc(7), without key and number.
#[derive(Clone, Debug)]
pub(crate) struct Perm {
    /// Whose name space the object is in.
    user: UserNamespace,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) cuid: u32,
    pub(crate) cgid: u32,
    pub(crate) mode: u32,
}

impl Perm {
    /// Those of an object that `creds` makes in `namespace` with `flags`.
    pub(super) fn new(namespace: &IpcNamespace, creds: &Credentials, flags: i32) -> Self {
        Perm {
            user: namespace.user.clone(),
            uid: creds.uid.effective,
            gid: creds.gid.effective,
            cuid: creds.uid.effective,
            cgid: creds.gid.effective,
            mode: mode_of(flags),
        }
    }

    /// `EACCES` unless `creds` may do what the mode bits `flags` ask for, in whichever of
    /// the three places they stand.
    pub(super) fn permit(&self, creds: &Credentials, flags: i32) -> Result<(), Errno> {
        let asked = mode_of(flags);
        let asked = (asked >> 6) | (asked >> 3) | asked;
        let owner = [self.uid, self.cuid].contains(&creds.uid.effective);
        let group = || [self.gid, self.cgid].iter().any(|&gid| creds.in_group(gid));
        let granted = if owner {
            self.mode >> 6
        } else if group() {
            self.mode >> 3
        } else {
            self.mode
        };
        if asked & !granted & 0o7 != 0 && !self.gives(creds, Capabilities::IPC_OWNER) {
            return Err(EACCES);
        }
        Ok(())
    }

    /// `EPERM` unless `creds` may change or remove the object.
    pub(super) fn permit_change(&self, creds: &Credentials) -> Result<(), Errno> {
        let owner = [self.uid, self.cuid].contains(&creds.uid.effective);
        if owner || self.gives(creds, Capabilities::SYS_ADMIN) {
            Ok(())
        } else {
            Err(EPERM)
        }
    }

    /// True if `creds` has a capability where the object is.
    pub(super) fn gives(&self, creds: &Credentials, cap: Capabilities) -> bool {
        creds.has_in(&self.user, cap)
    }

    /// IPC_SET; `EINVAL` for ids that `creds` does not have.
    pub(super) fn set(&mut self, creds: &Credentials, from: &IpcPerm) -> Result<(), Errno> {
        let uid = creds.user.kernel_uid(from.uid).ok_or(EINVAL)?;
        self.gid = creds.user.kernel_gid(from.gid).ok_or(EINVAL)?;
        self.uid = uid;
        self.mode = (self.mode & !MODE) | (from.mode & MODE);
        Ok(())
    }

    /// As IPC_STAT tells it, with the kernel's ids.
    pub(super) fn abi(&self, key: i32, id: i32) -> IpcPerm {
        IpcPerm {
            key,
            uid: self.uid,
            gid: self.gid,
            cuid: self.cuid,
            cgid: self.cgid,
            mode: self.mode,
            seq: super::table::sequence_of(id),
            ..IpcPerm::default()
        }
    }
}

/// The same with the ids that the program at `user` knows.
pub(crate) fn shown_to(user: &UserNamespace, perm: IpcPerm) -> IpcPerm {
    IpcPerm {
        uid: user.shown_uid(perm.uid),
        gid: user.shown_gid(perm.gid),
        cuid: user.shown_uid(perm.cuid),
        cgid: user.shown_gid(perm.cgid),
        ..perm
    }
}

fn mode_of(flags: i32) -> u32 {
    u32::try_from(flags & 0o777).unwrap_or(0)
}
