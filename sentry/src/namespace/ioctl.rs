//! Questions to a name space, ioctl_ns(2).

use syscalls::abi::fs::{FIONREAD, OpenFlags};
use syscalls::errno::{EINVAL, ENOTTY, EPERM};
use syscalls::{Errno, SysResult, UserAddr};

use super::{Namespace, UserNamespace, nsfs};
use crate::fd::CloseOnExec;
use crate::task::{Current, PidNamespace};
use crate::vfs::open::Opening;

const NS_GET_USERNS: u32 = 0xb701;
const NS_GET_PARENT: u32 = 0xb702;
const NS_GET_NSTYPE: u32 = 0xb703;
const NS_GET_OWNER_UID: u32 = 0xb704;

pub(super) fn perform(
    task: &Current,
    namespace: &Namespace,
    command: u32,
    argument: u64,
) -> SysResult {
    let kind = namespace.kind();
    let at = UserAddr::new(argument);
    match command {
        NS_GET_USERNS => {
            let owner = namespace.owner().ok_or(EPERM)?;
            if !owner.is_within(&task.creds.get().user) {
                return Err(EPERM.into());
            }
            open(task, Namespace::User(owner))
        }
        NS_GET_PARENT => open(task, parent(task, namespace)?),
        NS_GET_NSTYPE => Ok(kind.flag().bits()),
        NS_GET_OWNER_UID => {
            let Namespace::User(user) = namespace else {
                return Err(EINVAL.into());
            };
            let owner = task.creds.get().user.shown_uid(user.owner());
            task.mem().write(at.cast(), &owner)?;
            Ok(0)
        }
        // As every regular file, an empty one.
        FIONREAD => {
            task.mem().write(at.cast(), &0i32)?;
            Ok(0)
        }
        _ => Err(ENOTTY.into()),
    }
}

/// What a name space lies in; `EINVAL` for kinds that lie in nothing, `EPERM` for what the
/// caller does not see.
fn parent(task: &Current, namespace: &Namespace) -> Result<Namespace, Errno> {
    match namespace {
        Namespace::Pid(pids) => {
            let seen =
                |parent: &&std::sync::Arc<PidNamespace>| parent.is_within(task.pid_namespace());
            let parent = pids.parent().filter(seen).ok_or(EPERM)?;
            Ok(Namespace::Pid(parent.clone()))
        }
        Namespace::User(user) => {
            let own = task.creds.get();
            let seen = |parent: &&UserNamespace| parent.is_within(&own.user);
            let parent = user.parent().filter(seen).ok_or(EPERM)?;
            Ok(Namespace::User(parent.clone()))
        }
        _ => Err(EINVAL),
    }
}

/// A new descriptor of a name space.
pub(crate) fn open(task: &Current, namespace: Namespace) -> SysResult {
    let (at, _) = nsfs::location(namespace);
    let reservation = task.reserve_fd()?;
    let file = task.open_here(at, &Opening::lenient(OpenFlags::empty(), 0)?)?;
    let fd = reservation.fill(file, CloseOnExec::Yes);
    Ok(u64::from(fd.0.cast_unsigned()))
}
