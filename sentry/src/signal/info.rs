//! What comes with a signal: `siginfo_t`, sigaction(2). The union's layouts stand here.

use syscalls::UserAddr;
use syscalls::abi::signal::Siginfo;

use super::Signal;
use crate::task::Pid;

/// `si_code` of signals from kill(2).
pub const SI_USER: i32 = 0;
/// `si_code` of signals from the kernel itself.
pub const SI_KERNEL: i32 = 0x80;
/// `si_code` of signals from sigqueue(3).
pub const SI_QUEUE: i32 = -1;
/// `si_code` of signals from timers of timer_create(2).
pub const SI_TIMER: i32 = -2;
/// `si_code` of signals from message queues.
pub const SI_MESGQ: i32 = -3;
/// `si_code` of signals from tkill(2) and tgkill(2).
pub const SI_TKILL: i32 = -6;

/// `si_code` of SIGCHLD: why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "named as in waitid(2)")]
pub enum ChildCode {
    Exited = 1,
    Killed = 2,
    Dumped = 3,
    Trapped = 4,
    Stopped = 5,
    Continued = 6,
}

fn two(low: i32, high: u32) -> u64 {
    u64::from(low.cast_unsigned()) | u64::from(high) << 32
}

fn with(signal: Signal, code: i32, fields: &[u64]) -> Siginfo {
    let mut info = Siginfo {
        signo: signal.raw(),
        code,
        ..Siginfo::default()
    };
    for (to, from) in info.fields.iter_mut().zip(fields) {
        *to = *from;
    }
    info
}

/// From the kernel, without more to say.
#[must_use]
pub fn from_kernel(signal: Signal) -> Siginfo {
    with(signal, SI_KERNEL, &[])
}

/// From a process: `code` is [`SI_USER`] or [`SI_TKILL`].
#[must_use]
pub fn from_process(signal: Signal, code: i32, pid: Pid, uid: u32) -> Siginfo {
    with(signal, code, &[two(pid, uid)])
}

/// A fault at `addr`.
#[must_use]
pub fn fault(signal: Signal, code: i32, addr: UserAddr) -> Siginfo {
    with(signal, code, &[addr.get()])
}

/// A change of a child. `status` is the exit code or the signal; times in clock ticks.
#[must_use]
pub fn child(
    signal: Signal,
    code: ChildCode,
    (pid, uid): (Pid, u32),
    status: i32,
    (utime, stime): (u64, u64),
) -> Siginfo {
    let status = u64::from(status.cast_unsigned());
    with(signal, code as i32, &[two(pid, uid), status, utime, stime])
}

/// An expired timer of timer_create(2).
#[must_use]
pub fn timer(signal: Signal, id: i32, overrun: i32, value: u64) -> Siginfo {
    with(signal, SI_TIMER, &[two(id, overrun.cast_unsigned()), value])
}

/// A message queue's notification; `code` [`SI_MESGQ`].
#[must_use]
pub fn queued(signal: Signal, code: i32, pid: Pid, uid: u32, value: u64) -> Siginfo {
    with(signal, code, &[two(pid, uid), value])
}

/// I/O became possible, fcntl(2) F_SETSIG: `band` are poll(2)'s bits.
#[must_use]
pub fn io(signal: Signal, code: i32, band: u32, fd: i32) -> Siginfo {
    with(
        signal,
        code,
        &[u64::from(band), u64::from(fd.cast_unsigned())],
    )
}

/// A system call that a filter refuses, seccomp(2).
#[must_use]
pub fn seccomp(addr: UserAddr, number: i32, arch: u32, errno: i32) -> Siginfo {
    const SYS_SECCOMP: i32 = 1;
    let mut info = with(Signal::SYS, SYS_SECCOMP, &[addr.get(), two(number, arch)]);
    info.errno = errno;
    info
}

/// `si_pid` and `si_uid`, where the code says that they are there.
#[must_use]
pub fn sender(info: &Siginfo) -> (Pid, u32) {
    let [first, ..] = info.fields;
    let low = u32::try_from(first & 0xffff_ffff).unwrap_or(0);
    let high = u32::try_from(first >> 32).unwrap_or(0);
    (low.cast_signed(), high)
}
