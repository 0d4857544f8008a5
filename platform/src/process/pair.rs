//! Keeping a busy tracer and its task on one CPU.
//!
//! A system call is two wakeups. On one CPU they cost some 10 µs together; where the
//! scheduler spreads the two over idle CPUs, which it likes to do, 50 to 100 µs on virtual
//! machines. So a pair that makes many calls is bound to the CPU where its tracer is. But
//! bound tasks cannot be moved to an idle CPU, and the task may stop making calls and
//! compute: so a bond lasts some [`LEASE`] and then has to be earned again. A new task
//! makes many calls and faults before it comes to its work, and starts out with a bond for
//! a [`START`]. A thread of its own dissolves them; it sleeps while there are none.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::{Pid, gettid};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::host::placement::{self, run_anywhere};

/// How long a bond lasts.
const LEASE: Duration = Duration::from_millis(40);
/// How long the first one does.
const START: Duration = Duration::from_millis(3);
/// This many switches …
const BUSY_SWITCHES: u32 = 8;
/// … within this time make a pair busy.
const BUSY_TIME: Duration = Duration::from_millis(2);

/// All pairs of a platform.
pub(crate) struct Pairs {
    /// Where we may run at all.
    everywhere: CpuSet,
    bonds: Arc<Bonds>,
    thread: OnceLock<()>,
}

/// The bonds that there are.
struct Bonds {
    list: Mutex<List>,
    changed: Condvar,
}

struct List {
    /// Each with the time when it ends.
    bonds: Vec<(Instant, Arc<Bond>)>,
    /// When the thread will look, if it is awake at all.
    next_look: Option<Instant>,
    /// The platform is gone.
    closed: bool,
}

/// What binds a tracer and its task to CPUs; `None` once it is dissolved.
type Bond = Mutex<Option<Members>>;

#[derive(Clone, Copy)]
struct Members {
    tracer: Pid,
    task: Pid,
    /// Where they may be without the bond.
    home: CpuSet,
}

/// A tracer's own view.
pub(crate) struct Pair {
    pairs: Arc<Pairs>,
    /// Where the two may be.
    home: CpuSet,
    bond: Option<Arc<Bond>>,
    switches: u32,
    since: Instant,
}

impl Pairs {
    /// `None` where there is but one CPU.
    pub(crate) fn new() -> Option<Arc<Self>> {
        let everywhere = placement::everywhere()?;
        if members(&everywhere).count() < 2 {
            return None;
        }
        let list = List {
            bonds: Vec::new(),
            next_look: None,
            closed: false,
        };
        let bonds = Bonds {
            list: Mutex::new(list),
            changed: Condvar::new(),
        };
        Some(Arc::new(Pairs {
            everywhere,
            bonds: Arc::new(bonds),
            thread: OnceLock::new(),
        }))
    }

    /// How many CPUs there are, at least 2.
    pub(crate) fn cpus(&self) -> usize {
        members(&self.everywhere).count()
    }

    /// Adds a bond, and the thread that will dissolve it.
    fn add(&self, bond: &Arc<Bond>, lease: Duration) {
        self.thread.get_or_init(|| {
            let bonds = Arc::clone(&self.bonds);
            let builder = std::thread::Builder::new().name("bonds".to_owned());
            // Without the thread, bonds are for ever: not nice, but no error.
            let _ = builder.stack_size(64 << 10).spawn(move || {
                run_anywhere();
                bonds.serve();
            });
        });
        let end = Instant::now() + lease;
        let mut list = self.bonds.list.lock();
        list.bonds.push((end, Arc::clone(bond)));
        if list.next_look.is_none_or(|at| at > end) {
            // Once is enough.
            list.next_look = Some(end);
            self.bonds.changed.notify_one();
        }
    }
}

/// The CPUs of a set.
fn members(set: &CpuSet) -> impl Iterator<Item = usize> {
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true))
}

impl Drop for Pairs {
    fn drop(&mut self) {
        self.bonds.list.lock().closed = true;
        self.bonds.changed.notify_one();
    }
}

impl Bonds {
    /// Dissolves bonds when their time has come, until the platform is gone.
    fn serve(&self) {
        let mut list = self.list.lock();
        while !list.closed {
            let now = Instant::now();
            let all = std::mem::take(&mut list.bonds);
            let (over, lasting) = all.into_iter().partition(|(end, _)| *end <= now);
            list.bonds = lasting;
            let over: Vec<(Instant, Arc<Bond>)> = over;
            if !over.is_empty() {
                MutexGuard::unlocked(&mut list, || {
                    over.iter().for_each(|(_, bond)| self.dissolve(bond));
                });
                continue;
            }
            list.next_look = list.bonds.iter().map(|(end, _)| *end).min();
            match list.next_look {
                Some(end) => {
                    self.changed.wait_until(&mut list, end);
                }
                None => self.changed.wait(&mut list),
            }
        }
    }

    fn dissolve(&self, bond: &Bond) {
        let mut members = bond.lock();
        // As long as the members stand there, neither has ended.
        if let Some(Members { tracer, task, home }) = members.take() {
            let _ = sched_setaffinity(task, &home);
            let _ = sched_setaffinity(tracer, &home);
        }
    }
}

impl Pair {
    /// For this thread. It may have been started by a bound one; that ends with its own first
    /// bond.
    pub(crate) fn new(pairs: &Arc<Pairs>) -> Self {
        Pair {
            pairs: Arc::clone(pairs),
            home: pairs.everywhere,
            bond: None,
            switches: 0,
            since: Instant::now(),
        }
    }

    /// To be called for a new `task`, which is on this thread's CPU.
    pub(crate) fn start(&mut self, task: Pid) {
        self.part();
        self.bind(task, START);
    }

    /// To be called at each switch to `task`.
    pub(crate) fn switch(&mut self, task: Pid) {
        self.switches += 1;
        if self.switches < BUSY_SWITCHES {
            return;
        }
        self.switches = 0;
        let bound = self.bond.as_ref().is_some_and(|bond| bond.lock().is_some());
        let now = Instant::now();
        if !bound && now - self.since < BUSY_TIME {
            self.bind(task, LEASE);
        }
        self.since = now;
    }

    fn bind(&mut self, task: Pid, lease: Duration) {
        let mut here = CpuSet::new();
        let cpu = self.own_cpu().and_then(|cpu| here.set(cpu));
        let tracer = gettid();
        let bound = cpu
            .and_then(|()| sched_setaffinity(tracer, &here))
            .and_then(|()| sched_setaffinity(task, &here));
        // A host may forbid it.
        if bound.is_ok() {
            self.bound(tracer, task, lease);
        }
    }

    fn bound(&mut self, tracer: Pid, task: Pid, lease: Duration) {
        let home = self.home;
        let bond = Arc::new(Mutex::new(Some(Members { tracer, task, home })));
        self.pairs.add(&bond, lease);
        self.bond = Some(bond);
    }

    /// Has the two go to different CPUs, the task stays on the one where both are now. Where
    /// they have been for a [`LEASE`], the scheduler leaves them.
    pub(crate) fn apart(&mut self, task: Pid) {
        self.part();
        let (mut here, mut elsewhere) = (CpuSet::new(), self.home);
        let cpu = self.own_cpu();
        let tracer = gettid();
        // A host may forbid it; then they may be in each other's way, and that shows.
        let placed = cpu
            .and_then(|cpu| here.set(cpu).and(elsewhere.unset(cpu)))
            .and_then(|()| sched_setaffinity(task, &here))
            .and_then(|()| sched_setaffinity(tracer, &elsewhere));
        if placed.is_ok() {
            self.bound(tracer, task, LEASE);
        }
    }

    /// Has the two be only where `cpus` says: bit n is the n-th of the sandbox's CPUs. Does
    /// nothing if none of these is one.
    pub(crate) fn confine(&mut self, cpus: u64, task: Option<Pid>) {
        let mut home = CpuSet::new();
        for (n, cpu) in members(&self.pairs.everywhere).enumerate().take(64) {
            if cpus >> n & 1 == 1 {
                let _ = home.set(cpu);
            }
        }
        if members(&home).next().is_none() {
            return;
        }
        self.part();
        self.home = home;
        for member in [Some(gettid()), task].into_iter().flatten() {
            let _ = sched_setaffinity(member, &home);
        }
    }

    /// True if the two may be on different CPUs.
    pub(crate) fn has_room(&self) -> bool {
        members(&self.home).nth(1).is_some()
    }

    /// The CPU where this thread is, if it may be there, or else one where it may.
    fn own_cpu(&self) -> nix::Result<usize> {
        let here = sched_getcpu()?;
        if self.home.is_set(here)? {
            return Ok(here);
        }
        members(&self.home).next().ok_or(nix::errno::Errno::EINVAL)
    }

    /// To be called before the task ends.
    pub(crate) fn part(&mut self) {
        if let Some(bond) = self.bond.take() {
            self.pairs.bonds.dissolve(&bond);
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.part();
    }
}
