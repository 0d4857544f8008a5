//! From the master to the slave: the line discipline.

use std::collections::VecDeque;

use syscalls::abi::tty::{InputModes, LocalModes};

use super::Effects;
use super::output::Output;
use super::settings::{Char, Settings};
use crate::signal::Signal;
use crate::wait::Ready;

/// Bytes that wait for the slave's reader, at most (N_TTY_BUF_SIZE).
const LIMIT: usize = 4096;

/// See the module.
#[derive(Default)]
pub(super) struct Input {
    /// What readers can have.
    ready: VecDeque<u8>,
    /// Lengths of the lines in `ready`, in canonical mode; each ends with its delimiter,
    /// but one that was ended by ^D, which may be empty.
    lines: VecDeque<usize>,
    /// The line that is being typed.
    line: Vec<u8>,
    /// The next byte is taken as it is (^V).
    literal: bool,
}

impl Input {
    /// Room for what the master writes.
    pub(super) fn room(&self, settings: &Settings) -> usize {
        // In canonical mode a full line is refused byte by byte, with a bell, so that a
        // line feed still gets through.
        if settings.canonical() && self.lines.is_empty() {
            LIMIT
        } else {
            LIMIT.saturating_sub(self.ready.len())
        }
    }

    /// Forgets everything that nobody has read (TCIFLUSH).
    pub(super) fn clear(&mut self) {
        self.ready.clear();
        self.lines.clear();
        self.line.clear();
        self.literal = false;
    }

    /// FIONREAD.
    pub(super) fn len(&self, settings: &Settings) -> usize {
        if settings.canonical() {
            self.lines.iter().sum()
        } else {
            self.ready.len()
        }
    }

    /// True if a read would not wait.
    pub(super) fn is_ready(&self, settings: &Settings) -> bool {
        if settings.canonical() {
            !self.lines.is_empty()
        } else {
            // With a time, what has come is taken, and the rest waited for.
            let least = match settings.patience() {
                (least, None) => least.clamp(1, LIMIT),
                (_, Some(_)) => 1,
            };
            self.ready.len() >= least
        }
    }

    /// The settings changed from line by line to byte by byte or back: what was typed is
    /// not lost.
    pub(super) fn mode_changed(&mut self, canonical: bool) {
        if canonical {
            let waiting = self.ready.len();
            self.lines = if waiting > 0 {
                VecDeque::from([waiting])
            } else {
                VecDeque::new()
            };
        } else {
            self.lines.clear();
            let line = std::mem::take(&mut self.line);
            self.ready.extend(line);
        }
    }

    /// Takes what one read of `max` bytes gets; `None` if it has to wait.
    pub(super) fn take(&mut self, settings: &Settings, max: usize) -> Option<Vec<u8>> {
        let count = if settings.canonical() {
            let line = self.lines.front_mut()?;
            let count = max.min(*line);
            *line -= count;
            if *line == 0 {
                self.lines.pop_front();
            }
            count
        } else {
            max.min(self.ready.len())
        };
        if count == 0 && !settings.canonical() {
            return None;
        }
        Some(self.ready.drain(..count).collect())
    }

    /// A byte was typed.
    pub(super) fn typed(
        &mut self,
        settings: &Settings,
        output: &mut Output,
        byte: u8,
        effects: &mut Effects,
    ) {
        let has = |mode| settings.input.contains(mode);
        let mut byte = if has(InputModes::ISTRIP) {
            byte & 0x7f
        } else {
            byte
        };
        if has(InputModes::IUCLC) && settings.has(LocalModes::IEXTEN) {
            byte = byte.to_ascii_lowercase();
        }
        if std::mem::take(&mut self.literal) {
            self.accept(settings, output, byte, effects);
            return;
        }
        if settings.has(LocalModes::IEXTEN)
            && settings.canonical()
            && settings.is(Char::LNext, byte)
        {
            self.literal = true;
            if settings.has(LocalModes::ECHO) && settings.has(LocalModes::ECHOCTL) {
                output.echo_bytes(b"^\x08");
            }
            return;
        }
        if has(InputModes::IXON) {
            if settings.is(Char::Stop, byte) {
                output.stopped = true;
                return;
            }
            if settings.is(Char::Start, byte) || (output.stopped && has(InputModes::IXANY)) {
                output.stopped = false;
                effects.slave |= Ready::WRITABLE;
                effects.master |= Ready::READABLE;
                if settings.is(Char::Start, byte) {
                    return;
                }
            }
        }
        if settings.has(LocalModes::ISIG)
            && let Some(signal) = signal_of(settings, byte)
        {
            self.signal(settings, output, byte, signal, effects);
            return;
        }
        match byte {
            b'\r' if has(InputModes::IGNCR) => return,
            b'\r' if has(InputModes::ICRNL) => byte = b'\n',
            b'\n' if has(InputModes::INLCR) => byte = b'\r',
            _ => {}
        }
        if settings.canonical() && self.edits(settings, output, byte, effects) {
            return;
        }
        self.accept(settings, output, byte, effects);
    }

    fn signal(
        &mut self,
        settings: &Settings,
        output: &mut Output,
        byte: u8,
        signal: Signal,
        effects: &mut Effects,
    ) {
        if !settings.has(LocalModes::NOFLSH) {
            self.clear();
            output.queue.skip(usize::MAX);
        }
        if settings.has(LocalModes::ECHO) {
            output.echo(settings, byte);
        }
        output.stopped = false;
        effects.signal = Some(signal);
        effects.master |= Ready::READABLE;
        effects.slave |= Ready::WRITABLE;
    }

    /// Line editing; false if the byte is an ordinary one.
    fn edits(
        &mut self,
        settings: &Settings,
        output: &mut Output,
        byte: u8,
        effects: &mut Effects,
    ) -> bool {
        let extended = settings.has(LocalModes::IEXTEN);
        if settings.is(Char::Erase, byte) {
            self.erase_one(settings, output);
        } else if extended && settings.is(Char::WErase, byte) {
            let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 128;
            while self.line.last().is_some_and(|byte| !word(byte)) {
                self.erase_one(settings, output);
            }
            while self.line.last().is_some_and(word) {
                self.erase_one(settings, output);
            }
        } else if settings.is(Char::Kill, byte) {
            self.kill(settings, output);
        } else if settings.is(Char::Eof, byte) {
            self.end_line(effects);
        } else if extended && settings.is(Char::Reprint, byte) && settings.has(LocalModes::ECHO) {
            output.echo(settings, byte);
            output.write(settings, b"\n");
            let line = self.line.clone();
            line.into_iter()
                .for_each(|byte| output.echo(settings, byte));
        } else {
            return false;
        }
        effects.master |= Ready::READABLE;
        true
    }

    fn kill(&mut self, settings: &Settings, output: &mut Output) {
        if settings.has(LocalModes::ECHOKE) && settings.has(LocalModes::ECHOE) {
            while !self.line.is_empty() {
                self.erase_one(settings, output);
            }
            return;
        }
        self.line.clear();
        if settings.has(LocalModes::ECHO) {
            output.echo(settings, settings.char(Char::Kill));
            if settings.has(LocalModes::ECHOK) {
                output.write(settings, b"\n");
            }
        }
    }

    /// Takes the last character, all its bytes, off the line and off the screen.
    fn erase_one(&mut self, settings: &Settings, output: &mut Output) {
        let utf8 = settings.input.contains(InputModes::IUTF8);
        let Some(mut last) = self.line.pop() else {
            return;
        };
        while utf8 && last & 0xc0 == 0x80 {
            match self.line.pop() {
                Some(byte) => last = byte,
                None => break,
            }
        }
        if !settings.has(LocalModes::ECHO) {
            return;
        }
        if !settings.has(LocalModes::ECHOE) {
            output.echo(settings, settings.char(Char::Erase));
            return;
        }
        let control = last < 32 || last == 127;
        let width = match last {
            b'\t' => 8 - output.column.saturating_sub(1) % 8,
            _ if control && settings.has(LocalModes::ECHOCTL) => 2,
            _ if control => 0,
            _ => 1,
        };
        for _ in 0..width {
            output.column = output.column.saturating_sub(1);
            output.echo_bytes(b"\x08 \x08");
        }
    }

    /// An ordinary byte.
    fn accept(
        &mut self,
        settings: &Settings,
        output: &mut Output,
        byte: u8,
        effects: &mut Effects,
    ) {
        let waiting = self.ready.len() + self.line.len();
        let ends = settings.canonical() && is_delimiter(settings, byte);
        if waiting >= LIMIT - 1 && !(ends && waiting < LIMIT) {
            if settings.input.contains(InputModes::IMAXBEL) {
                output.echo_bytes(b"\x07");
                effects.master |= Ready::READABLE;
            }
            return;
        }
        let shown = settings.has(LocalModes::ECHO)
            || (byte == b'\n' && settings.has(LocalModes::ECHONL) && settings.canonical());
        if shown {
            output.echo(settings, byte);
            effects.master |= Ready::READABLE;
        }
        if !settings.canonical() {
            self.ready.push_back(byte);
            effects.slave |= Ready::READABLE;
            return;
        }
        self.line.push(byte);
        if ends {
            self.end_line(effects);
        }
    }

    fn end_line(&mut self, effects: &mut Effects) {
        let line = std::mem::take(&mut self.line);
        self.lines.push_back(line.len());
        self.ready.extend(line);
        effects.slave |= Ready::READABLE;
    }
}

fn is_delimiter(settings: &Settings, byte: u8) -> bool {
    byte == b'\n'
        || settings.is(Char::Eol, byte)
        || (settings.has(LocalModes::IEXTEN) && settings.is(Char::Eol2, byte))
}

fn signal_of(settings: &Settings, byte: u8) -> Option<Signal> {
    let which = [
        (Char::Intr, Signal::INT),
        (Char::Quit, Signal::QUIT),
        (Char::Susp, Signal::TSTP),
    ];
    which
        .into_iter()
        .find(|(which, _)| settings.is(*which, byte))
        .map(|(_, signal)| signal)
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::{Effects, Input, Output};
    use crate::signal::Signal;
    use crate::vfs::Sink;
    use syscalls::abi::tty::LocalModes;

    fn feed(settings: &Settings, text: &[u8]) -> (Input, Vec<u8>, Effects) {
        let (mut input, mut output, mut effects) =
            (Input::default(), Output::default(), Effects::default());
        for &byte in text {
            input.typed(settings, &mut output, byte, &mut effects);
        }
        let mut shown = vec![0; output.queue.len()];
        output
            .queue
            .read(&mut Sink::kernel(&mut shown), usize::MAX)
            .expect("kernel memory");
        (input, shown, effects)
    }

    #[test]
    fn lines_come_whole_and_edited() {
        let settings = Settings::default();
        let (mut input, shown, _) = feed(&settings, b"abx\x7fc\rnext");
        assert_eq!(shown, b"abx\x08 \x08c\r\nnext");
        assert_eq!(input.take(&settings, 100).as_deref(), Some(&b"abc\n"[..]));
        assert_eq!(input.take(&settings, 100), None);
    }

    #[test]
    fn a_short_read_leaves_the_rest_of_the_line() {
        let settings = Settings::default();
        let (mut input, _, _) = feed(&settings, b"abc\nd\n");
        assert_eq!(input.take(&settings, 2).as_deref(), Some(&b"ab"[..]));
        assert_eq!(input.take(&settings, 9).as_deref(), Some(&b"c\n"[..]));
        assert_eq!(input.take(&settings, 9).as_deref(), Some(&b"d\n"[..]));
    }

    #[test]
    fn end_of_file_is_an_empty_line() {
        let settings = Settings::default();
        let (mut input, _, _) = feed(&settings, b"x\x04\x04");
        assert_eq!(input.take(&settings, 9).as_deref(), Some(&b"x"[..]));
        assert_eq!(input.take(&settings, 9).as_deref(), Some(&b""[..]));
        assert_eq!(input.take(&settings, 9), None);
    }

    #[test]
    fn interrupt_discards_and_signals() {
        let settings = Settings::default();
        let (input, shown, effects) = feed(&settings, b"abc\x03");
        assert_eq!(effects.signal, Some(Signal::INT));
        assert_eq!(shown, b"^C");
        assert!(!input.is_ready(&settings));
    }

    #[test]
    fn raw_mode_gives_bytes_at_once() {
        let mut settings = Settings::default();
        settings.local -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        let (mut input, shown, effects) = feed(&settings, b"a\x03");
        assert!(shown.is_empty() && effects.signal.is_none());
        assert_eq!(input.take(&settings, 9).as_deref(), Some(&b"a\x03"[..]));
    }
}
