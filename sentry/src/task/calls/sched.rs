//! Scheduling policies and processors, sched(7). They are kept and told; the host
//! schedules.

use std::sync::Arc;

use syscalls::abi::sched::{
    SCHED_BATCH, SCHED_DEADLINE, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RESET_ON_FORK,
    SCHED_RR, SchedAttr, SchedParam,
};
use syscalls::abi::time::Timespec;
use syscalls::errno::{E2BIG, EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Run, SysResult, UserPtr, call};
use zerocopy::{FromBytes, IntoBytes};

use super::number;
use crate::task::{Capabilities, Current, Resource, Settings, Task, all_cpus};

/// How long a thread of SCHED_RR runs before the next one does, milliseconds.
pub(crate) const DEFAULT_SLICE: i64 = 100;

/// A thread by its number, 0 for the caller; `EINVAL`, `ESRCH`.
fn find(task: &Current, pid: i32) -> Result<Arc<Task>, Errno> {
    match pid {
        0 => Ok(task.task().clone()),
        pid if pid < 0 => Err(EINVAL),
        pid => task.find_task(pid).ok_or(ESRCH),
    }
}

/// As [`find`] for the calls about processors, where no thread has a negative number.
fn find_any(task: &Current, pid: i32) -> Result<Arc<Task>, Errno> {
    if pid < 0 { Err(ESRCH) } else { find(task, pid) }
}

/// Real-time priorities of a policy: lowest and highest; `EINVAL` for no policy.
fn priorities(policy: i32) -> Result<(i32, i32), Errno> {
    match policy {
        SCHED_FIFO | SCHED_RR => Ok((1, 99)),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE => Ok((0, 0)),
        _ => Err(EINVAL),
    }
}

/// `EPERM` unless the caller may schedule the other as its own.
fn may_schedule(task: &Current, other: &Task) -> Result<(), Errno> {
    let (own, theirs) = (task.creds.get(), other.creds.get());
    let same = [theirs.uid.real, theirs.uid.effective].contains(&own.uid.effective);
    if same || own.has_in(&theirs.user, Capabilities::SYS_NICE) {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// sched_setscheduler(2) and sched_setattr(2).
fn set_policy(task: &Current, of: &Task, policy: i32, priority: i32) -> Result<(), Errno> {
    let reset_on_fork = policy & SCHED_RESET_ON_FORK != 0;
    let policy = policy & !SCHED_RESET_ON_FORK;
    let (low, high) = priorities(policy)?;
    if !(low..=high).contains(&priority) {
        return Err(EINVAL);
    }
    may_schedule(task, of)?;
    let old = of.settings();
    if policy == SCHED_DEADLINE && !task.creds.get().has(Capabilities::SYS_NICE) {
        return Err(EPERM);
    }
    if !task.creds.get().has(Capabilities::SYS_NICE) {
        let limit = of.group.limits.soft(Resource::Rtprio);
        let raised = priority > old.priority || policy != old.policy;
        let real_time = high > 0;
        let over = u64::try_from(priority).is_ok_and(|priority| priority > limit);
        let leaves_idle = old.policy == SCHED_IDLE && policy != SCHED_IDLE;
        if (real_time && raised && over) || (old.reset_on_fork && !reset_on_fork) || leaves_idle {
            return Err(EPERM);
        }
    }
    of.change_settings(|settings| {
        settings.policy = policy;
        settings.priority = priority;
        settings.reset_on_fork = reset_on_fork;
    });
    Ok(())
}

fn shown_policy(settings: &Settings) -> i32 {
    let flag = if settings.reset_on_fork {
        SCHED_RESET_ON_FORK
    } else {
        0
    };
    settings.policy | flag
}

impl Run<Current> for call::SchedSetscheduler {
    fn run(self, task: &mut Current) -> SysResult {
        // A deadline takes more than a priority.
        if self.policy < 0 || self.policy & !SCHED_RESET_ON_FORK == SCHED_DEADLINE {
            return Err(EINVAL.into());
        }
        let param = task.mem().read(self.param)?;
        let of = find(task, self.pid)?;
        set_policy(task, &of, self.policy, param.priority)?;
        Ok(0)
    }
}

impl Run<Current> for call::SchedGetscheduler {
    fn run(self, task: &mut Current) -> SysResult {
        number(shown_policy(&find(task, self.pid)?.settings()))
    }
}

impl Run<Current> for call::SchedSetparam {
    fn run(self, task: &mut Current) -> SysResult {
        if self.param.is_null() || self.pid < 0 {
            return Err(EINVAL.into());
        }
        let param = task.mem().read(self.param)?;
        let of = find(task, self.pid)?;
        let policy = shown_policy(&of.settings());
        set_policy(task, &of, policy, param.priority)?;
        Ok(0)
    }
}

impl Run<Current> for call::SchedGetparam {
    fn run(self, task: &mut Current) -> SysResult {
        if self.param.is_null() || self.pid < 0 {
            return Err(EINVAL.into());
        }
        let priority = find(task, self.pid)?.settings().priority;
        task.mem().write(self.param, &SchedParam { priority })?;
        Ok(0)
    }
}

impl Run<Current> for call::SchedGetPriorityMax {
    fn run(self, _: &mut Current) -> SysResult {
        number(priorities(self.policy)?.1)
    }
}

impl Run<Current> for call::SchedGetPriorityMin {
    fn run(self, _: &mut Current) -> SysResult {
        number(priorities(self.policy)?.0)
    }
}

impl Run<Current> for call::SchedRrGetInterval {
    fn run(self, task: &mut Current) -> SysResult {
        /// Of the normal policy, as Linux has it; nanoseconds.
        const NORMAL: i64 = 3_000_000;
        let sysctls = &task.kernel.sysctls;
        let slice = sysctls.number("kernel.sched_rr_timeslice_ms", DEFAULT_SLICE);
        let ns = match find(task, self.pid)?.settings().policy {
            SCHED_FIFO => 0,
            SCHED_RR => slice.saturating_mul(1_000_000),
            _ => NORMAL,
        };
        let (sec, nsec) = (ns / 1_000_000_000, ns % 1_000_000_000);
        task.mem().write(self.tp, &Timespec { sec, nsec })?;
        Ok(0)
    }
}

impl Run<Current> for call::SchedSetattr {
    fn run(self, task: &mut Current) -> SysResult {
        /// SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS.
        const RESET_ON_FORK: u64 = 1;
        const KEEP_POLICY: u64 = 8;
        const KEEP_PARAMS: u64 = 16;
        if self.pid < 0 || self.attr.is_null() {
            return Err(EINVAL.into());
        }
        let attr = read_attr(task, self.attr)?;
        if attr.flags & !(RESET_ON_FORK | KEEP_POLICY | KEEP_PARAMS) != 0 {
            return Err(EINVAL.into());
        }
        let by_deadline = attr.policy.cast_signed() == SCHED_DEADLINE;
        if by_deadline && !deadline_fits(&attr) {
            return Err(EINVAL.into());
        }
        let of = find(task, self.pid)?;
        let old = of.settings();
        let mut policy = if attr.flags & KEEP_POLICY != 0 {
            old.policy
        } else {
            i32::try_from(attr.policy).map_err(|_| EINVAL)?
        };
        if attr.flags & RESET_ON_FORK != 0 {
            policy |= SCHED_RESET_ON_FORK;
        }
        let keep = attr.flags & KEEP_PARAMS != 0;
        let priority = if keep {
            old.priority
        } else {
            i32::try_from(attr.priority).map_err(|_| EINVAL)?
        };
        if !keep {
            let nice = attr.nice.clamp(-20, 19);
            super::priority::check_nice(task, &of, nice).map_err(|_| EPERM)?;
        }
        set_policy(task, &of, policy, priority)?;
        if !keep {
            of.change_settings(|settings| {
                settings.nice = attr.nice.clamp(-20, 19);
                settings.deadline = [attr.runtime, attr.deadline, attr.period];
            });
        }
        Ok(0)
    }
}

/// The times of SCHED_DEADLINE, nanoseconds, as sched(7) has them. They are kept and told:
/// nobody here can promise them.
fn deadline_fits(attr: &SchedAttr) -> bool {
    const LEAST: u64 = 1024;
    let ordered =
        attr.runtime <= attr.deadline && (attr.period == 0 || attr.deadline <= attr.period);
    let small = attr.deadline.max(attr.period) < 1 << 63;
    attr.runtime >= LEAST && ordered && small
}

/// The structure, of whatever version; `E2BIG` with its size written for one too large.
fn read_attr(task: &Current, at: UserPtr<SchedAttr>) -> Result<SchedAttr, Errno> {
    const FIRST: u32 = syscalls::abi::sched::SCHED_ATTR_SIZE_VER0;
    const OURS: usize = size_of::<SchedAttr>();
    let size: u32 = task.mem().read(at.addr().cast())?;
    let size = if size == 0 { FIRST } else { size };
    let too_big = || {
        let ours = u32::try_from(OURS).unwrap_or(FIRST);
        task.mem()
            .write(at.addr().cast(), &ours)
            .err()
            .unwrap_or(E2BIG)
    };
    if !(FIRST..=4096).contains(&size) {
        return Err(too_big());
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| E2BIG)?];
    task.mem().read_bytes(at.addr(), &mut bytes)?;
    if bytes.iter().skip(OURS).any(|&byte| byte != 0) {
        return Err(too_big());
    }
    bytes.resize(OURS, 0);
    SchedAttr::read_from_bytes(&bytes).map_err(|_| EINVAL)
}

impl Run<Current> for call::SchedGetattr {
    fn run(self, task: &mut Current) -> SysResult {
        let size = usize::try_from(self.size).map_err(|_| EINVAL)?;
        if self.pid < 0 || !(48..=4096).contains(&size) || self.attr.is_null() {
            return Err(EINVAL.into());
        }
        let settings = find(task, self.pid)?.settings();
        let len = size.min(size_of::<SchedAttr>());
        let [runtime, deadline, period] = match settings.policy {
            SCHED_DEADLINE => settings.deadline,
            _ => [0; 3],
        };
        let attr = SchedAttr {
            size: u32::try_from(len).map_err(|_| EINVAL)?,
            policy: settings.policy.cast_unsigned(),
            flags: u64::from(settings.reset_on_fork),
            nice: if settings.priority > 0 {
                0
            } else {
                settings.nice
            },
            priority: settings.priority.cast_unsigned(),
            runtime,
            deadline,
            period,
            util_max: 1024,
            ..SchedAttr::default()
        };
        let bytes = attr.as_bytes().get(..len).ok_or(EINVAL)?;
        task.mem().write_bytes(self.attr.addr(), bytes)?;
        Ok(0)
    }
}

impl Run<Current> for call::SchedSetaffinity {
    fn run(self, task: &mut Current) -> SysResult {
        let len = usize::try_from(self.cpusetsize).map_err(|_| EINVAL)?;
        let mut mask = [0; size_of::<u64>()];
        let used = len.min(mask.len());
        let read = mask.get_mut(..used).ok_or(EINVAL)?;
        task.mem().read_bytes(self.mask.addr(), read)?;
        let of = find_any(task, self.pid)?;
        may_schedule(task, &of)?;
        let mask = u64::from_le_bytes(mask) & all_cpus(task.kernel.cpus());
        if mask == 0 {
            return Err(EINVAL.into());
        }
        of.change_settings(|settings| settings.affinity = mask);
        of.kick();
        Ok(0)
    }
}

impl Run<Current> for call::SchedGetaffinity {
    fn run(self, task: &mut Current) -> SysResult {
        let len = usize::try_from(self.cpusetsize).map_err(|_| EINVAL)?;
        let cpus = usize::try_from(task.kernel.cpus()).map_err(|_| EINVAL)?;
        if len * 8 < cpus || len % size_of::<u64>() != 0 {
            return Err(EINVAL.into());
        }
        let mask = find_any(task, self.pid)?.settings().affinity;
        task.mem().write(self.mask.addr().cast(), &mask)?;
        Ok(size_of::<u64>() as u64)
    }
}

impl Run<Current> for call::SchedYield {
    fn run(self, _: &mut Current) -> SysResult {
        std::thread::yield_now();
        Ok(0)
    }
}

impl Run<Current> for call::Getcpu {
    fn run(self, task: &mut Current) -> SysResult {
        let cpu = task.kernel.current_cpu();
        if let Some(at) = self.cpu.non_null() {
            task.mem().write(at, &cpu)?;
        }
        if let Some(at) = self.node.non_null() {
            task.mem().write(at, &0)?;
        }
        Ok(0)
    }
}
