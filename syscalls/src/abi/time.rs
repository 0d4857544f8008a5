//! Clocks and timers, time(7).

use super::layout;
use crate::flags::{flags, numbers};

layout! {
    /// Seconds and nanoseconds, timespec(3type).
    pub struct Timespec {
        pub sec: i64,
        pub nsec: i64,
    }

    /// Seconds and microseconds, timeval(3type).
    pub struct Timeval {
        pub sec: i64,
        pub usec: i64,
    }

    /// gettimeofday(2).
    pub struct Timezone {
        pub minuteswest: i32,
        pub dsttime: i32,
    }

    /// A timer, setitimer(2).
    pub struct Itimerval {
        pub interval: Timeval,
        pub value: Timeval,
    }

    /// A timer, timer_settime(2).
    pub struct Itimerspec {
        pub interval: Timespec,
        pub value: Timespec,
    }

    /// Access and modification time in seconds, utime(2).
    pub struct Utimbuf {
        pub actime: i64,
        pub modtime: i64,
    }

    /// Processor time in clock ticks of 1/100 s, times(2).
    pub struct Tms {
        pub utime: i64,
        pub stime: i64,
        pub cutime: i64,
        pub cstime: i64,
    }

    /// The state of the clock's discipline, adjtimex(2).
    pub struct Timex {
        pub modes: u32,
        pub pad0: u32,
        pub offset: i64,
        pub freq: i64,
        pub maxerror: i64,
        pub esterror: i64,
        pub status: i32,
        pub pad1: u32,
        pub constant: i64,
        pub precision: i64,
        pub tolerance: i64,
        pub time: Timeval,
        pub tick: i64,
        pub ppsfreq: i64,
        pub jitter: i64,
        pub shift: i32,
        pub pad2: u32,
        pub stabil: i64,
        pub jitcnt: i64,
        pub calcnt: i64,
        pub errcnt: i64,
        pub stbcnt: i64,
        pub tai: i32,
        pub pad3: [i32; 11],
    }
}

numbers! {
    /// Clocks, clock_gettime(2). Negative numbers name a process's or thread's
    /// processor time or a clock device.
    pub const CLOCKS: i32 {
        CLOCK_REALTIME = 0;
        CLOCK_MONOTONIC = 1;
        CLOCK_PROCESS_CPUTIME_ID = 2;
        CLOCK_THREAD_CPUTIME_ID = 3;
        CLOCK_MONOTONIC_RAW = 4;
        CLOCK_REALTIME_COARSE = 5;
        CLOCK_MONOTONIC_COARSE = 6;
        CLOCK_BOOTTIME = 7;
        CLOCK_REALTIME_ALARM = 8;
        CLOCK_BOOTTIME_ALARM = 9;
        CLOCK_TAI = 11;
    }

    /// `which` of setitimer(2).
    pub const INTERVAL_TIMERS: i32 {
        ITIMER_REAL = 0;
        ITIMER_VIRTUAL = 1;
        ITIMER_PROF = 2;
    }
}

flags! {
    /// timer_settime(2) and clock_nanosleep(2).
    pub struct TimerFlags: u32, "TIMER_", ignored {
        ABSTIME = 1;
    }

    /// timerfd_create(2).
    pub struct TimerfdFlags: u32, "TFD_", refused {
        NONBLOCK = 0o4000;
        CLOEXEC = 0o2_000_000;
    }

    /// timerfd_settime(2).
    pub struct TimerfdSetFlags: u32, "TFD_TIMER_", refused {
        ABSTIME = 1;
        CANCEL_ON_SET = 2;
    }
}

/// Clock ticks per second in times(2) and /proc.
pub const USER_HZ: u64 = 100;
