//! Keeping a busy tracer and its task on one CPU.
//!
//! A system call is two wakeups. On one CPU they cost some 10 µs together; where the
//! scheduler spreads the two over idle CPUs, which it likes to do, 50 to 100 µs on virtual
//! machines. So a pair that makes many calls is bound to the CPU where its tracer is. But
//! bound tasks cannot be moved to an idle CPU, and the task may stop making calls and
//! compute: so a bond lasts some [`LEASE`] and then has to be earned again. A thread of
//! its own dissolves them; it sleeps while there are none.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::{Pid, gettid};
use parking_lot::{Condvar, Mutex};

/// How long a bond lasts.
const LEASE: Duration = Duration::from_millis(40);
/// This many switches …
const BUSY_SWITCHES: u32 = 8;
/// … within this time make a pair busy.
const BUSY_TIME: Duration = Duration::from_millis(2);

/// All pairs of a platform.
pub(super) struct Pairs {
    /// Where we may run at all.
    everywhere: CpuSet,
    bonds: Arc<Bonds>,
    thread: OnceLock<()>,
}

/// The bonds that there are.
struct Bonds {
    everywhere: CpuSet,
    list: Mutex<List>,
    changed: Condvar,
}

struct List {
    bonds: Vec<Arc<Bond>>,
    /// The platform is gone.
    closed: bool,
}

/// A bond between a tracer and its task; `None` once it is dissolved.
type Bond = Mutex<Option<Members>>;

#[derive(Clone, Copy)]
struct Members {
    tracer: Pid,
    task: Pid,
}

/// A tracer's own view.
pub(super) struct Pair {
    pairs: Arc<Pairs>,
    bond: Option<Arc<Bond>>,
    switches: u32,
    since: Instant,
}

impl Pairs {
    /// `None` where there is but one CPU.
    pub(super) fn new() -> Option<Arc<Self>> {
        let this_thread = Pid::from_raw(0);
        let everywhere = sched_getaffinity(this_thread).ok()?;
        let cpus = (0..CpuSet::count()).filter(|cpu| everywhere.is_set(*cpu) == Ok(true));
        if cpus.count() < 2 {
            return None;
        }
        let list = List {
            bonds: Vec::new(),
            closed: false,
        };
        let bonds = Bonds {
            everywhere,
            list: Mutex::new(list),
            changed: Condvar::new(),
        };
        Some(Arc::new(Pairs {
            everywhere,
            bonds: Arc::new(bonds),
            thread: OnceLock::new(),
        }))
    }

    /// Adds a bond, and the thread that will dissolve it.
    fn add(&self, bond: &Arc<Bond>) {
        self.thread.get_or_init(|| {
            let bonds = Arc::clone(&self.bonds);
            let builder = std::thread::Builder::new().name("bonds".to_owned());
            // Without the thread, bonds are for ever: not nice, but no error.
            let _ = builder.stack_size(64 << 10).spawn(move || bonds.serve());
        });
        self.bonds.list.lock().bonds.push(Arc::clone(bond));
        self.bonds.changed.notify_one();
    }
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
        let _ = sched_setaffinity(Pid::from_raw(0), &self.everywhere);
        loop {
            let mut list = self.list.lock();
            while list.bonds.is_empty() && !list.closed {
                self.changed.wait(&mut list);
            }
            if list.closed {
                return;
            }
            drop(list);
            std::thread::sleep(LEASE);
            let bonds = std::mem::take(&mut self.list.lock().bonds);
            for bond in bonds {
                self.dissolve(&bond);
            }
        }
    }

    fn dissolve(&self, bond: &Bond) {
        let mut members = bond.lock();
        // As long as the members stand there, neither has ended.
        if let Some(Members { tracer, task }) = members.take() {
            let _ = sched_setaffinity(task, &self.everywhere);
            let _ = sched_setaffinity(tracer, &self.everywhere);
        }
    }
}

impl Pair {
    /// For this thread, which may have been started by a bound one.
    pub(super) fn new(pairs: &Arc<Pairs>) -> Self {
        let _ = sched_setaffinity(Pid::from_raw(0), &pairs.everywhere);
        Pair {
            pairs: Arc::clone(pairs),
            bond: None,
            switches: 0,
            since: Instant::now(),
        }
    }

    /// To be called at each switch to `task`.
    pub(super) fn switch(&mut self, task: Pid) {
        self.switches += 1;
        if self.switches < BUSY_SWITCHES {
            return;
        }
        self.switches = 0;
        let bound = self.bond.as_ref().is_some_and(|bond| bond.lock().is_some());
        let now = Instant::now();
        if !bound && now - self.since < BUSY_TIME {
            self.bind(task);
        }
        self.since = now;
    }

    fn bind(&mut self, task: Pid) {
        let mut here = CpuSet::new();
        let cpu = sched_getcpu().and_then(|cpu| here.set(cpu));
        let tracer = gettid();
        let bound = cpu
            .and_then(|()| sched_setaffinity(tracer, &here))
            .and_then(|()| sched_setaffinity(task, &here));
        // A host may forbid it.
        if bound.is_ok() {
            let bond = Arc::new(Mutex::new(Some(Members { tracer, task })));
            self.pairs.add(&bond);
            self.bond = Some(bond);
        }
    }

    /// To be called before the task ends.
    pub(super) fn part(&mut self) {
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
