//! Alarms: things that happen at a point of `CLOCK_MONOTONIC`. One host thread, started
//! with the first alarm, sleeps until the earliest.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::thread::Thread;
use std::time::Duration;

use platform::host::placement::run_anywhere;

use super::now_monotonic;
use crate::sync::{Level, Mutex};

/// Something that waits for its time.
pub trait Expire: Send + Sync {
    /// Its time has come. Called without locks, on the alarms' thread: must not sleep.
    fn expire(self: Arc<Self>);
}

type Key = (u64, u64);

/// All alarms of a sandbox.
#[derive(Clone, Default)]
pub struct AlarmQueue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    alarms: BTreeMap<Key, Arc<dyn Expire>>,
    next_id: u64,
    thread: Option<Thread>,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            state: Mutex::new(Level::Timers, State::default()),
        }
    }
}

/// An alarm that is set; dropping it takes it back.
#[must_use = "dropping an alarm takes it back"]
pub struct Alarm {
    queue: Weak<Shared>,
    key: Key,
}

impl AlarmQueue {
    /// Has `what` expire at `at` nanoseconds of `CLOCK_MONOTONIC`, or soon after.
    pub fn set(&self, at: u64, what: Arc<dyn Expire>) -> Alarm {
        let mut state = self.0.state.lock();
        state.next_id += 1;
        let key = (at, state.next_id);
        let earliest = state
            .alarms
            .first_key_value()
            .is_none_or(|(&first, _)| key < first);
        state.alarms.insert(key, what);
        if let Some(thread) = &state.thread {
            if earliest {
                thread.unpark();
            }
        } else {
            let shared = Arc::downgrade(&self.0);
            let made = std::thread::Builder::new()
                .name("alarms".into())
                .spawn(move || {
                    run_anywhere();
                    run(&shared);
                });
            match made {
                Ok(handle) => state.thread = Some(handle.thread().clone()),
                Err(error) => log::error!("no thread for timers: {error}"),
            }
        }
        Alarm {
            queue: Arc::downgrade(&self.0),
            key,
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            let removed = queue.state.lock().alarms.remove(&self.key);
            drop(removed);
        }
    }
}

fn run(shared: &Weak<Shared>) {
    loop {
        let Some(queue) = shared.upgrade() else {
            return;
        };
        let now = now_monotonic();
        let mut due = Vec::new();
        let wait = {
            let mut state = queue.state.lock();
            while let Some(entry) = state
                .alarms
                .first_entry()
                .filter(|entry| entry.key().0 <= now)
            {
                due.push(entry.remove());
            }
            state
                .alarms
                .first_key_value()
                .map(|(key, _)| Duration::from_nanos(key.0 - now))
        };
        // The queue may go while this thread sleeps or works.
        drop(queue);
        if !due.is_empty() {
            due.into_iter().for_each(Expire::expire);
            continue;
        }
        match wait {
            Some(wait) => std::thread::park_timeout(wait),
            None => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};

    use super::{AlarmQueue, Expire, now_monotonic};

    struct Tell(Sender<u32>, u32);

    impl Expire for Tell {
        fn expire(self: Arc<Self>) {
            self.0.send(self.1).expect("the test listens");
        }
    }

    #[test]
    fn alarms_come_in_order_and_dropped_ones_do_not() {
        let queue = AlarmQueue::default();
        let (send, receive) = channel();
        let now = now_monotonic();
        let set = |after: u64, n| queue.set(now + after, Arc::new(Tell(send.clone(), n)));
        let _late = set(60_000_000, 3);
        let dropped = set(20_000_000, 2);
        let _early = set(1_000_000, 1);
        drop(dropped);
        assert_eq!(receive.recv(), Ok(1));
        assert_eq!(receive.recv(), Ok(3));
        assert!(now_monotonic() >= now + 60_000_000);
    }
}
