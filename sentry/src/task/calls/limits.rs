//! Resource limits, getrlimit(2), and what was used, getrusage(2).

use std::sync::Arc;

use syscalls::abi::sched::{RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD, Rlimit};
use syscalls::abi::time::Tms;
use syscalls::errno::{EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Run, SysResult, call};

use crate::task::{Capabilities, Current, MAX_OPEN, NS_PER_TICK, Resource, ThreadGroup};
use crate::time::{cpu_limit, now_monotonic};

impl Current {
    fn set_limit(
        &self,
        group: &Arc<ThreadGroup>,
        resource: Resource,
        new: Rlimit,
    ) -> Result<Rlimit, Errno> {
        let privileged = self.creds.get().has(Capabilities::SYS_RESOURCE);
        let most = self.kernel.sysctls.number("fs.nr_open", MAX_OPEN);
        let old = group.limits.update(resource, |old| {
            if new.cur > new.max {
                return Err(EINVAL);
            }
            let too_many = resource == Resource::Nofile && new.max > most.unsigned_abs();
            if too_many || (new.max > old.max && !privileged) {
                return Err(EPERM);
            }
            Ok(new)
        })?;
        group.limits_changed();
        if resource == Resource::Cpu {
            cpu_limit::enforce(&self.kernel, group);
        }
        Ok(old)
    }

    /// Whose limits prlimit(2) is about; `EPERM` unless the users and groups are the same.
    fn limited_process(&self, pid: i32) -> Result<Arc<ThreadGroup>, Errno> {
        if pid == 0 {
            return Ok(self.group.clone());
        }
        let task = self.find_task(pid).ok_or(ESRCH)?;
        if !Arc::ptr_eq(&task.group, &self.group) {
            let (own, other) = (self.creds.get(), task.creds.get());
            let all = |ids: crate::task::UserIds, id: u32| {
                [ids.real, ids.effective, ids.saved]
                    .iter()
                    .all(|&i| i == id)
            };
            let same = all(other.uid, own.uid.real) && all(other.gid, own.gid.real);
            if !same && !own.has_in(&other.user, Capabilities::SYS_RESOURCE) {
                return Err(EPERM);
            }
        }
        Ok(task.group.clone())
    }
}

impl ThreadGroup {
    /// Tells the memory of its limits.
    fn limits_changed(&self) {
        if let Some(leader) = self.threads().first()
            && let Some(mm) = leader.mm.get()
        {
            mm.set_limits(self.limits.to_mm(&leader.creds.get()));
        }
    }
}

impl Run<Current> for call::Getrlimit {
    fn run(self, task: &mut Current) -> SysResult {
        let limit = task.group.limits.get(Resource::new(self.resource)?);
        task.mem().write(self.rlim, &limit)?;
        Ok(0)
    }
}

impl Run<Current> for call::Setrlimit {
    fn run(self, task: &mut Current) -> SysResult {
        let new = task.mem().read(self.rlim)?;
        let resource = Resource::new(self.resource)?;
        task.set_limit(&task.group.clone(), resource, new)?;
        Ok(0)
    }
}

impl Run<Current> for call::Prlimit64 {
    fn run(self, task: &mut Current) -> SysResult {
        let resource = Resource::new(self.resource)?;
        let new = match self.new_limit.non_null() {
            Some(at) => Some(task.mem().read(at)?),
            None => None,
        };
        let group = task.limited_process(self.pid)?;
        let old = match new {
            Some(new) => task.set_limit(&group, resource, new)?,
            None => group.limits.get(resource),
        };
        if let Some(at) = self.old_limit.non_null() {
            task.mem().write(at, &old)?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::Getrusage {
    fn run(self, task: &mut Current) -> SysResult {
        let usage = match self.who {
            RUSAGE_SELF => task.group.usage(),
            RUSAGE_CHILDREN => task.group.children_usage(),
            RUSAGE_THREAD => task.usage(),
            _ => return Err(EINVAL.into()),
        };
        task.mem().write(self.usage, &usage.to_abi())?;
        Ok(0)
    }
}

impl Run<Current> for call::Times {
    fn run(self, task: &mut Current) -> SysResult {
        if let Some(at) = self.buf.non_null() {
            let (utime, stime) = task.group.usage().ticks();
            let (cutime, cstime) = task.group.children_usage().ticks();
            let times = Tms {
                utime,
                stime,
                cutime,
                cstime,
            };
            task.mem().write(at, &times)?;
        }
        Ok(now_monotonic() / NS_PER_TICK)
    }
}
