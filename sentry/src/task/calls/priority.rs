//! getpriority(2) and ioprio_get(2).

use std::sync::Arc;

use syscalls::abi::sched::{
    IOPRIO_WHO_PGRP, IOPRIO_WHO_PROCESS, IOPRIO_WHO_USER, PRIO_PGRP, PRIO_PROCESS, PRIO_USER,
};
use syscalls::errno::{EACCES, EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Run, SysResult, call};

use super::number;
use crate::task::{Capabilities, Current, Resource, Task};

/// What "which" and "who" mean.
#[derive(Clone, Copy)]
enum Whose {
    Thread,
    ProcessGroup,
    User,
}

impl Whose {
    fn of_nice(which: i32) -> Result<Self, Errno> {
        match which {
            PRIO_PROCESS => Ok(Whose::Thread),
            PRIO_PGRP => Ok(Whose::ProcessGroup),
            PRIO_USER => Ok(Whose::User),
            _ => Err(EINVAL),
        }
    }

    fn of_io(which: i32) -> Result<Self, Errno> {
        match which {
            IOPRIO_WHO_PROCESS => Ok(Whose::Thread),
            IOPRIO_WHO_PGRP => Ok(Whose::ProcessGroup),
            IOPRIO_WHO_USER => Ok(Whose::User),
            _ => Err(EINVAL),
        }
    }

    /// The threads that are meant; `ESRCH` if there are none.
    fn find(self, task: &Current, who: i32) -> Result<Vec<Arc<Task>>, Errno> {
        let pids = &task.kernel.pids;
        let all = || pids.groups().into_iter();
        let found: Vec<_> = match self {
            Whose::Thread if who == 0 => vec![task.task().clone()],
            Whose::Thread => task.find_task(who).into_iter().collect(),
            Whose::ProcessGroup => {
                let pgid = if who == 0 {
                    task.group.pgid()
                } else {
                    task.resolve(who).ok_or(ESRCH)?
                };
                let members = all().filter(|group| group.pgid() == pgid);
                members.flat_map(|group| group.threads()).collect()
            }
            Whose::User => {
                let uid = if who == 0 {
                    task.creds.get().uid.real
                } else {
                    let uid = who.cast_unsigned();
                    task.creds.get().user.kernel_uid(uid).ok_or(ESRCH)?
                };
                let theirs = |task: &Arc<Task>| task.creds.get().uid.real == uid;
                all()
                    .flat_map(|group| group.threads())
                    .filter(theirs)
                    .collect()
            }
        };
        if found.is_empty() {
            Err(ESRCH)
        } else {
            Ok(found)
        }
    }
}

/// Whether the caller may give `of` that nice value: `EPERM` for another's, `EACCES` for
/// more than RLIMIT_NICE allows.
pub(super) fn check_nice(task: &Current, of: &Task, nice: i32) -> Result<(), Errno> {
    let (own, theirs) = (task.creds.get(), of.creds.get());
    let privileged = own.has(Capabilities::SYS_NICE);
    let same = [theirs.uid.real, theirs.uid.effective].contains(&own.uid.effective);
    if !same && !own.has_in(&theirs.user, Capabilities::SYS_NICE) {
        return Err(EPERM);
    }
    let wanted = u64::try_from(20 - nice).unwrap_or(0);
    let raises = nice < of.settings().nice;
    if raises && wanted > of.group.limits.soft(Resource::Nice) && !privileged {
        return Err(EACCES);
    }
    Ok(())
}

impl Run<Current> for call::Getpriority {
    fn run(self, task: &mut Current) -> SysResult {
        let found = Whose::of_nice(self.which)?.find(task, self.who)?;
        // 1..=40, so that no result looks like an error.
        let best = found.iter().map(|task| 20 - task.settings().nice).max();
        number(best.unwrap_or(0))
    }
}

impl Run<Current> for call::Setpriority {
    fn run(self, task: &mut Current) -> SysResult {
        let whose = Whose::of_nice(self.which)?;
        let nice = self.prio.clamp(-20, 19);
        let mut result = Ok(0);
        for of in whose.find(task, self.who)? {
            match check_nice(task, &of, nice) {
                Ok(()) => of.change_settings(|settings| settings.nice = nice),
                Err(error) => result = Err(error.into()),
            }
        }
        result
    }
}

impl Run<Current> for call::IoprioGet {
    fn run(self, task: &mut Current) -> SysResult {
        let found = Whose::of_io(self.which)?.find(task, self.who)?;
        // The best: the lowest number of those that are set.
        let all = found.iter().map(|task| task.settings().io_priority);
        Ok(u64::from(all.min().unwrap_or(0)))
    }
}

impl Run<Current> for call::IoprioSet {
    fn run(self, task: &mut Current) -> SysResult {
        /// Where the class stands, above the level.
        const CLASS_SHIFT: i32 = 13;
        /// IOPRIO_CLASS_NONE, RT, BE, IDLE.
        const NONE: i32 = 0;
        const REAL_TIME: i32 = 1;
        const BEST_EFFORT: i32 = 2;
        const IDLE: i32 = 3;
        let level = self.ioprio & ((1 << CLASS_SHIFT) - 1);
        let creds = task.creds.get();
        match self.ioprio >> CLASS_SHIFT {
            REAL_TIME
                if !creds.has(Capabilities::SYS_NICE) && !creds.has(Capabilities::SYS_ADMIN) =>
            {
                return Err(EPERM.into());
            }
            REAL_TIME | BEST_EFFORT if level < 8 => {}
            IDLE => {}
            NONE if level == 0 => {}
            _ => return Err(EINVAL.into()),
        }
        let io_priority = u16::try_from(self.ioprio).map_err(|_| EINVAL)?;
        let found = Whose::of_io(self.which)?.find(task, self.who)?;
        for of in found {
            let theirs = of.creds.get();
            let same = [creds.uid.real, creds.uid.effective].contains(&theirs.uid.real);
            if !same && !creds.has_in(&theirs.user, Capabilities::SYS_NICE) {
                return Err(EPERM.into());
            }
            of.change_settings(|settings| settings.io_priority = io_priority);
        }
        Ok(0)
    }
}
