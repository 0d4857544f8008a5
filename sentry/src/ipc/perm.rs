//! Owner and rights of an object.

use syscalls::Errno;
use syscalls::abi::ipc::IpcPerm;
use syscalls::errno::{EACCES, EPERM};

use crate::task::{Capabilities, Credentials};

/// The permission bits of a mode.
const MODE: u32 = 0o777;

/// `ipc_perm` of sysvipc(7), without key and number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Perm {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) cuid: u32,
    pub(crate) cgid: u32,
    pub(crate) mode: u32,
}

impl Perm {
    /// Those of an object that `creds` makes with `flags`.
    pub(super) fn new(creds: &Credentials, flags: i32) -> Self {
        Perm {
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
        if asked & !granted & 0o7 != 0 && !creds.has(Capabilities::IPC_OWNER) {
            return Err(EACCES);
        }
        Ok(())
    }

    /// `EPERM` unless `creds` may change or remove the object.
    pub(super) fn permit_change(&self, creds: &Credentials) -> Result<(), Errno> {
        let owner = [self.uid, self.cuid].contains(&creds.uid.effective);
        if owner || creds.has(Capabilities::SYS_ADMIN) {
            Ok(())
        } else {
            Err(EPERM)
        }
    }

    /// IPC_SET.
    pub(super) fn set(&mut self, from: &IpcPerm) {
        self.uid = from.uid;
        self.gid = from.gid;
        self.mode = (self.mode & !MODE) | (from.mode & MODE);
    }

    /// As IPC_STAT tells it.
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

fn mode_of(flags: i32) -> u32 {
    u32::try_from(flags & 0o777).unwrap_or(0)
}
