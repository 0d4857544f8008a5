//! What a thread has set for itself and its children: priorities, affinity, personality.

/// See the module. Inherited by clone(2) but for what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// -20 (most) to 19.
    pub nice: i32,
    /// SCHED_*, sched(7).
    pub policy: i32,
    /// Run time, deadline and period with SCHED_DEADLINE, nanoseconds.
    pub deadline: [u64; 3],
    /// 1..=99 with SCHED_FIFO and SCHED_RR, else 0.
    pub priority: i32,
    /// SCHED_RESET_ON_FORK.
    pub reset_on_fork: bool,
    /// Processors that it may run on; bit 0 is the first.
    pub affinity: u64,
    /// prctl(PR_SET_TIMERSLACK), nanoseconds.
    pub timer_slack: u64,
    /// What PR_SET_TIMERSLACK with 0 goes back to; inherited as the parent's slack.
    pub default_timer_slack: u64,
    /// ioprio_set(2).
    pub io_priority: u16,
    /// personality(2).
    pub personality: u32,
    /// set_mempolicy(2).
    pub memory_policy: MemoryPolicy,
}

/// Where memory is to come from, as it was asked for: MPOL_* with its flags, and whether
/// node 0, which there is no other of, was named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// Mode and flags.
    pub mode: u32,
    /// The set of nodes is not empty.
    pub names_node: bool,
}

/// Nanoseconds.
const TIMER_SLACK: u64 = 50_000;

/// personality(2): select(2) and its like leave timeouts as they are.
const STICKY_TIMEOUTS: u32 = 0x0400_0000;

impl Settings {
    /// The time that is left is told where the timeout was.
    #[must_use]
    pub fn tells_time_left(&self) -> bool {
        self.personality & STICKY_TIMEOUTS == 0
    }

    /// 0 means the default again.
    pub fn set_timer_slack(&mut self, ns: u64) {
        self.timer_slack = match ns {
            0 => self.default_timer_slack,
            ns => ns,
        };
    }

    /// Those of a first thread on `cpus` processors.
    #[must_use]
    pub fn new(cpus: u32) -> Self {
        Settings {
            nice: 0,
            policy: 0,
            priority: 0,
            deadline: [0; 3],
            reset_on_fork: false,
            affinity: all_cpus(cpus),
            timer_slack: TIMER_SLACK,
            default_timer_slack: TIMER_SLACK,
            io_priority: 0,
            personality: 0,
            memory_policy: MemoryPolicy::default(),
        }
    }

    /// A child's.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut child = *self;
        child.default_timer_slack = self.timer_slack;
        if self.reset_on_fork {
            child.reset_on_fork = false;
            child.policy = 0;
            child.priority = 0;
            child.nice = self.nice.max(0);
        }
        child
    }
}

/// The set of the first `cpus` processors, at most 64.
#[must_use]
pub fn all_cpus(cpus: u32) -> u64 {
    1_u64.checked_shl(cpus).map_or(u64::MAX, |bit| bit - 1)
}
