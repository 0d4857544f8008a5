//! What comes with a signal: `siginfo_t`, sigaction(2), and its form in signalfd(2).

use crate::abi::layout;
use crate::flags::numbers;
use crate::uaddr::UserAddr;

layout! {
    /// What came with a signal, sigaction(2). Which fields there are depends on `code`
    /// and `signo`; the constructors and accessors name them.
    pub struct Siginfo {
        pub signo: i32,
        pub errno: i32,
        pub code: i32,
        pub pad0: u32,
        /// The union, 112 bytes.
        pub fields: [u64; 14],
    }

    /// What read(2) gives from a signalfd(2).
    pub struct SignalfdSiginfo {
        pub signo: u32,
        pub errno: i32,
        pub code: i32,
        pub pid: u32,
        pub uid: u32,
        pub fd: i32,
        pub tid: u32,
        pub band: u32,
        pub overrun: u32,
        pub trapno: u32,
        pub status: i32,
        pub int: i32,
        pub ptr: u64,
        pub utime: u64,
        pub stime: u64,
        pub addr: u64,
        pub addr_lsb: u16,
        pub pad0: u16,
        pub syscall: i32,
        pub call_addr: u64,
        pub arch: u32,
        pub pad1: [u32; 7],
    }
}

const fn bits(value: i32) -> u32 {
    u32::from_ne_bytes(value.to_ne_bytes())
}

const fn signed(bits: u32) -> i32 {
    i32::from_ne_bytes(bits.to_ne_bytes())
}

const fn bits64(value: i64) -> u64 {
    u64::from_ne_bytes(value.to_ne_bytes())
}

const fn signed64(bits: u64) -> i64 {
    i64::from_ne_bytes(bits.to_ne_bytes())
}

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half is meant")]
const fn low(word: u64) -> u32 {
    word as u32
}

#[allow(clippy::cast_possible_truncation, reason = "the upper half is meant")]
const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

impl Siginfo {
    const fn new(signo: i32, code: i32) -> Self {
        Siginfo {
            signo,
            errno: 0,
            code,
            pad0: 0,
            fields: [0; 14],
        }
    }

    /// Sent by the kernel for no further reason (`SI_KERNEL`).
    #[must_use]
    pub const fn kernel(signo: i32) -> Self {
        Self::new(signo, SI_KERNEL)
    }

    /// Sent by a process: kill(2) (`SI_USER`), tgkill(2) (`SI_TKILL`).
    #[must_use]
    pub const fn kill(signo: i32, code: i32, pid: i32, uid: u32) -> Self {
        let mut info = Self::new(signo, code);
        info.fields[0] = pair(bits(pid), uid);
        info
    }

    /// Sent by a process with a word: sigqueue(3) (`SI_QUEUE`), mq_notify(3) (`SI_MESGQ`).
    #[must_use]
    pub const fn queue(signo: i32, code: i32, pid: i32, uid: u32, value: u64) -> Self {
        let mut info = Self::kill(signo, code, pid, uid);
        info.fields[1] = value;
        info
    }

    /// A timer of timer_create(2) expired `overrun` times more than it was told of.
    #[must_use]
    pub const fn timer(signo: i32, timer: i32, overrun: i32, value: u64) -> Self {
        let mut info = Self::new(signo, SI_TIMER);
        info.fields[0] = pair(bits(timer), bits(overrun));
        info.fields[1] = value;
        info
    }

    /// SIGCHLD. `code` is one of the `CLD_` codes, `status` an exit status or a signal,
    /// the times are in clock ticks of 1/100 s.
    #[must_use]
    pub const fn child(code: i32, pid: i32, uid: u32, status: i32, utime: i64, stime: i64) -> Self {
        let mut info = Self::kill(SIGCHLD, code, pid, uid);
        info.fields[1] = pair(bits(status), 0);
        info.fields[2] = bits64(utime);
        info.fields[3] = bits64(stime);
        info
    }

    /// SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP at an address.
    #[must_use]
    pub const fn fault(signo: i32, code: i32, addr: UserAddr) -> Self {
        let mut info = Self::new(signo, code);
        info.fields[0] = addr.get();
        info
    }

    /// A descriptor became ready (`F_SETSIG`, fcntl(2)).
    #[must_use]
    pub const fn poll(signo: i32, code: i32, band: i64, fd: i32) -> Self {
        let mut info = Self::new(signo, code);
        info.fields[0] = bits64(band);
        info.fields[1] = pair(bits(fd), 0);
        info
    }

    /// SIGSYS from seccomp(2): `data` is what the filter returned beside its action.
    #[must_use]
    pub const fn seccomp(at: UserAddr, syscall: i32, arch: u32, data: u16) -> Self {
        let mut info = Self::new(SIGSYS, SYS_SECCOMP);
        info.errno = data as i32;
        info.fields[0] = at.get();
        info.fields[1] = pair(bits(syscall), arch);
        info
    }

    /// The same from another sender.
    #[must_use]
    pub const fn with_pid(self, pid: i32) -> Self {
        let mut new = self;
        new.fields[0] = pair(bits(pid), high(self.fields[0]));
        new
    }

    /// The same from another user.
    #[must_use]
    pub const fn with_uid(self, uid: u32) -> Self {
        let mut new = self;
        new.fields[0] = pair(low(self.fields[0]), uid);
        new
    }

    /// The sender or child.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        signed(low(self.fields[0]))
    }

    /// The sender's or child's real user.
    #[must_use]
    pub const fn uid(&self) -> u32 {
        high(self.fields[0])
    }

    /// The word of sigqueue(3), timers and message queues.
    #[must_use]
    pub const fn value(&self) -> u64 {
        self.fields[1]
    }

    /// The child's exit status or signal.
    #[must_use]
    pub const fn status(&self) -> i32 {
        signed(low(self.fields[1]))
    }

    /// The child's times in user and kernel mode, in clock ticks.
    #[must_use]
    pub const fn child_times(&self) -> (i64, i64) {
        (signed64(self.fields[2]), signed64(self.fields[3]))
    }

    /// Which timer.
    #[must_use]
    pub const fn timer_id(&self) -> i32 {
        signed(low(self.fields[0]))
    }

    /// How often the timer expired besides.
    #[must_use]
    pub const fn overrun(&self) -> i32 {
        signed(high(self.fields[0]))
    }

    /// Where the fault was.
    #[must_use]
    pub const fn addr(&self) -> UserAddr {
        UserAddr::new(self.fields[0])
    }

    /// Events of the descriptor.
    #[must_use]
    pub const fn band(&self) -> i64 {
        signed64(self.fields[0])
    }

    /// The descriptor.
    #[must_use]
    pub const fn fd(&self) -> i32 {
        signed(low(self.fields[1]))
    }

    /// The refused system call and its architecture.
    #[must_use]
    pub const fn syscall(&self) -> (i32, u32) {
        (signed(low(self.fields[1])), high(self.fields[1]))
    }
}

numbers! {
    /// Signals, signal(7). Numbers from 32 on are the real-time signals.
    pub const SIGNALS: i32 {
        SIGHUP = 1;
        SIGINT = 2;
        SIGQUIT = 3;
        SIGILL = 4;
        SIGTRAP = 5;
        SIGABRT = 6;
        SIGBUS = 7;
        SIGFPE = 8;
        SIGKILL = 9;
        SIGUSR1 = 10;
        SIGSEGV = 11;
        SIGUSR2 = 12;
        SIGPIPE = 13;
        SIGALRM = 14;
        SIGTERM = 15;
        SIGSTKFLT = 16;
        SIGCHLD = 17;
        SIGCONT = 18;
        SIGSTOP = 19;
        SIGTSTP = 20;
        SIGTTIN = 21;
        SIGTTOU = 22;
        SIGURG = 23;
        SIGXCPU = 24;
        SIGXFSZ = 25;
        SIGVTALRM = 26;
        SIGPROF = 27;
        SIGWINCH = 28;
        SIGIO = 29;
        SIGPWR = 30;
        SIGSYS = 31;
    }

    /// `si_code` of any signal, sigaction(2). Positive ones come from the kernel.
    pub const SIGNAL_CODES: i32 {
        SI_USER = 0;
        SI_KERNEL = 0x80;
        SI_QUEUE = -1;
        SI_TIMER = -2;
        SI_MESGQ = -3;
        SI_ASYNCIO = -4;
        SI_SIGIO = -5;
        SI_TKILL = -6;
    }

    /// `si_code` of SIGCHLD.
    pub const CHILD_CODES: i32 {
        CLD_EXITED = 1;
        CLD_KILLED = 2;
        CLD_DUMPED = 3;
        CLD_TRAPPED = 4;
        CLD_STOPPED = 5;
        CLD_CONTINUED = 6;
    }

    /// `si_code` of the signals that an instruction causes, and of SIGSYS.
    pub const FAULT_CODES: i32 {
        ILL_ILLOPC = 1;
        ILL_ILLOPN = 2;
        ILL_ILLADR = 3;
        ILL_ILLTRP = 4;
        ILL_PRVOPC = 5;
        FPE_INTDIV = 1;
        FPE_INTOVF = 2;
        FPE_FLTDIV = 3;
        FPE_FLTOVF = 4;
        FPE_FLTUND = 5;
        FPE_FLTRES = 6;
        FPE_FLTINV = 7;
        SEGV_MAPERR = 1;
        SEGV_ACCERR = 2;
        BUS_ADRALN = 1;
        BUS_ADRERR = 2;
        BUS_OBJERR = 3;
        TRAP_BRKPT = 1;
        TRAP_TRACE = 2;
        TRAP_HWBKPT = 4;
        SYS_SECCOMP = 1;
    }

    /// `si_code` of the signal chosen by `F_SETSIG`, fcntl(2).
    pub const POLL_CODES: i32 {
        POLL_IN = 1;
        POLL_OUT = 2;
        POLL_MSG = 3;
        POLL_ERR = 4;
        POLL_PRI = 5;
        POLL_HUP = 6;
    }
}

/// The highest signal number.
pub const NSIG: i32 = 64;
/// The first real-time signal as the kernel counts.
pub const SIGRTMIN: i32 = 32;

#[cfg(test)]
mod tests {
    use super::{CLD_EXITED, SI_QUEUE, SIGCHLD, SIGUSR1, Siginfo};

    #[test]
    fn fields_come_back() {
        let info = Siginfo::child(CLD_EXITED, -7, 1000, -1, 5, 6);
        assert_eq!(
            (info.signo, info.pid(), info.uid(), info.status()),
            (SIGCHLD, -7, 1000, -1)
        );
        assert_eq!(info.child_times(), (5, 6));
        let info = Siginfo::queue(SIGUSR1, SI_QUEUE, 3, u32::MAX, u64::MAX);
        assert_eq!(
            (info.pid(), info.uid(), info.value()),
            (3, u32::MAX, u64::MAX)
        );
        let info = Siginfo::timer(SIGUSR1, -2, 9, 4);
        assert_eq!((info.timer_id(), info.overrun(), info.value()), (-2, 9, 4));
    }
}
