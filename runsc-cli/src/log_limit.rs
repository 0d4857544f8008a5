//! No more lines than a disk can bear: a guest can have some messages repeated at will.
//!
//! Each place in the code that logs may write [`BURST`] lines and then one more each second;
//! what is left out is counted, and the next line tells. What was asked for line by line,
//! calls and debugging, is not limited.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use log::{Level, Record};
use parking_lot::Mutex;

/// Lines at once.
const BURST: u32 = 64;
/// … and one more after each of these.
const PAUSE: Duration = Duration::from_secs(1);

/// A file of source code, and a line there.
type Place = (&'static str, u32);

#[derive(Default)]
pub(crate) struct Limit {
    places: Mutex<HashMap<Place, Budget>>,
}

struct Budget {
    left: u32,
    /// When the last line was added to `left`.
    since: Instant,
    left_out: u64,
}

impl Limit {
    /// How many lines from the same place were left out before this one, or `None` if it is to
    /// be left out itself.
    pub(crate) fn admit(&self, record: &Record<'_>) -> Option<u64> {
        let (file, line) = (record.file_static(), record.line());
        match (file, line) {
            (Some(file), Some(line)) if record.level() <= Level::Info && !is_asked_for(record) => {
                self.admit_from((file, line), Instant::now())
            }
            _ => Some(0),
        }
    }

    fn admit_from(&self, place: Place, now: Instant) -> Option<u64> {
        let mut places = self.places.lock();
        let budget = places.entry(place).or_insert(Budget {
            left: BURST,
            since: now,
            left_out: 0,
        });
        while budget.left < BURST && now.saturating_duration_since(budget.since) >= PAUSE {
            budget.left += 1;
            budget.since += PAUSE;
        }
        if budget.left == BURST {
            budget.since = now;
        }
        if budget.left == 0 {
            budget.left_out += 1;
            return None;
        }
        budget.left -= 1;
        Some(std::mem::take(&mut budget.left_out))
    }
}

fn is_asked_for(record: &Record<'_>) -> bool {
    record.target() == "strace"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own() {
        let limit = Limit::default();
        let start = Instant::now();
        for _ in 0..BURST {
            assert_eq!(limit.admit_from(("a.rs", 1), start), Some(0));
        }
        assert_eq!(limit.admit_from(("a.rs", 1), start), None);
        assert_eq!(limit.admit_from(("a.rs", 2), start), Some(0));
        let later = start + PAUSE + PAUSE / 2;
        assert_eq!(limit.admit_from(("a.rs", 1), later), Some(1));
        assert_eq!(limit.admit_from(("a.rs", 1), later), None);
        let much_later = start + PAUSE * 1000;
        assert_eq!(limit.admit_from(("a.rs", 1), much_later), Some(1));
        for _ in 1..BURST {
            assert_eq!(limit.admit_from(("a.rs", 1), much_later), Some(0));
        }
        assert_eq!(limit.admit_from(("a.rs", 1), much_later), None);
    }
}
