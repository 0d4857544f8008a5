//! Time as a line over the processor's counter.
//!
//! `CLOCK_MONOTONIC` is the host's. Between two looks at the host's clock it is computed
//! from the processor's time stamp counter, here and in the vDSO from the same numbers,
//! so that an application that asks one and then the other never sees time go back:
//! - the line holds for about a second; whoever asks later looks at the host's clock and
//!   draws a new line from there, or from where the old one ended if that is later;
//! - the new line's slope is the measured rate, corrected so that it meets the host's
//!   clock within that second.
//!
//! No timer keeps the line fresh: a sandbox that does not ask for the time does nothing.
//!
//! Readers take no lock, whatever locks they hold: this is asked everywhere.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};

use nix::time::{ClockId, clock_gettime};
use parking_lot::Mutex;
use platform::host::clock;

use super::vdso::TimePage;

const SECOND: u64 = 1_000_000_000;
/// A line holds this long at most, nanoseconds.
const HOLD: u64 = SECOND;
/// The rate is measured over at least this, and a line holds at most so many times as
/// long as its rate was measured over.
const MEASURE: u64 = 20_000_000;
const TRUST: u64 = 8;
/// The rate is measured over at most this.
const MEASURE_MAX: u64 = 16 * SECOND;
/// The most that a slope is bent to meet the host's clock: one part in so many.
const BEND: i128 = 2000;
/// A line that is so far off, nanoseconds, shows that the counter is no clock.
const OFF: u64 = 5_000_000;
/// The offset of the real time is kept unless it changes by more: it is measured less
/// exactly than time must be monotone. Nanoseconds.
const STEP: i64 = 5_000;

/// The line as readers see it.
static LINE: Line = Line {
    sequence: AtomicU32::new(0),
    base_tsc: AtomicU64::new(0),
    valid: AtomicU64::new(0),
    rate: AtomicU64::new(0),
    base_ns: AtomicU64::new(0),
    real_offset: AtomicU64::new(0),
};

struct Line {
    /// Odd while the rest changes.
    sequence: AtomicU32,
    base_tsc: AtomicU64,
    valid: AtomicU64,
    rate: AtomicU64,
    base_ns: AtomicU64,
    real_offset: AtomicU64,
}

/// The numbers of a line; [`platform::arch::vdso::TimeData`] explains them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) base_tsc: u64,
    pub(super) valid: u64,
    pub(super) rate: u64,
    pub(super) base_ns: u64,
    /// `CLOCK_REALTIME` less `CLOCK_MONOTONIC`.
    pub(super) real_offset: u64,
}

impl Numbers {
    /// `CLOCK_MONOTONIC` at a count, if the line holds there.
    fn at(&self, tsc: u64) -> Option<u64> {
        let count = tsc.wrapping_sub(self.base_tsc);
        (count < self.valid).then(|| self.base_ns + self.nanoseconds(count))
    }

    fn nanoseconds(&self, count: u64) -> u64 {
        let ns = (u128::from(count) * u128::from(self.rate)) >> 32;
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

/// Both clocks at one moment, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) monotonic: u64,
    pub(super) realtime: i128,
}

/// The time.
pub(super) fn now() -> Now {
    loop {
        if let Some(numbers) = LINE.load()
            && let Some(monotonic) = numbers.at(clock::tsc())
        {
            return with_real(monotonic, numbers.real_offset);
        }
        if let Some(now) = KEEPER.lock().renew() {
            return now;
        }
    }
}

/// Keeps `page` current from now on.
pub(super) fn keep(page: &Arc<TimePage>) {
    let mut keeper = KEEPER.lock();
    keeper.pages.retain(|page| page.strong_count() > 0);
    keeper.pages.push(Arc::downgrade(page));
    if let Some(numbers) = LINE.load() {
        page.set(&numbers);
    }
}

fn with_real(monotonic: u64, offset: u64) -> Now {
    let offset = i64::from_ne_bytes(offset.to_ne_bytes());
    Now {
        monotonic,
        realtime: i128::from(monotonic) + i128::from(offset),
    }
}

impl Line {
    /// `None` while it changes.
    fn load(&self) -> Option<Numbers> {
        let before = self.sequence.load(Ordering::Acquire);
        let numbers = Numbers {
            base_tsc: self.base_tsc.load(Ordering::Relaxed),
            valid: self.valid.load(Ordering::Relaxed),
            rate: self.rate.load(Ordering::Relaxed),
            base_ns: self.base_ns.load(Ordering::Relaxed),
            real_offset: self.real_offset.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let after = self.sequence.load(Ordering::Relaxed);
        (before.is_multiple_of(2) && before == after).then_some(numbers)
    }

    fn begin(&self) {
        self.sequence.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn end(&self, numbers: &Numbers) {
        self.base_tsc.store(numbers.base_tsc, Ordering::Relaxed);
        self.valid.store(numbers.valid, Ordering::Relaxed);
        self.rate.store(numbers.rate, Ordering::Relaxed);
        self.base_ns.store(numbers.base_ns, Ordering::Relaxed);
        self.real_offset
            .store(numbers.real_offset, Ordering::Relaxed);
        self.sequence.fetch_add(1, Ordering::Release);
    }
}

/// The host's clocks and the counter at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    tsc: u64,
    monotonic: u64,
    realtime: i64,
}

impl Sample {
    /// The best of a few: between the least counts.
    fn take() -> Self {
        let once = || {
            let before = clock::tsc();
            let monotonic = host_clock(ClockId::CLOCK_MONOTONIC);
            let after = clock::tsc();
            let realtime = host_clock(ClockId::CLOCK_REALTIME);
            let width = after.wrapping_sub(before);
            let sample = Sample {
                tsc: before.wrapping_add(width / 2),
                monotonic: u64::try_from(monotonic).unwrap_or(0),
                realtime,
            };
            (width, sample)
        };
        let tries = [once(), once(), once()];
        let best = tries.into_iter().min_by_key(|(width, _)| *width);
        best.map_or_else(|| once().1, |(_, sample)| sample)
    }
}

/// Nanoseconds; 0 for a clock that the host does not have, which cannot be.
fn host_clock(id: ClockId) -> i64 {
    clock_gettime(id).map_or(0, |time| {
        time.tv_sec()
            .saturating_mul(1_000_000_000)
            .saturating_add(time.tv_nsec())
    })
}

static KEEPER: Mutex<Keeper> = Mutex::new(Keeper {
    counter: None,
    start: None,
    pages: Vec::new(),
});

/// Draws the lines.
struct Keeper {
    /// Whether the counter can be a clock; unknown at first.
    counter: Option<bool>,
    /// Where the measuring of the rate began.
    start: Option<Sample>,
    pages: Vec<Weak<TimePage>>,
}

impl Keeper {
    /// Draws a new line, unless somebody just did (`None`: look again).
    fn renew(&mut self) -> Option<Now> {
        let old = LINE.load().unwrap_or_default();
        if old.at(clock::tsc()).is_some() {
            return None;
        }
        let pages: Vec<Arc<TimePage>> = self.pages.iter().filter_map(Weak::upgrade).collect();
        // Who still reads by the old line does so before the sample is taken.
        LINE.begin();
        pages.iter().for_each(|page| page.begin());
        let sample = Sample::take();
        let numbers = self.next(&old, sample);
        pages.iter().for_each(|page| page.set(&numbers));
        LINE.end(&numbers);
        Some(with_real(numbers.base_ns, numbers.real_offset))
    }

    /// The line from `sample` on.
    fn next(&mut self, old: &Numbers, sample: Sample) -> Numbers {
        let had_line = old.valid > 0;
        // The old line was read up to its end at most.
        let elapsed = sample.tsc.wrapping_sub(old.base_tsc);
        let floor = old.base_ns + old.nanoseconds(elapsed.min(old.valid));
        let base_ns = sample.monotonic.max(floor);
        let ahead = base_ns - sample.monotonic;
        if had_line && ahead > OFF && self.counter == Some(true) {
            log::warn!("the time stamp counter is no clock: {ahead} ns ahead");
            self.counter = Some(false);
        }
        let (rate, measured) = self.rate(sample).unwrap_or((0, 0));
        let hold = HOLD.min(measured.saturating_mul(TRUST));
        let mut numbers = Numbers {
            base_tsc: sample.tsc,
            valid: 0,
            rate: bent(rate, ahead),
            base_ns,
            real_offset: real_offset(old, sample),
        };
        if rate > 0 {
            let counts = (u128::from(hold) << 32) / u128::from(rate);
            numbers.valid = u64::try_from(counts).unwrap_or(0);
        }
        numbers
    }

    /// Nanoseconds in a count, times 2^32, and over how many nanoseconds that was
    /// measured; `None` as long as it is not known.
    fn rate(&mut self, sample: Sample) -> Option<(u64, u64)> {
        if !*self.counter.get_or_insert_with(clock::tsc_is_invariant) {
            return None;
        }
        let start = *self.start.get_or_insert(sample);
        let ns = sample.monotonic.saturating_sub(start.monotonic);
        let counts = sample.tsc.wrapping_sub(start.tsc);
        if ns > MEASURE_MAX {
            self.start = Some(sample);
        }
        if ns < MEASURE || counts == 0 || counts > u64::MAX / 2 {
            return None;
        }
        let rate = (u128::from(ns) << 32) / u128::from(counts);
        // Between 10 MHz and 100 GHz; else the machine slept, or moved.
        let sane = (1 << 25..430 << 32).contains(&rate);
        Some((
            u64::try_from(rate).ok().filter(|_| sane)?,
            ns.min(MEASURE_MAX),
        ))
    }
}

/// A slope that meets the host's clock after about a second, if it is `ahead` now.
fn bent(rate: u64, ahead: u64) -> u64 {
    let rate = i128::from(rate);
    let bend = rate * i128::from(ahead) / i128::from(SECOND);
    u64::try_from(rate - bend.min(rate / BEND)).unwrap_or(0)
}

fn real_offset(old: &Numbers, sample: Sample) -> u64 {
    let monotonic = i64::try_from(sample.monotonic).unwrap_or(i64::MAX);
    let offset = sample.realtime.saturating_sub(monotonic);
    let before = i64::from_ne_bytes(old.real_offset.to_ne_bytes());
    let kept = offset.saturating_sub(before).abs() <= STEP;
    u64::from_ne_bytes(if kept { before } else { offset }.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use super::{HOLD, Keeper, Numbers, Sample, now};

    fn keeper() -> Keeper {
        Keeper {
            counter: Some(true),
            start: None,
            pages: Vec::new(),
        }
    }

    /// A host clock over a counter of 3 GHz, off by `ppm`.
    fn sample(tsc: u64, ppm: i64) -> Sample {
        let ns = i128::from(tsc) / 3;
        let ns = ns + ns * i128::from(ppm) / 1_000_000;
        Sample {
            tsc,
            monotonic: u64::try_from(ns).unwrap(),
            realtime: i64::try_from(ns).unwrap() + 1_000_000,
        }
    }

    #[test]
    fn lines_follow_the_host_and_never_go_back() {
        let mut keeper = keeper();
        let mut line = Numbers::default();
        let mut last = 0;
        let mut tsc = 3_000_000_000;
        // The host's clock speeds up and slows down under us.
        for (round, ppm) in [0, 0, 100, 100, 300, -200, -200, -200, 0, 0, 0]
            .into_iter()
            .cycle()
            .take(200)
            .enumerate()
        {
            let mut sample = sample(tsc, 0);
            let drift = i64::try_from(sample.monotonic / 1_000_000).unwrap() * ppm / 1000;
            sample.monotonic = sample.monotonic.checked_add_signed(drift).unwrap();
            line = keeper.next(&line, sample);
            assert!(line.base_ns >= last, "round {round}");
            assert!(line.base_ns - sample.monotonic < 2_000_000);
            last = line.base_ns;
            for part in 1..4 {
                let at = tsc + line.valid / 4 * part;
                if let Some(ns) = line.at(at) {
                    assert!(ns >= last);
                    last = ns;
                }
            }
            tsc += line.valid.max(100_000_000);
        }
        assert!(line.valid > 0);
    }

    #[test]
    fn a_steady_host_is_met() {
        let mut keeper = keeper();
        let first = keeper.next(&Numbers::default(), sample(1_000_000, 0));
        assert_eq!(first.valid, 0);
        let second = keeper.next(&first, sample(100_000_000, 0));
        assert!(second.valid > 0);
        let third = keeper.next(&second, sample(1_000_000_000, 0));
        let at = 1_000_000_000 + third.valid - 1;
        let error = third.at(at).unwrap().abs_diff(at / 3);
        assert!(error < 100, "{error}");
        assert!(third.nanoseconds(third.valid) <= HOLD);
        assert_eq!(third.real_offset, 1_000_000);
    }

    #[test]
    fn a_counter_that_stops_is_no_clock() {
        let mut keeper = keeper();
        let first = keeper.next(&Numbers::default(), sample(1_000_000, 0));
        let line = keeper.next(&first, sample(300_000_000, 0));
        // The host's clock went on half as far as the counter says.
        let mut late = sample(300_000_000 + line.valid, 0);
        late.monotonic -= line.nanoseconds(line.valid) / 2;
        let line = keeper.next(&line, late);
        assert_eq!((line.valid, keeper.counter), (0, Some(false)));
        assert!(line.base_ns >= late.monotonic);
    }

    #[test]
    fn the_real_clocks() {
        let mut last = now();
        let begin = std::time::Instant::now();
        while begin.elapsed().as_millis() < 1300 {
            // The host's clock before and after: however long this thread was kept from
            // running in between, ours lies between the two, but for the rate's error.
            const RATE_ERROR: u64 = 20_000_000;
            let host = || {
                let now = super::host_clock(nix::time::ClockId::CLOCK_MONOTONIC);
                u64::try_from(now).unwrap()
            };
            let before = host();
            let now = now();
            let after = host();
            assert!(now.monotonic >= last.monotonic);
            assert!(now.realtime >= last.realtime);
            assert!(now.monotonic + RATE_ERROR >= before);
            assert!(now.monotonic <= after + RATE_ERROR);
            last = now;
        }
    }
}
