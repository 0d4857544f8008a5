//! Signal numbers and sets of them, signal(7).

use std::fmt;

use syscalls::Errno;
use syscalls::errno::EINVAL;

/// A signal, 1..=64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

macro_rules! signals {
    ($($name:ident = $number:literal)*) => {
        #[allow(missing_docs, reason = "named as in signal(7), without SIG")]
        impl Signal {
            $(pub const $name: Signal = Signal($number);)*

            fn name(self) -> Option<&'static str> {
                match self.0 { $($number => Some(concat!("SIG", stringify!($name))),)* _ => None }
            }
        }
    };
}

signals! {
    HUP = 1 INT = 2 QUIT = 3 ILL = 4 TRAP = 5 ABRT = 6 BUS = 7 FPE = 8 KILL = 9 USR1 = 10
    SEGV = 11 USR2 = 12 PIPE = 13 ALRM = 14 TERM = 15 STKFLT = 16 CHLD = 17 CONT = 18
    STOP = 19 TSTP = 20 TTIN = 21 TTOU = 22 URG = 23 XCPU = 24 XFSZ = 25 VTALRM = 26
    PROF = 27 WINCH = 28 IO = 29 PWR = 30 SYS = 31
}

/// What a process does on a signal that it neither handles nor ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The process ends.
    Terminate,
    /// The process ends, and leaves a core file.
    Core,
    /// Nothing.
    Ignore,
    /// The process stops.
    Stop,
    /// A stopped process goes on; otherwise nothing.
    Continue,
}

impl Signal {
    /// How many there are.
    pub const COUNT: usize = 64;
    /// The first real-time signal, as the kernel counts.
    pub const RT_MIN: Signal = Signal(32);

    /// From a guest's number; `EINVAL` outside 1..=64.
    pub fn new(raw: i32) -> Result<Self, Errno> {
        match u8::try_from(raw) {
            Ok(number @ 1..=64) => Ok(Signal(number)),
            _ => Err(EINVAL),
        }
    }

    /// As [`Self::new`], with 0 for "none": kill(2), prctl(2), clone(2).
    pub fn or_none(raw: i32) -> Result<Option<Self>, Errno> {
        if raw == 0 {
            Ok(None)
        } else {
            Self::new(raw).map(Some)
        }
    }

    /// The number.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0 as i32
    }

    /// 0..=63, for tables.
    #[must_use]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// True for signals of which several may be pending.
    #[must_use]
    pub fn is_realtime(self) -> bool {
        self >= Self::RT_MIN
    }

    /// See [`DefaultAction`].
    #[must_use]
    pub fn default_action(self) -> DefaultAction {
        match self {
            Self::CHLD | Self::URG | Self::WINCH => DefaultAction::Ignore,
            Self::CONT => DefaultAction::Continue,
            Self::STOP | Self::TSTP | Self::TTIN | Self::TTOU => DefaultAction::Stop,
            Self::QUIT
            | Self::ILL
            | Self::TRAP
            | Self::ABRT
            | Self::BUS
            | Self::FPE
            | Self::SEGV
            | Self::XCPU
            | Self::XFSZ
            | Self::SYS => DefaultAction::Core,
            _ => DefaultAction::Terminate,
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "SIGRT_{}", self.0 - Self::RT_MIN.0),
        }
    }
}

/// A set of signals; bit 0 is signal 1.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct SigSet(u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// The two that can be neither blocked, nor handled, nor ignored.
    pub const UNBLOCKABLE: SigSet = SigSet::of(&[Signal::KILL, Signal::STOP]);
    /// Those that stop a process by default.
    pub const STOPPING: SigSet =
        SigSet::of(&[Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU]);
    /// Those that a thread's own instructions cause; they are taken before others.
    pub const SYNCHRONOUS: SigSet = SigSet::of(&[
        Signal::SEGV,
        Signal::BUS,
        Signal::ILL,
        Signal::TRAP,
        Signal::FPE,
        Signal::SYS,
    ]);

    /// From the ABI's `sigset_t`.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        SigSet(bits)
    }

    /// The ABI's `sigset_t`.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// These signals.
    #[must_use]
    pub const fn of(signals: &[Signal]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < signals.len() {
            bits |= 1 << signals[at].index();
            at += 1;
        }
        SigSet(bits)
    }

    /// True if it is a member.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << signal.index()) != 0
    }

    /// True without members.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Members of either.
    #[must_use]
    pub const fn union(self, other: SigSet) -> Self {
        SigSet(self.0 | other.0)
    }

    /// Members of both.
    #[must_use]
    pub const fn intersection(self, other: SigSet) -> Self {
        SigSet(self.0 & other.0)
    }

    /// Members that are not in `other`.
    #[must_use]
    pub const fn without(self, other: SigSet) -> Self {
        SigSet(self.0 & !other.0)
    }

    /// All others.
    #[must_use]
    pub const fn complement(self) -> Self {
        SigSet(!self.0)
    }

    /// Adds one.
    pub fn insert(&mut self, signal: Signal) {
        self.0 |= 1 << signal.index();
    }

    /// Takes one out.
    pub fn remove(&mut self, signal: Signal) {
        self.0 &= !(1 << signal.index());
    }

    /// The member with the lowest number.
    #[must_use]
    pub fn lowest(self) -> Option<Signal> {
        let index = u8::try_from(self.0.trailing_zeros()).ok()?;
        (index < 64).then_some(Signal(index + 1))
    }

    /// Members by rising number.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=64)
            .map(Signal)
            .filter(move |&signal| self.contains(signal))
    }
}

impl fmt::Debug for SigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{SigSet, Signal};

    #[test]
    fn numbers() {
        assert!(Signal::new(0).is_err() && Signal::new(65).is_err() && Signal::new(-1).is_err());
        assert_eq!(Signal::new(64).map(Signal::index), Ok(63));
        assert_eq!(format!("{:?}", Signal::TERM), "SIGTERM");
        assert_eq!(
            SigSet::from_bits(1 << 63).lowest().map(Signal::raw),
            Some(64)
        );
        assert_eq!(SigSet::EMPTY.lowest(), None);
        assert_eq!(SigSet::UNBLOCKABLE.bits(), (1 << 8) | (1 << 18));
    }
}
