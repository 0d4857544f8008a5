//! Extended attributes: who may see and change which, xattr(7).

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENODATA, EOPNOTSUPP, EPERM};

use super::access::{Access, acts_as_owner, permit};
use super::{FileKind, InodeRef, Mode};
use crate::task::{Capabilities, Credentials};

/// What is done with an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Change,
}

/// What there is in the name space of the system: access control lists.
const SYSTEM: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

/// The rules of the name spaces; `EOPNOTSUPP` for a name outside them.
pub(super) fn check(
    creds: &Credentials,
    inode: &InodeRef,
    name: &[u8],
    what: Use,
) -> Result<(), Errno> {
    let refused = match what {
        Use::Read => ENODATA,
        Use::Change => EPERM,
    };
    if name.starts_with(b"trusted.") {
        return if creds.has(Capabilities::SYS_ADMIN) {
            Ok(())
        } else {
            Err(refused)
        };
    }
    if let Some(rest) = name.strip_prefix(b"security.") {
        return match what {
            Use::Read => Ok(()),
            Use::Change => check_security(creds, inode, rest),
        };
    }
    if name.starts_with(b"system.") {
        if !SYSTEM.contains(&name) {
            return Err(EOPNOTSUPP);
        }
        return match what {
            Use::Read => Ok(()),
            Use::Change if acts_as_owner(creds, inode.owner()?.uid) => Ok(()),
            Use::Change => Err(EPERM),
        };
    }
    match name.strip_prefix(b"user.") {
        None => return Err(EOPNOTSUPP),
        Some([]) => return Err(EINVAL),
        Some(_) => {}
    }
    let owner = inode.owner()?;
    match inode.kind() {
        FileKind::Regular => {}
        FileKind::Directory => {
            let shared = owner.mode.contains(Mode::STICKY);
            if shared && what == Use::Change && !acts_as_owner(creds, owner.uid) {
                return Err(EPERM);
            }
        }
        _ => return Err(refused),
    }
    let access = match what {
        Use::Read => Access::READ,
        Use::Change => Access::WRITE,
    };
    permit(creds, inode, access)
}

fn check_security(creds: &Credentials, inode: &InodeRef, name: &[u8]) -> Result<(), Errno> {
    let allowed = if name == b"capability" {
        let owner = inode.owner()?;
        creds.has_over(owner.uid, owner.gid, Capabilities::SETFCAP)
    } else {
        creds.has_in(&inode.super_block().user(), Capabilities::SYS_ADMIN)
    };
    if allowed { Ok(()) } else { Err(EPERM) }
}

/// Whether listxattr(2) shows a name.
pub(super) fn is_listed(creds: &Credentials, name: &[u8]) -> bool {
    !name.starts_with(b"trusted.") || creds.has(Capabilities::SYS_ADMIN)
}
