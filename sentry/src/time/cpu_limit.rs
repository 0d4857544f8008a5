//! RLIMIT_CPU, getrlimit(2): a process that has used the seconds of its soft limit gets
//! SIGXCPU, again after each further second, and SIGKILL at the hard limit.

use std::sync::{Arc, Weak};

use syscalls::abi::sched::{RLIM_INFINITY, Rlimit};
use syscalls::abi::signal::Siginfo;

use super::account;
use super::itimer::{CpuTime, Which};
use super::timer::{Strike, TimeSource, Timer};
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::task::{Resource, ThreadGroup};

const SECOND: u64 = 1_000_000_000;

struct Overdrawn(Weak<Kernel>, Weak<ThreadGroup>);

/// Has the limit of `group` obeyed from now on; called whenever it is new.
pub(crate) fn enforce(kernel: &Arc<Kernel>, group: &Arc<ThreadGroup>) {
    let limit = group.limits.get(Resource::Cpu);
    if limit.cur == RLIM_INFINITY && limit.max == RLIM_INFINITY && !group.timers.has_limit() {
        return;
    }
    let weak = Arc::downgrade(group);
    let timer = group.timers.limit(|| {
        let source: Box<dyn TimeSource> = Box::new(CpuTime::new(weak.clone(), Which::Prof));
        let strike = Overdrawn(Arc::downgrade(kernel), weak);
        Timer::new(&kernel.alarms, source, Box::new(strike))
    });
    timer.set(next(limit), 0);
}

/// When the process has used so much that something is due, nanoseconds.
fn next(limit: Rlimit) -> Option<u64> {
    let seconds = limit.cur.min(limit.max);
    (seconds != RLIM_INFINITY).then(|| seconds.saturating_mul(SECOND))
}

impl Strike for Overdrawn {
    fn strike(&self, _: u64) {
        let (Some(kernel), Some(group)) = (self.0.upgrade(), self.1.upgrade()) else {
            return;
        };
        let (_, used) = account::process(&group);
        let seconds = used / SECOND;
        let due = group.limits.update(Resource::Cpu, |limit| {
            let cur = if seconds >= limit.cur {
                seconds.saturating_add(1)
            } else {
                limit.cur
            };
            Ok(Rlimit { cur, ..limit })
        });
        let Ok(limit) = due else { return };
        let signal = if seconds >= limit.max {
            Signal::KILL
        } else if seconds >= limit.cur {
            Signal::XCPU
        } else {
            return enforce(&kernel, &group);
        };
        // A standard signal that is pending already swallows this one.
        let _ = account::signal(&self.0, &self.1, &Siginfo::kernel(signal.raw()));
        if signal != Signal::KILL {
            enforce(&kernel, &group);
        }
    }
}
