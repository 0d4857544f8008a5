//! From the slave to the master: output processing, echoes.

use syscalls::abi::tty::{LocalModes, OutputModes};

use super::settings::Settings;
use crate::pipe::Ring;
use crate::vfs::Source;

/// Bytes that wait for the master's reader, at most; a writer waits then.
const LIMIT: usize = 65536;
/// Echoes go in even so, up to this.
const ECHO_LIMIT: usize = LIMIT + 4096;

/// See the module.
#[derive(Default)]
pub(super) struct Output {
    pub(super) queue: Ring,
    /// Stopped by ^S or TCOOFF.
    pub(super) stopped: bool,
    /// Where the cursor is, for tabs and erasing.
    pub(super) column: usize,
}

impl Output {
    /// Bytes that a writer may still put in; each may become two.
    pub(super) fn room(&self) -> usize {
        if self.stopped {
            0
        } else {
            LIMIT.saturating_sub(self.queue.len()) / 2
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        // The kernel's own memory is always readable.
        let _ = self.queue.write(&mut Source::kernel(bytes), bytes.len());
    }

    /// What a program wrote, processed as the settings say.
    pub(super) fn write(&mut self, settings: &Settings, bytes: &[u8]) {
        if !settings.output.contains(OutputModes::OPOST) {
            self.push(bytes);
            return;
        }
        let mut done = Vec::with_capacity(bytes.len() + 16);
        for &byte in bytes {
            self.process(settings, byte, &mut done);
        }
        self.push(&done);
    }

    fn process(&mut self, settings: &Settings, byte: u8, out: &mut Vec<u8>) {
        let has = |mode| settings.output.contains(mode);
        match byte {
            b'\n' if has(OutputModes::ONLCR) => {
                self.column = 0;
                out.extend_from_slice(b"\r\n");
            }
            b'\n' => {
                if has(OutputModes::ONLRET) {
                    self.column = 0;
                }
                out.push(b'\n');
            }
            b'\r' if has(OutputModes::ONOCR) && self.column == 0 => {}
            b'\r' if has(OutputModes::OCRNL) => {
                if has(OutputModes::ONLRET) {
                    self.column = 0;
                }
                out.push(b'\n');
            }
            b'\r' => {
                self.column = 0;
                out.push(b'\r');
            }
            b'\t' => {
                let width = 8 - self.column % 8;
                self.column += width;
                // TAB3: tabs become spaces.
                if settings.output.bits() & 0o14_000 == 0o14_000 {
                    out.resize(out.len() + width, b' ');
                } else {
                    out.push(b'\t');
                }
            }
            8 => {
                self.column = self.column.saturating_sub(1);
                out.push(byte);
            }
            _ => {
                let byte = if has(OutputModes::OLCUC) {
                    byte.to_ascii_uppercase()
                } else {
                    byte
                };
                // Continuation bytes of UTF-8 take no column.
                if byte >= 32 && byte & 0xc0 != 0x80 {
                    self.column += 1;
                }
                out.push(byte);
            }
        }
    }

    /// Shows a typed byte, control characters as `^X`.
    pub(super) fn echo(&mut self, settings: &Settings, byte: u8) {
        if self.queue.len() >= ECHO_LIMIT {
            return;
        }
        let control = byte < 32 || byte == 127;
        if control && settings.has(LocalModes::ECHOCTL) && byte != b'\t' && byte != b'\n' {
            self.column += 2;
            self.push(&[b'^', byte ^ 0x40]);
        } else {
            self.write(settings, &[byte]);
        }
    }

    /// Echoes raw bytes: what erases.
    pub(super) fn echo_bytes(&mut self, bytes: &[u8]) {
        if self.queue.len() < ECHO_LIMIT {
            self.push(bytes);
        }
    }
}
