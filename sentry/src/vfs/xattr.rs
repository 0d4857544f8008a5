//! Extended attributes: who may see and change which, xattr(7).

use syscalls::Errno;
use syscalls::errno::{ENODATA, EOPNOTSUPP, EPERM};

use super::access::{Access, acts_as_owner, permit};
use super::{FileKind, InodeRef, Mode};
use crate::task::{Capabilities, Credentials};

/// What is done with an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Change,
}

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
            Use::Change => check_security(creds, rest),
        };
    }
    if name.starts_with(b"system.") {
        return match what {
            Use::Read => Ok(()),
            Use::Change if acts_as_owner(creds, inode.owner()?.uid) => Ok(()),
            Use::Change => Err(EPERM),
        };
    }
    if !name.starts_with(b"user.") {
        return Err(EOPNOTSUPP);
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

fn check_security(creds: &Credentials, name: &[u8]) -> Result<(), Errno> {
    let needed = if name == b"capability" {
        Capabilities::SETFCAP
    } else {
        Capabilities::SYS_ADMIN
    };
    if creds.has(needed) {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// Whether listxattr(2) shows a name.
pub(super) fn is_listed(creds: &Credentials, name: &[u8]) -> bool {
    !name.starts_with(b"trusted.") || creds.has(Capabilities::SYS_ADMIN)
}
