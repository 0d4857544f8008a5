//! A timer with an interval: what setitimer(2), timer_create(2) and timerfd_create(2)
//! have in common.

use std::sync::{Arc, Weak};

use super::now_monotonic;
use super::queue::{Alarm, AlarmQueue, Expire};
use crate::sync::{Level, Mutex};

/// What the time of a timer is measured by.
pub(super) trait TimeSource: Send + Sync {
    /// Nanoseconds now. Asked without locks: a process's time is the sum of its threads'.
    fn now(&self) -> u64;
}

/// `CLOCK_MONOTONIC`; other wall clocks are converted to it when a timer is set.
pub(super) struct Monotonic;

impl TimeSource for Monotonic {
    fn now(&self) -> u64 {
        now_monotonic()
    }
}

/// What happens when the timer strikes.
pub(super) trait Strike: Send + Sync {
    /// `count` intervals ended since the last time, at least one. Must not sleep.
    fn strike(&self, count: u64);
}

/// When a timer strikes next and then again: nanoseconds; 0 means not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Setting {
    /// Until the next strike.
    pub value: u64,
    /// Between strikes.
    pub interval: u64,
}

/// See the module.
pub(super) struct Timer {
    alarms: AlarmQueue,
    source: Box<dyn TimeSource>,
    strike: Box<dyn Strike>,
    state: Mutex<State>,
    this: Weak<Timer>,
}

#[derive(Default)]
struct State {
    /// By the source's clock.
    next: Option<u64>,
    interval: u64,
    alarm: Option<Alarm>,
}

impl Timer {
    /// A timer that is not set.
    pub(super) fn new(
        alarms: &AlarmQueue,
        source: Box<dyn TimeSource>,
        strike: Box<dyn Strike>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Timer {
            alarms: alarms.clone(),
            source,
            strike,
            state: Mutex::new(Level::Mappings, State::default()),
            this: this.clone(),
        })
    }

    /// Sets the timer: first strike at `next` by its clock (`None`: never), then every
    /// `interval` nanoseconds unless 0. Returns what it was set to.
    pub(super) fn set(&self, next: Option<u64>, interval: u64) -> Setting {
        let now = self.source.now();
        let mut state = self.state.lock();
        let before = state.setting(now);
        let old = state.alarm.take();
        state.next = next;
        state.interval = interval;
        self.arm(&mut state, now);
        drop(state);
        drop(old);
        before
    }

    /// The timer's clock now.
    pub(super) fn now(&self) -> u64 {
        self.source.now()
    }

    /// What it is set to.
    pub(super) fn get(&self) -> Setting {
        let now = self.source.now();
        self.state.lock().setting(now)
    }

    fn arm(&self, state: &mut State, now: u64) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        state.alarm = state.next.map(|next| {
            // A processor-time clock runs no faster than time does, for one thread.
            let left = next.saturating_sub(now);
            self.alarms.set(now_monotonic().saturating_add(left), this)
        });
    }
}

impl State {
    fn setting(&self, now: u64) -> Setting {
        // A timer that is due but has not struck yet has a moment left.
        let left = |next: u64| next.saturating_sub(now).max(1);
        Setting {
            value: self.next.map_or(0, left),
            interval: self.interval,
        }
    }
}

impl Expire for Timer {
    fn expire(self: Arc<Self>) {
        let now = self.source.now();
        let (count, old) = {
            let mut state = self.state.lock();
            let old = state.alarm.take();
            let Some(next) = state.next else { return };
            let mut count = 0;
            if now >= next {
                count = 1;
                state.next = None;
                if let Some(more) = (now - next).checked_div(state.interval) {
                    count += more;
                    state.next = next.checked_add(count.saturating_mul(state.interval));
                }
            }
            self.arm(&mut state, now);
            (count, old)
        };
        drop(old);
        if count > 0 {
            self.strike.strike(count);
        }
    }
}
