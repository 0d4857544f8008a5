//! A process of the host that an earlier command has started.

use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process, told apart from a later one with the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostProcess {
    /// Its number.
    pub(crate) pid: i32,
    /// When it started, clock ticks since boot: field 22 in proc_pid_stat(5).
    start: u64,
}

/// How long a killed process may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

impl HostProcess {
    /// A process that is there now; `None` if it is not.
    pub(crate) fn find(pid: i32) -> Option<Self> {
        let (_, start) = stat(pid)?;
        Some(HostProcess { pid, start })
    }

    /// True until it has ended, whether or not anybody has waited for it since.
    pub(crate) fn lives(&self) -> bool {
        stat(self.pid)
            .is_some_and(|(state, start)| start == self.start && !matches!(state, 'Z' | 'X' | 'x'))
    }

    /// Kills it, and waits until it has ended; false if it does not.
    pub(crate) fn kill(&self) -> bool {
        let Some(pidfd) = self.open() else {
            return true;
        };
        // It may end just now.
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        self.wait(&pidfd)
    }

    /// Waits until it has ended; false if it does not.
    pub(crate) fn wait_for_end(&self) -> bool {
        self.open().is_none_or(|pidfd| self.wait(&pidfd))
    }

    /// A descriptor of it, while it lives.
    fn open(&self) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // What was opened could be another process, unless ours is still there.
        self.lives().then_some(pidfd)
    }

    fn wait(&self, pidfd: &OwnedFd) -> bool {
        use std::os::fd::AsFd;
        let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
        loop {
            let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => {}
                Ok(1..) => return true,
                _ => return !self.lives(),
            }
        }
    }
}

/// State and start of a process.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(&text)
}

/// The name before it may hold anything, parentheses and spaces too.
fn parse(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

#[cfg(test)]
mod tests {
    use super::{HostProcess, parse};
    use std::process::Command;

    #[test]
    fn names_do_not_confuse() {
        let fields: Vec<String> = (4..=52).map(|n| n.to_string()).collect();
        let line = format!("7 (a) Z 9 (b) S {}\n", fields.join(" "));
        assert_eq!(parse(&line), Some(('S', 22)));
    }

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep");
        let process = HostProcess::find(child.id().cast_signed()).expect("there");
        assert!(process.lives());
        let other = HostProcess {
            start: process.start + 1,
            ..process
        };
        assert!(!other.lives(), "a later process with the same number");
        assert!(other.kill(), "is not touched");
        assert!(process.lives());
        assert!(process.kill());
        assert!(!process.lives(), "although nobody has waited for it");
        child.wait().expect("wait");
        assert!(HostProcess::find(child.id().cast_signed()).is_none());
    }
}
