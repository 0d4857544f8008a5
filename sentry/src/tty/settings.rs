//! What termios(3) sets.

use std::time::Duration;

use syscalls::abi::tty::{ControlModes, InputModes, LocalModes, OutputModes, Termio, Termios};

/// Modes and special characters of a terminal.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "named as in termios(3)")]
pub struct Settings {
    pub input: InputModes,
    pub output: OutputModes,
    pub control: ControlModes,
    pub local: LocalModes,
    pub line: u8,
    pub chars: [u8; 19],
}

/// Indices of special characters, as Linux has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
#[allow(missing_docs, reason = "named as in termios(3)")]
pub enum Char {
    Intr = 0,
    Quit = 1,
    Erase = 2,
    Kill = 3,
    Eof = 4,
    Time = 5,
    Min = 6,
    Start = 8,
    Stop = 9,
    Susp = 10,
    Eol = 11,
    Reprint = 12,
    WErase = 14,
    LNext = 15,
    Eol2 = 16,
}

/// No character: the function is off.
const DISABLED: u8 = 0;

impl Default for Settings {
    /// What Linux gives a new terminal: `stty sane` at 38400 baud.
    fn default() -> Self {
        let mut chars = [0; 19];
        let defaults: [(Char, u8); 12] = [
            (Char::Intr, 3),
            (Char::Quit, 28),
            (Char::Erase, 127),
            (Char::Kill, 21),
            (Char::Eof, 4),
            (Char::Min, 1),
            (Char::Start, 17),
            (Char::Stop, 19),
            (Char::Susp, 26),
            (Char::Reprint, 18),
            (Char::WErase, 23),
            (Char::LNext, 22),
        ];
        for (which, value) in defaults {
            chars[which as usize] = value;
        }
        // VDISCARD, which Linux does not act on.
        chars[13] = 15;
        Settings {
            input: InputModes::ICRNL | InputModes::IXON,
            output: OutputModes::OPOST | OutputModes::ONLCR,
            // B38400 | CS8 | CREAD
            control: ControlModes::from_bits_retain(0o17 | 0o60 | 0o200),
            local: LocalModes::ISIG
                | LocalModes::ICANON
                | LocalModes::ECHO
                | LocalModes::ECHOE
                | LocalModes::ECHOK
                | LocalModes::ECHOCTL
                | LocalModes::ECHOKE
                | LocalModes::IEXTEN,
            line: 0,
            chars,
        }
    }
}

impl Settings {
    /// As the guest gave them.
    #[must_use]
    pub fn from_abi(abi: &Termios) -> Self {
        Settings {
            input: InputModes::from_bits_retain(abi.iflag),
            output: OutputModes::from_bits_retain(abi.oflag),
            control: ControlModes::from_bits_retain(abi.cflag),
            local: LocalModes::from_bits_retain(abi.lflag),
            line: abi.line,
            chars: abi.cc,
        }
    }

    /// For the guest.
    #[must_use]
    pub fn to_abi(&self) -> Termios {
        Termios {
            iflag: self.input.bits(),
            oflag: self.output.bits(),
            cflag: self.control.bits(),
            lflag: self.local.bits(),
            line: self.line,
            cc: self.chars,
        }
    }

    /// As TCSETA gives them: what it has no room for stays.
    #[must_use]
    pub fn with_short(&self, short: &Termio) -> Self {
        let merge = |word: u32, half: u16| (word & !0xffff) | u32::from(half);
        let mut chars = self.chars;
        for (to, from) in chars.iter_mut().zip(short.cc) {
            *to = from;
        }
        Self::from_abi(&Termios {
            iflag: merge(self.input.bits(), short.iflag),
            oflag: merge(self.output.bits(), short.oflag),
            cflag: merge(self.control.bits(), short.cflag),
            lflag: merge(self.local.bits(), short.lflag),
            line: short.line,
            cc: chars,
        })
    }

    /// For TCGETA.
    #[must_use]
    pub fn to_short(&self) -> Termio {
        let half = |word: u32| u16::try_from(word & 0xffff).unwrap_or(0);
        let mut cc = [0; 8];
        for (to, from) in cc.iter_mut().zip(self.chars) {
            *to = from;
        }
        Termio {
            iflag: half(self.input.bits()),
            oflag: half(self.output.bits()),
            cflag: half(self.control.bits()),
            lflag: half(self.local.bits()),
            line: self.line,
            cc,
            pad: 0,
        }
    }

    /// The fewest bytes that a read waits for, byte by byte, and how long (VMIN, VTIME).
    #[must_use]
    pub(super) fn patience(&self) -> (usize, Option<Duration>) {
        let tenths = u64::from(self.char(Char::Time));
        let time = (tenths > 0).then(|| Duration::from_millis(100 * tenths));
        (self.char(Char::Min).into(), time)
    }

    /// A special character's byte.
    #[must_use]
    pub fn char(&self, which: Char) -> u8 {
        self.chars[which as usize]
    }

    /// True if `byte` is the special character.
    #[must_use]
    pub fn is(&self, which: Char, byte: u8) -> bool {
        byte != DISABLED && self.char(which) == byte
    }

    /// Line by line.
    #[must_use]
    pub fn canonical(&self) -> bool {
        self.local.contains(LocalModes::ICANON)
    }

    pub(super) fn has(&self, local: LocalModes) -> bool {
        self.local.contains(local)
    }
}
