//! What stands after the equals sign.

use std::fmt::Write as _;

use super::Line;
use super::value::show_octal;
use crate::abi::fs::{F_GETFL, OpenFlags, PollEvents, PollFd};
use crate::stop::{Restart, Stop, SysResult};
use crate::table::Call;
use crate::uaddr::UserPtr;

impl Line<'_> {
    /// The result as strace shows it.
    pub(super) fn show_result(&self, result: &SysResult) -> String {
        match *result {
            Ok(value) => self.show_value(value),
            Err(Stop::Errno(errno)) => format!("-1 {} ({})", errno.name(), errno.text()),
            Err(Stop::Restart(restart)) => match restart {
                Restart::Sys => "? ERESTARTSYS (To be restarted if SA_RESTART is set)",
                Restart::NoIntr => "? ERESTARTNOINTR (To be restarted)",
                Restart::NoHand => "? ERESTARTNOHAND (To be restarted if no handler)",
                Restart::Block => "? ERESTART_RESTARTBLOCK (Interrupted by signal)",
            }
            .to_owned(),
            Err(Stop::Registers) => match self.call {
                Some(Call::Exit(_) | Call::ExitGroup(_)) => "?".to_owned(),
                _ => "0".to_owned(),
            },
        }
    }

    fn show_value(&self, value: u64) -> String {
        match self.call {
            Some(Call::Exit(_) | Call::ExitGroup(_)) => "?".to_owned(),
            Some(Call::Mmap(_) | Call::Brk(_) | Call::Mremap(_) | Call::Shmat(_)) => {
                format!("{value:#x}")
            }
            Some(Call::Umask(_)) => {
                let mut text = String::new();
                // Writing to a string cannot fail.
                let _ = show_octal(&mut text, u32::try_from(value).unwrap_or(u32::MAX));
                text
            }
            Some(Call::Fcntl(call)) if call.cmd == F_GETFL => {
                let mut text = format!("{value:#x} (flags ");
                let flags = OpenFlags::from_bits_retain(u32::try_from(value).unwrap_or(u32::MAX));
                let _ = crate::flags::show(flags, &mut text);
                text.push(')');
                text
            }
            Some(Call::Poll(call)) => self.show_ready(value, call.fds, u64::from(call.nfds)),
            Some(Call::Ppoll(call)) => self.show_ready(value, call.fds, u64::from(call.nfds)),
            Some(Call::Select(_) | Call::Pselect6(_)) if value == 0 => "0 (Timeout)".to_owned(),
            _ => i64::from_ne_bytes(value.to_ne_bytes()).to_string(),
        }
    }

    fn show_ready(&self, value: u64, at: UserPtr<PollFd>, count: u64) -> String {
        if value == 0 {
            return "0 (Timeout)".to_owned();
        }
        let mut text = format!("{value}");
        let Some(fds) = self.read_list(at, count) else {
            return text;
        };
        text.push_str(" ([");
        let mut separator = "";
        for fd in fds.iter().filter(|fd| fd.revents != 0) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{{fd={}, revents=", fd.fd);
            let _ = crate::flags::show(PollEvents::from_bits_retain(fd.revents), &mut text);
            text.push('}');
            separator = ", ";
        }
        text.push_str("])");
        text
    }
}
