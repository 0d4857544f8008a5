//! The ways in which a row of the table can ask for an argument to be shown.

use std::fmt::Write as _;

use zerocopy::{FromBytes, IntoBytes};

use super::text::{DATA_LIMIT, show_bytes, show_data, show_text};
use super::value::{
    Value, show_list, show_mode, show_number, show_octal, show_sigset, signal_name,
};
use super::{Line, Slot};
use crate::abi::fs::{IoVec, OpenFlags, PATH_MAX, UTIME_NOW, UTIME_OMIT};
use crate::abi::time::Timespec;
use crate::errno::EINTR;
use crate::flags::Numbers;
use crate::stop::Stop;
use crate::uaddr::{UserAddr, UserCStr, UserPtr};

/// The most elements of an array that are shown.
const LIST_LIMIT: u64 = 32;

/// A count or length argument, whatever its width; negative counts as none.
pub(crate) trait Count: Copy {
    fn count(self) -> u64;
}

macro_rules! counts {
    ($($ty:ty)*) => {$(
        impl Count for $ty {
            fn count(self) -> u64 {
                u64::try_from(self).unwrap_or(0)
            }
        }
    )*};
}
counts! { usize u32 i32 u64 i64 }

impl Line<'_> {
    /// Reads a structure; `None` if it is not all there.
    pub(super) fn read<T: FromBytes + IntoBytes>(&self, at: UserAddr) -> Option<T> {
        let mut value = T::new_zeroed();
        (!at.is_null() && self.mem.peek(at, value.as_mut_bytes()) == size_of::<T>())
            .then_some(value)
    }

    pub(super) fn read_list<T: FromBytes + IntoBytes>(
        &self,
        at: UserPtr<T>,
        count: u64,
    ) -> Option<Vec<T>> {
        (0..count.min(LIST_LIMIT))
            .map(|index| self.read(at.at(index).ok()?.addr()))
            .collect()
    }

    /// Writes with a function of the form that values and texts have.
    pub(super) fn with(&mut self, show: impl FnOnce(&mut String) -> std::fmt::Result) {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = show(&mut text);
        self.put(&text);
    }

    /// Not part of the line.
    pub(crate) fn omit<T>(&mut self, _: T) {
        self.current = Slot::Omitted;
    }

    /// In octal: a mask.
    pub(crate) fn octal(&mut self, value: u32) {
        self.with(|out| show_octal(out, value));
    }

    /// Type and permissions of a file.
    pub(crate) fn mode(&mut self, mode: u32) {
        self.with(|out| show_mode(out, mode));
    }

    /// The mode of open(2), which is there only if a file may be made.
    pub(crate) fn open_mode(&mut self, mode: u32, flags: OpenFlags) {
        if flags.intersects(OpenFlags::CREAT) || flags.contains(OpenFlags::TMPFILE) {
            self.octal(mode & 0o7777);
        } else {
            self.current = Slot::Omitted;
        }
    }

    /// In hexadecimal; 0 as it is.
    pub(crate) fn hex<T: Into<u64>>(&mut self, value: T) {
        self.with(|out| match value.into() {
            0 => out.write_char('0'),
            value => write!(out, "{value:#x}"),
        });
    }

    /// A user or group: -1 means no change.
    pub(crate) fn id(&mut self, id: u32) {
        self.with(|out| match id {
            u32::MAX => out.write_str("-1"),
            id => write!(out, "{id}"),
        });
    }

    /// By the name it has in `names`.
    pub(crate) fn named<T: Into<i64>>(&mut self, value: T, names: Numbers) {
        self.with(|out| show_number(out, names, value.into()));
    }

    /// By the name it has in any of two lists, else in hexadecimal.
    pub(crate) fn named_in(&mut self, value: u32, names: &[Numbers]) {
        let value = i64::from(value);
        let known = names.iter().copied().flatten().find(|(_, n)| *n == value);
        self.with(|out| match known {
            Some((name, _)) => out.write_str(name),
            None => write!(out, "{value:#x}"),
        });
    }

    /// A signal number.
    pub(crate) fn signal(&mut self, signal: i32) {
        self.put(&signal_name(signal));
    }

    /// Data that the call reads.
    pub(crate) fn data<N: Count>(&mut self, at: UserPtr<u8>, len: N) {
        let mem = self.mem;
        self.with(|out| show_data(out, mem, at.addr(), len.count()));
    }

    /// Data that the call writes; the result says how much.
    pub(crate) fn written<N: Count>(&mut self, at: UserPtr<u8>, room: N) {
        if let Some(len) = self.written_by_call(&at) {
            self.data(at, len.min(room.count()));
        }
    }

    /// A path that the call writes; the result says how long it is.
    pub(crate) fn written_path<N: Count>(&mut self, at: UserPtr<u8>, room: N) {
        let mem = self.mem;
        if let Some(len) = self.written_by_call(&at) {
            let len = len.min(room.count());
            self.with(|out| show_bytes(out, mem, at.addr(), len, PATH_MAX));
        }
    }

    /// A path that the call writes with its NUL, which the result counts.
    pub(crate) fn written_string<N: Count>(&mut self, at: UserPtr<u8>, room: N) {
        let mem = self.mem;
        if let Some(len) = self.written_by_call(&at) {
            let len = len.min(room.count()).saturating_sub(1);
            self.with(|out| show_bytes(out, mem, at.addr(), len, PATH_MAX));
        }
    }

    /// Random bytes that the call writes, in hexadecimal.
    pub(crate) fn written_hex(&mut self, at: UserPtr<u8>, _: usize) {
        let Some(len) = self.written_by_call(&at) else {
            return;
        };
        match self.read_list(at, len) {
            None => self.plain(at),
            Some(bytes) => self.with(|out| {
                out.write_char('"')?;
                for byte in &bytes {
                    write!(out, "\\x{byte:02x}")?;
                }
                out.write_str(if len > LIST_LIMIT { "\"..." } else { "\"" })
            }),
        }
    }

    /// A structure that the call reads.
    pub(crate) fn value<T: Value + FromBytes + IntoBytes>(&mut self, at: UserPtr<T>) {
        match self.read::<T>(at.addr()) {
            Some(value) => self.with(|out| value.show(out)),
            None => self.plain(at),
        }
    }

    /// A structure that the call writes.
    pub(crate) fn filled<T: Value + FromBytes + IntoBytes>(&mut self, at: UserPtr<T>) {
        if at.is_null() {
            self.put("NULL");
        } else if self.written_by_call(&at).is_some() {
            self.value(at);
        }
    }

    /// The rest of a time that a sleep leaves when it is interrupted.
    pub(crate) fn interrupted(&mut self, at: UserPtr<Timespec>) {
        match self.outcome {
            _ if at.is_null() => self.put("NULL"),
            None => self.current = Slot::Later,
            Some(Err(Stop::Restart(_) | Stop::Errno(EINTR))) => self.value(at),
            Some(_) => self.plain(at),
        }
    }

    /// A number that the call reads, as `[1]`.
    pub(crate) fn number<T: Value + FromBytes + IntoBytes>(&mut self, at: UserPtr<T>) {
        self.value(UserPtr::<[T; 1]>::new(at.addr()));
    }

    /// A number that the call writes, as `[1]`.
    pub(crate) fn filled_number<T: Value + FromBytes + IntoBytes>(&mut self, at: UserPtr<T>) {
        self.filled(UserPtr::<[T; 1]>::new(at.addr()));
    }

    /// An array that the call reads.
    pub(crate) fn list<T, N>(&mut self, at: UserPtr<T>, count: N)
    where
        T: Value + FromBytes + IntoBytes,
        N: Count,
    {
        if at.is_null() {
            return self.put("NULL");
        }
        let count = count.count();
        match self.read_list(at, count) {
            None => self.plain(at),
            Some(values) => self.with(|out| {
                show_list(out, &values)?;
                if count > LIST_LIMIT {
                    out.truncate(out.len() - 1);
                    out.push_str(", ...]");
                }
                Ok(())
            }),
        }
    }

    /// An array that the call writes; the result says how many.
    pub(crate) fn filled_list<T, N>(&mut self, at: UserPtr<T>, room: N)
    where
        T: Value + FromBytes + IntoBytes,
        N: Count,
    {
        if let Some(count) = self.written_by_call(&at) {
            self.list(at, count.min(room.count()));
        }
    }

    /// A signal set that the call reads.
    pub(crate) fn sigset(&mut self, at: UserPtr<u64>) {
        match self.read(at.addr()) {
            Some(set) => self.with(|out| show_sigset(out, set)),
            None => self.plain(at),
        }
    }

    /// A signal set that the call writes.
    pub(crate) fn filled_sigset(&mut self, at: UserPtr<u64>) {
        if at.is_null() {
            self.put("NULL");
        } else if self.written_by_call(&at).is_some() {
            self.sigset(at);
        }
    }

    /// Buffers that the call reads.
    pub(crate) fn buffers<N: Count>(&mut self, at: UserPtr<IoVec>, count: N) {
        self.show_buffers(at, count.count(), u64::MAX);
    }

    /// Buffers that the call fills; the result says how far.
    pub(crate) fn filled_buffers<N: Count>(&mut self, at: UserPtr<IoVec>, count: N) {
        if let Some(filled) = self.written_by_call(&at) {
            self.show_buffers(at, count.count(), filled);
        }
    }

    pub(super) fn show_buffers(&mut self, at: UserPtr<IoVec>, count: u64, mut filled: u64) {
        let Some(buffers) = self.read_list(at, count) else {
            return self.plain(at);
        };
        let mem = self.mem;
        self.with(|out| {
            out.write_char('[')?;
            for (index, buffer) in buffers.iter().enumerate() {
                out.write_str(if index > 0 {
                    ", {iov_base="
                } else {
                    "{iov_base="
                })?;
                let len = buffer.len.min(filled);
                filled -= len;
                show_data(out, mem, buffer.base, len)?;
                write!(out, ", iov_len={}}}", buffer.len)?;
            }
            out.write_str(if count > LIST_LIMIT { ", ...]" } else { "]" })
        });
    }

    /// The arguments of a new program.
    pub(crate) fn strings(&mut self, at: UserPtr<UserCStr>) {
        let mut text = String::from("[");
        for index in 0..LIST_LIMIT {
            let Some(string) = at
                .at(index)
                .ok()
                .and_then(|p| self.read::<UserCStr>(p.addr()))
            else {
                return self.plain(at);
            };
            if string.0.is_null() {
                text.push(']');
                return self.put(&text);
            }
            if index > 0 {
                text.push_str(", ");
            }
            // Writing to a string cannot fail.
            let _ = show_text(&mut text, self.mem, string.0, DATA_LIMIT);
        }
        text.push_str(", ...]");
        self.put(&text);
    }

    /// The environment of a new program: only how large it is.
    pub(crate) fn environment(&mut self, at: UserPtr<UserCStr>) {
        let words = (0..).map_while(|index| at.at(index).ok());
        let count = words
            .map_while(|word| self.read::<u64>(word.addr()))
            .take_while(|word| *word != 0)
            .take(1 << 16)
            .count();
        self.plain(at);
        if !at.is_null() {
            let plural = if count == 1 { "" } else { "s" };
            self.put(&format!(" /* {count} var{plural} */"));
        }
    }

    /// Descriptors that select(2) waits for.
    pub(crate) fn fd_set(&mut self, at: UserPtr<u64>, nfds: i32) {
        let words = u64::try_from(nfds).unwrap_or(0).div_ceil(64);
        if at.is_null() {
            return self.put("NULL");
        }
        let Some(words) = self.read_list(at, words) else {
            return self.plain(at);
        };
        let set: Vec<String> = (0..)
            .zip(
                words
                    .iter()
                    .flat_map(|word| (0..64).map(move |bit| word >> bit & 1 == 1)),
            )
            .filter(|&(fd, set)| set && fd < nfds)
            .map(|(fd, _)| fd.to_string())
            .collect();
        self.put(&format!("[{}]", set.join(" ")));
    }

    /// How a child ended, wait(2).
    pub(crate) fn wait_status(&mut self, at: UserPtr<i32>) {
        if at.is_null() {
            return self.put("NULL");
        }
        let Some(pid) = self.written_by_call(&at) else {
            return;
        };
        match self.read::<i32>(at.addr()) {
            // Nobody had anything to tell.
            Some(_) if pid == 0 => self.plain(at),
            Some(status) => self.put(&format!("[{{{}}}]", wait_status(status))),
            None => self.plain(at),
        }
    }

    /// Two times of utimensat(2).
    pub(crate) fn file_times(&mut self, at: UserPtr<[Timespec; 2]>) {
        let Some(times) = self.read::<[Timespec; 2]>(at.addr()) else {
            return self.plain(at);
        };
        self.with(|out| {
            for (time, before) in times.iter().zip(["[", ", "]) {
                out.write_str(before)?;
                match time.nsec {
                    UTIME_NOW => out.write_str("UTIME_NOW")?,
                    UTIME_OMIT => out.write_str("UTIME_OMIT")?,
                    _ => time.show(out)?,
                }
            }
            out.write_char(']')
        });
    }

    /// A text that ends with NUL and is not a path.
    pub(crate) fn text(&mut self, at: UserAddr, limit: usize) {
        let mem = self.mem;
        self.with(|out| show_text(out, mem, at, limit));
    }
}

/// How strace writes a status that wait(2) gave.
fn wait_status(status: i32) -> String {
    let signal = status & 0x7f;
    let code = (status >> 8) & 0xff;
    match (status, signal) {
        (0xffff, _) => "WIFCONTINUED(s)".to_owned(),
        (_, 0) => format!("WIFEXITED(s) && WEXITSTATUS(s) == {code}"),
        (_, 0x7f) => {
            let event = status >> 16;
            let rest = if event == 0 {
                String::new()
            } else {
                format!(" | {event} << 16")
            };
            format!(
                "WIFSTOPPED(s) && WSTOPSIG(s) == {}{rest}",
                signal_name(code)
            )
        }
        _ => {
            let core = if status & 0x80 == 0 {
                ""
            } else {
                " && WCOREDUMP(s)"
            };
            format!(
                "WIFSIGNALED(s) && WTERMSIG(s) == {}{core}",
                signal_name(signal)
            )
        }
    }
}
