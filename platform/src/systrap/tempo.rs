//! Where a thread of the Sentry and its task run, and whether they wait awake.
//!
//! On two CPUs, both awake, a handoff costs a tenth of a microsecond, but it takes a second
//! CPU to itself, and where one of the two sleeps, a wakeup across CPUs: up to 50 µs on
//! virtual machines. On one CPU, both asleep while the other runs, it costs some 5 µs,
//! whatever else the machine does. So pairs stay **together** on one CPU (`process::pair`)
//! and go **apart** while that pays: when one makes calls in quick succession, as long as
//! CPUs are to spare for it.
//!
//! Whether they are is found out by trying: somebody else's load shows in waits that end
//! asleep. A pair for which that happens too often goes together again, and tries the
//! longer not to go apart the less it had of it. A task that sleeps because a call of its
//! own takes long, as one that waits for somebody, says nothing of the machine: calls change
//! sooner than load does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use parking_lot::Mutex;

use crate::process::ThreadPages;
use crate::process::layout::thread::SPIN;
use crate::process::pair::{Pair, Pairs};

/// How often the Sentry looks before it sleeps: some 30 µs.
const LOOKS: u32 = 1000;
/// How often the task does: calls that take longer than some 15 µs are no quick ones.
const TASK_LOOKS: u32 = 500;
/// How often both look when one of them sleeps, as when they have just gone apart: it has to be
/// woken from the other CPU first, and is not to find then that the other has given up.
const FIRST_LOOKS: u32 = 8000;
/// For so many switches, unless one goes well earlier.
const FIRST_SWITCHES: u32 = 4;
/// So many switches are looked at together …
const SWITCHES: u32 = 8;
/// … and are in quick succession if they took less than this.
const QUICK: Duration = Duration::from_micros(200);
/// What a wait that ends asleep costs, in handoffs.
const ASLEEP: u32 = 12;
/// A pair goes together again when it has lost so many handoffs.
const LOSS: u32 = 3 * ASLEEP;
/// For how long a pair stays together at least.
const SHORTEST: Duration = Duration::from_millis(2);
/// … and at most, if the machine is crowded, …
const LONGEST: Duration = Duration::from_millis(500);
/// … or if calls take long: the next ones may be other calls.
const LONGEST_FOR_CALLS: Duration = Duration::from_millis(20);
/// Having been apart for so long was worth it.
const WORTH: Duration = Duration::from_millis(20);

/// A pair that makes no switch for so long gives up its place to one that wants it.
const IDLE: Duration = Duration::from_millis(5);

/// Who slept at a switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slept {
    /// Both were awake.
    Nobody,
    /// The task, before it was given its turn: the call took long.
    Task,
    /// The Sentry, for a task that was awake.
    Sentry,
}

/// Room for pairs to be apart.
pub(super) struct Room {
    places: Mutex<Vec<Place>>,
    /// How many places there are.
    size: usize,
    pairs: Arc<Pairs>,
}

/// A place that is taken.
struct Place {
    pulse: Arc<Pulse>,
    /// Its count when somebody last looked for a free place, and since when it was that.
    seen: u32,
    since: Instant,
}

/// What others see of a pair.
#[derive(Default)]
struct Pulse {
    /// Counts switches while it is apart.
    count: AtomicU32,
    /// Its place was given away.
    displaced: AtomicBool,
}

impl Room {
    /// Room for as many pairs as there are pairs of CPUs. `None` where there is one CPU.
    pub(super) fn new() -> Option<Arc<Self>> {
        let pairs = Pairs::new()?;
        Some(Arc::new(Room {
            places: Mutex::new(Vec::new()),
            size: pairs.cpus() / 2,
            pairs,
        }))
    }

    fn enter(&self, pulse: &Arc<Pulse>, now: Instant) -> bool {
        let mut places = self.places.lock();
        let place = Place {
            pulse: Arc::clone(pulse),
            seen: pulse.count.load(Ordering::Relaxed),
            since: now,
        };
        if places.len() < self.size {
            places.push(place);
            return true;
        }
        for held in places.iter_mut() {
            let count = held.pulse.count.load(Ordering::Relaxed);
            if count != held.seen {
                held.seen = count;
                held.since = now;
            } else if now - held.since > IDLE {
                held.pulse.displaced.store(true, Ordering::Relaxed);
                *held = place;
                return true;
            }
        }
        false
    }

    fn leave(&self, pulse: &Arc<Pulse>) {
        let mut places = self.places.lock();
        places.retain(|place| !Arc::ptr_eq(&place.pulse, pulse));
    }
}

/// One pair's.
pub(super) struct Tempo {
    room: Arc<Room>,
    pulse: Arc<Pulse>,
    pair: Pair,
    /// Since when the pair is apart.
    apart: Option<Instant>,
    loss: u32,
    /// Some of that came from tasks that were late.
    crowded: bool,
    /// Switches that are left for both to be awake.
    first: u32,
    switches: u32,
    since: Instant,
    /// Together until then at least.
    rest: Duration,
    rest_since: Instant,
}

impl Tempo {
    pub(super) fn new(room: &Arc<Room>) -> Self {
        let now = Instant::now();
        Tempo {
            room: Arc::clone(room),
            pulse: Arc::default(),
            pair: Pair::new(&room.pairs),
            apart: None,
            loss: 0,
            crowded: false,
            first: 0,
            switches: 0,
            since: now,
            rest: Duration::ZERO,
            rest_since: now,
        }
    }

    /// To be called for a new task, on this thread's CPU.
    pub(super) fn start(&mut self, task: Pid) {
        self.pair.start(task);
    }

    /// Has thread and task be only on these CPUs; see [`Pair::confine`].
    pub(super) fn confine(&mut self, cpus: u64, task: Option<(Pid, &ThreadPages)>) {
        if let Some((_, pages)) = task {
            self.come_together(pages);
        }
        self.pair.confine(cpus, task.map(|(pid, _)| pid));
    }

    /// To be called before each switch to `task`: how often to look before sleeping.
    pub(super) fn before(&mut self, task: Pid, pages: &ThreadPages) -> u32 {
        if self.apart.is_some() {
            self.pulse.count.fetch_add(1, Ordering::Relaxed);
            if !self.pulse.displaced.load(Ordering::Relaxed) {
                return if self.first > 0 { FIRST_LOOKS } else { LOOKS };
            }
            self.come_together(pages);
        }
        self.pair.switch(task);
        self.switches += 1;
        if self.switches < SWITCHES {
            return 0;
        }
        self.switches = 0;
        let now = Instant::now();
        let quick = now - self.since < QUICK;
        self.since = now;
        if !quick
            || now - self.rest_since < self.rest
            || !self.pair.has_room()
            || !self.room.enter(&self.pulse, now)
        {
            return 0;
        }
        self.apart = Some(now);
        self.loss = 0;
        self.crowded = false;
        self.pair.apart(task);
        self.wake_up(pages);
        FIRST_LOOKS
    }

    /// To be called after each switch.
    pub(super) fn after(&mut self, slept: Slept, pages: &ThreadPages) {
        let Some(since) = self.apart else { return };
        if self.first > 0 {
            self.first = match slept {
                Slept::Nobody => 0,
                Slept::Task | Slept::Sentry => self.first - 1,
            };
            if self.first == 0 {
                pages.word(SPIN).store(TASK_LOOKS, Ordering::Relaxed);
            }
            return;
        }
        if slept == Slept::Nobody {
            self.loss = self.loss.saturating_sub(1);
            return;
        }
        self.loss += ASLEEP;
        self.crowded |= slept == Slept::Sentry;
        if self.loss < LOSS {
            self.wake_up(pages);
            return;
        }
        let now = Instant::now();
        let longest = if self.crowded {
            LONGEST
        } else {
            LONGEST_FOR_CALLS
        };
        self.rest = if now - since > WORTH {
            SHORTEST
        } else {
            (self.rest * 2).clamp(SHORTEST, longest)
        };
        self.rest_since = now;
        self.come_together(pages);
    }

    /// The next switches begin with somebody asleep.
    fn wake_up(&mut self, pages: &ThreadPages) {
        self.first = FIRST_SWITCHES;
        pages.word(SPIN).store(FIRST_LOOKS, Ordering::Relaxed);
    }

    fn come_together(&mut self, pages: &ThreadPages) {
        pages.word(SPIN).store(0, Ordering::Relaxed);
        self.part();
    }

    /// To be called before the task ends.
    pub(super) fn part(&mut self) {
        if self.apart.take().is_some() {
            self.room.leave(&self.pulse);
            self.pulse.displaced.store(false, Ordering::Relaxed);
        }
        self.pair.part();
        self.switches = 0;
    }
}

impl Drop for Tempo {
    fn drop(&mut self) {
        self.part();
    }
}
