//! Entering name spaces, setns(2).
//!
//! All that is asked for is checked before the task enters anything.

use std::sync::Arc;

use syscalls::abi::sched::CloneFlags;
use syscalls::errno::{EINVAL, EPERM, ESRCH, EUSERS};
use syscalls::{Errno, Run, SysResult, call};

use super::{Kind, Namespace, UserNamespace, nsfs};
use crate::task::{Capabilities, Current, Task, process_of_pidfd};

/// In the order of Linux.
const KINDS: [Kind; 8] = [
    Kind::User,
    Kind::Mount,
    Kind::Uts,
    Kind::Ipc,
    Kind::Pid,
    Kind::Cgroup,
    Kind::Net,
    Kind::Time,
];

impl Run<Current> for call::Setns {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        let flags = CloneFlags::from_bits(self.nstype.into());
        let wanted = if let Some(namespace) = nsfs::namespace_of(&file) {
            let kind = namespace.kind().flag();
            if self.nstype != 0 && flags != Some(kind) {
                return Err(EINVAL.into());
            }
            vec![namespace]
        } else {
            let group = process_of_pidfd(&file).map_err(|_| EINVAL)?;
            let flags = flags.filter(|flags| !flags.is_empty()).ok_or(EINVAL)?;
            let known = KINDS.iter().map(|kind| kind.flag());
            if !known
                .fold(CloneFlags::empty(), |all, flag| all | flag)
                .contains(flags)
            {
                return Err(EINVAL.into());
            }
            let other = group.leader().filter(|_| !group.has_ended()).ok_or(ESRCH)?;
            if !task.may_inspect(&other) {
                return Err(EPERM.into());
            }
            let kinds = KINDS.into_iter().filter(|kind| flags.contains(kind.flag()));
            kinds.map(|kind| of_task(&other, kind)).collect()
        };
        // Who enters a user name space is privileged there from then on.
        let old = task.creds.get();
        let user = wanted.iter().find_map(|namespace| match namespace {
            Namespace::User(user) => Some(user.clone()),
            _ => None,
        });
        let user = user.unwrap_or_else(|| old.user.clone());
        for namespace in &wanted {
            check(task, namespace, &user)?;
        }
        for namespace in wanted {
            enter(task, namespace);
        }
        Ok(0)
    }
}

/// The name space of a kind that a task is in.
pub(crate) fn of_task(task: &Task, kind: Kind) -> Namespace {
    match kind {
        Kind::Ipc => Namespace::Ipc(task.ipc.get()),
        Kind::Mount => Namespace::Mount(task.fs.get().mounts.get()),
        Kind::Pid => Namespace::Pid(task.pid_namespace().clone()),
        Kind::Uts => Namespace::Uts(task.uts.get()),
        Kind::Net => Namespace::Net(task.net.get()),
        Kind::User => Namespace::User(task.creds.get().user.clone()),
        Kind::Cgroup => Namespace::Cgroup(task.cgroups.get()),
        Kind::Time => Namespace::Only(kind),
    }
}

/// `EINVAL` if others have the same root and working directory.
fn check_own_directory(task: &Current) -> Result<(), Errno> {
    /// The task's own reference and the one looked at.
    const OWN_USES: usize = 2;
    if Arc::strong_count(&task.fs.get()) > OWN_USES {
        return Err(EINVAL.why("others have the same root and working directory"));
    }
    Ok(())
}

/// Whether `task`, which acts in `user` from then on, may enter a name space.
fn check(task: &Current, namespace: &Namespace, user: &UserNamespace) -> Result<(), Errno> {
    let creds = task.creds.get();
    let privileged = || {
        let owner = namespace.owner().ok_or(EPERM)?;
        let admin = Capabilities::SYS_ADMIN;
        if creds.has_in(&owner, admin) && creds.has_in(user, admin) {
            Ok(())
        } else {
            Err(EPERM)
        }
    };
    match namespace {
        Namespace::User(wanted) => {
            if *wanted == creds.user || task.group.thread_count() > 1 {
                return Err(EINVAL);
            }
            check_own_directory(task)?;
            if creds.has_in(wanted, Capabilities::SYS_ADMIN) {
                Ok(())
            } else {
                Err(EPERM)
            }
        }
        Namespace::Mount(_) => {
            privileged()?;
            if !creds.has_in(user, Capabilities::SYS_CHROOT) {
                return Err(EPERM);
            }
            check_own_directory(task)
        }
        Namespace::Pid(pids) => {
            privileged()?;
            if pids.is_within(task.pid_namespace()) {
                Ok(())
            } else {
                Err(EINVAL.why("the pid name space does not lie in the caller's"))
            }
        }
        Namespace::Cgroup(_) | Namespace::Ipc(_) | Namespace::Net(_) | Namespace::Uts(_) => {
            privileged()
        }
        Namespace::Only(Kind::Time) => {
            if task.group.thread_count() > 1 {
                return Err(EUSERS);
            }
            privileged()
        }
        Namespace::Only(_) => Err(EINVAL),
    }
}

fn enter(task: &Current, namespace: Namespace) {
    match namespace {
        Namespace::Mount(mounts) => {
            let fs = task.fs.get();
            let root = mounts.root().root_location().topmost();
            fs.root.set(root.clone());
            fs.cwd.set(root);
            fs.mounts.set(mounts);
        }
        Namespace::Pid(pids) => drop(task.pid_for_children.set(pids)),
        Namespace::Ipc(ipc) => {
            task.leave_undo_list();
            task.ipc.set(ipc);
        }
        Namespace::Cgroup(cgroups) => drop(task.cgroups.set(cgroups)),
        Namespace::Net(net) => drop(task.net.set(net)),
        Namespace::Uts(uts) => drop(task.uts.set(uts)),
        Namespace::User(user) => {
            let creds = task.creds.get().entering(user);
            task.set_credentials(creds);
        }
        // It is there already.
        Namespace::Only(_) => {}
    }
}
