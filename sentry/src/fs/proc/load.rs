//! Load averages, proc_loadavg(5).
//!
//! Differs from Linux: a timer that wakes an idle sandbox every five seconds to count
//! runnable threads would cost more than it tells. The averages are of the processor time
//! that was used, brought up to date when somebody asks.

use super::census::Census;
use crate::kernel::Kernel;
use crate::sync::{Level, Mutex};

/// Load averages of 1, 5 and 15 minutes.
#[derive(Debug)]
pub struct Load(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// When it was last brought up to date, and the processor time used until then,
    /// nanoseconds.
    at: u64,
    used: u64,
    averages: [f64; 3],
}

const MINUTES: [f64; 3] = [1.0, 5.0, 15.0];
const NS_PER_MINUTE: f64 = 60e9;

impl Default for Load {
    fn default() -> Self {
        Load(Mutex::new(Level::Leaf, State::default()))
    }
}

impl Load {
    /// The averages at `now`, nanoseconds of `CLOCK_MONOTONIC`, when all processes
    /// together have used `used` nanoseconds of processor time.
    pub fn averages(&self, now: u64, used: u64) -> [f64; 3] {
        let mut state = self.0.lock();
        let elapsed = now.saturating_sub(state.at);
        if elapsed > 0 {
            #[allow(clippy::cast_precision_loss, reason = "an average is no exact number")]
            let (elapsed, busy) = (elapsed as f64, used.saturating_sub(state.used) as f64);
            for (average, minutes) in state.averages.iter_mut().zip(MINUTES) {
                let kept = (-elapsed / (NS_PER_MINUTE * minutes)).exp();
                *average = *average * kept + busy / elapsed * (1.0 - kept);
            }
            (state.at, state.used) = (now, used);
        }
        state.averages
    }
}

impl Kernel {
    /// Load averages of 1, 5 and 15 minutes.
    pub fn load_averages(&self) -> [f64; 3] {
        Census::take(self).load(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Load;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn averages_follow_what_is_used() {
        let load = Load::default();
        assert_eq!(load.averages(0, 0), [0.0; 3]);
        // Two processors busy for a minute, looked at every second.
        let mut last = [0.0; 3];
        for second in 1..=60 {
            last = load.averages(second * SECOND, 2 * second * SECOND);
        }
        let expected = [1.264, 0.362, 0.129];
        for (average, expected) in last.iter().zip(expected) {
            assert!((average - expected).abs() < 0.01, "{last:?}");
        }
        // Idle for an hour, looked at once.
        let last = load.averages(3660 * SECOND, 120 * SECOND);
        assert!(last.iter().all(|&average| average < 0.1), "{last:?}");
    }
}
