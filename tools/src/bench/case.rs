//! What is measured, and what it may cost.

/// A row of the report.
#[derive(Clone, Copy)]
pub(super) struct Case {
    /// As the guest program and `--only` know it.
    pub(super) name: &'static str,
    /// What a reader of the table should know it as.
    pub(super) title: &'static str,
    /// What runsk may take.
    pub(super) target: Target,
    /// What it takes natively on the machine that the target was set on, microseconds.
    pub(super) reference: Option<f64>,
}

/// A goal. Absolute ones are for the machine of the references; on another one, their
/// ratio to native counts.
#[derive(Clone, Copy)]
pub(super) enum Target {
    None,
    /// Microseconds.
    Micros(f64),
    /// Times native.
    Native(f64),
}

use Target::{Micros, Native, None as Any};

const fn case(
    name: &'static str,
    title: &'static str,
    target: Target,
    reference: Option<f64>,
) -> Case {
    Case {
        name,
        title,
        target,
        reference,
    }
}

/// Calls, in the order of the table.
pub(super) const LATENCY: &[Case] = &[
    case("cpu", "pure CPU code", Native(1.0), None),
    case("getpid", "getpid, syscall(2)", Micros(0.3), Some(0.11)),
    case(
        "getpid-immediate",
        "getpid, mov imm; syscall",
        Micros(0.15),
        Some(0.10),
    ),
    case("clock-vdso", "clock_gettime, vDSO", Any, Some(0.02)),
    case("clock-call", "clock_gettime, call", Any, Some(0.17)),
    case(
        "read-zero",
        "read 1 B of /dev/zero",
        Micros(0.6),
        Some(0.17),
    ),
    case(
        "pread-4k",
        "pread 4 KiB, root, cached",
        Micros(0.8),
        Some(0.39),
    ),
    case("pread-4k-tmpfs", "pread 4 KiB, tmpfs", Any, Some(0.40)),
    case("pwrite-4k", "pwrite 4 KiB, root", Any, None),
    case("fstat", "fstat", Micros(0.6), Some(0.31)),
    case("stat", "stat, cached", Micros(1.5), Some(0.72)),
    case(
        "stat-missing",
        "stat ENOENT, cached",
        Micros(1.2),
        Some(0.41),
    ),
    case("open-close", "open+close", Micros(3.0), Some(1.56)),
    case(
        "create-unlink",
        "creat+unlink, root",
        Micros(40.0),
        Some(15.0),
    ),
    case(
        "create-unlink-tmpfs",
        "creat+unlink, tmpfs",
        Micros(5.0),
        None,
    ),
    case("read-1m", "read 1 MiB, cached", Micros(30.0), Some(21.0)),
    case("write-1m", "write 1 MiB, root", Micros(35.0), Some(25.0)),
    case("write-1m-tmpfs", "write 1 MiB, tmpfs", Any, Some(25.0)),
    case(
        "pipe-self",
        "pipe write+read by one task",
        Micros(1.2),
        Some(0.51),
    ),
    case("pipe-pingpong", "pipe ping-pong", Native(1.0), Some(46.0)),
    case("unix-pingpong", "unix socket ping-pong", Any, Some(46.0)),
    case("tcp-pingpong", "TCP loopback ping-pong", Any, Some(64.0)),
    case(
        "futex-wake",
        "futex wake, nobody waits",
        Micros(0.15),
        Some(0.17),
    ),
    case(
        "futex-pingpong",
        "futex ping-pong",
        Micros(12.0),
        Some(46.0),
    ),
    case("sched-yield", "sched_yield", Any, Some(0.41)),
    case("epoll-ready", "epoll_wait, ready", Any, Some(0.30)),
    case("signal-self", "signal to self", Micros(6.0), Some(2.1)),
    case(
        "segv-mprotect",
        "SEGV handler + 2 mprotect",
        Micros(30.0),
        Some(5.4),
    ),
    case("mprotect", "mprotect", Any, Some(2.1)),
    case(
        "mmap-4k",
        "mmap+touch+munmap 4 KiB",
        Micros(25.0),
        Some(7.5),
    ),
    case(
        "mmap-1m",
        "mmap+touch+munmap 1 MiB",
        Micros(500.0),
        Some(413.0),
    ),
    case("thread", "thread create+join", Micros(70.0), Some(38.0)),
    case("fork", "fork+exit+wait", Micros(450.0), Some(131.0)),
    case("fork-exec", "fork+exec+wait", Micros(1200.0), Some(488.0)),
    case("vfork-exec", "vfork+exec+wait", Micros(900.0), Some(424.0)),
];

/// With a busy neighbour or a single processor, this is what a call may take.
const CROWDED: [(&str, Target); 2] = [("getpid", Micros(8.0)), ("getpid-immediate", Micros(8.0))];

/// The goals that hold on a crowded machine.
pub(super) fn crowded(case: &Case) -> Case {
    let target = CROWDED.iter().find(|(name, _)| *name == case.name);
    Case {
        target: target.map_or(Any, |&(_, target)| target),
        reference: None,
        ..*case
    }
}

pub(super) const LIFECYCLE: Case = case(
    "lifecycle",
    "run of a program that does nothing",
    Micros(15_000.0),
    None,
);

/// Kilobytes, not microseconds: see the part's own table.
pub(super) const IDLE_MEMORY: Case = case("idle-memory", "PSS, KiB", Micros(8192.0), None);

pub(super) const IDLE_TIME: Case = case(
    "idle-time",
    "processor time, µs in a second",
    Micros(1000.0),
    None,
);

pub(super) const MANY_IN_A_ROW: Case = case(
    "many-in-a-row",
    "100 lives one after the other, µs",
    Micros(15_000.0),
    None,
);

pub(super) const MANY_AT_ONCE: Case = case("many-at-once", "50 lives at once, µs", Any, None);

/// Kilobytes, as [`IDLE_MEMORY`].
pub(super) const MANY_IDLE: Case =
    case("many-idle", "50 that sleep: PSS, KiB", Micros(8192.0), None);

pub(super) const MANY_WITH_COMMANDS: Case = case(
    "many-with-commands",
    "… with the commands that wait, KiB",
    Any,
    None,
);

const CPU_BOUND: Target = Native(1.15);
const OTHER: Target = Native(2.0);

/// Whole programs; what each does is in `scripts`.
pub(super) const PROGRAMS: &[Case] = &[
    case("python", "python3 -c pass", OTHER, None),
    case("gcc", "gcc of a 2,000-line file", CPU_BOUND, None),
    case("git-status", "git status, 5,000 files", OTHER, None),
    case(
        "find-cold",
        "find over 50,000 files, first time",
        OTHER,
        None,
    ),
    case("find-warm", "find over 50,000 files, again", OTHER, None),
    case("tar", "tar of /usr/share", OTHER, None),
    case("sqlite", "sqlite3, 10,000 inserts, WAL", OTHER, None),
    case("redis", "redis-benchmark, unix socket", OTHER, None),
    case(
        "make",
        "make -j2 of a Debian source package",
        CPU_BOUND,
        None,
    ),
];
