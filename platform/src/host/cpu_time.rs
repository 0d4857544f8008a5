//! Processor time of threads and processes, clock_getcpuclockid(3).

use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

/// The processor time of one thread of this process, or of another process.
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock(ClockId);

/// In a clock's number: scheduler time; of a thread, not of its process.
const SCHEDULER: i32 = 2;
const PER_THREAD: i32 = 4;

impl ThreadClock {
    /// The calling thread's.
    #[must_use]
    pub fn of_this_thread() -> Self {
        let tid = nix::unistd::gettid().as_raw();
        ThreadClock(ClockId::from_raw((!tid << 3) | SCHEDULER | PER_THREAD))
    }

    /// That of all threads of the process `pid`.
    #[must_use]
    pub fn of_process(pid: Pid) -> Self {
        ThreadClock(ClockId::from_raw((!pid.as_raw() << 3) | SCHEDULER))
    }

    /// Time used so far; zero once the thread is gone.
    #[must_use]
    pub fn now(self) -> Duration {
        self.0.now().map_or(Duration::ZERO, Duration::from)
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
    }
}
