//! Processor time of threads and processes, clock_getcpuclockid(3).

use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

/// The processor time of one thread of this process, or of another process.
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock {
    clock: ClockId,
    /// What had been used when the clock was started.
    start: Duration,
}

/// In a clock's number: scheduler time; of a thread, not of its process.
const SCHEDULER: i32 = 2;
const PER_THREAD: i32 = 4;

impl ThreadClock {
    /// The calling thread's.
    #[must_use]
    pub fn of_this_thread() -> Self {
        let tid = nix::unistd::gettid().as_raw();
        Self::new((!tid << 3) | SCHEDULER | PER_THREAD)
    }

    /// That of all threads of the process `pid`.
    #[must_use]
    pub fn of_process(pid: Pid) -> Self {
        Self::new((!pid.as_raw() << 3) | SCHEDULER)
    }

    fn new(number: i32) -> Self {
        ThreadClock {
            clock: ClockId::from_raw(number),
            start: Duration::ZERO,
        }
    }

    /// The clock as started now: what was used before belongs to somebody else.
    #[must_use]
    pub fn started_now(self) -> Self {
        ThreadClock {
            start: self.used(),
            ..self
        }
    }

    /// Time used since the clock was started; zero once the thread is gone.
    #[must_use]
    pub fn now(self) -> Duration {
        self.used().saturating_sub(self.start)
    }

    /// Time used in all.
    fn used(self) -> Duration {
        self.clock.now().map_or(Duration::ZERO, Duration::from)
    }
}

#[cfg(test)]
mod tests {
    use super::ThreadClock;

    #[test]
    fn own_time_grows() {
        let clock = ThreadClock::of_this_thread();
        let before = clock.now();
        let mut sum = 0_u64;
        for i in 0..2_000_000_u64 {
            sum = std::hint::black_box(sum ^ i);
        }
        assert!(clock.now() > before);
        let process = ThreadClock::of_process(nix::unistd::getpid());
        assert!(process.now() >= clock.now());
        let started = clock.started_now();
        assert!(started.now() < clock.now());
    }
}
