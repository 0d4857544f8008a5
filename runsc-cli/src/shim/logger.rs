//! A client's logging program: `binary://PATH?ARGUMENT=ARGUMENT&…`.
//!
//! It reads stdout as descriptor 3 and stderr as 4, and closes 5 when it is ready. It ends
//! when both have ended, and the process is not forgotten before.

use std::fs::File;
use std::io::{PipeReader, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::exit::Ends;
use super::fault::{Answer, Context, other};

pub(crate) const SCHEME: &str = "binary";
/// How long it may take to be ready, milliseconds.
const READY: u16 = 10_000;
/// How long it may take to write what it has read.
const PATIENCE: Duration = Duration::from_secs(12);

/// Whose output it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    /// The container's name, or that of a process of `exec`.
    pub(crate) id: String,
    pub(crate) namespace: String,
}

/// A logging program that runs.
#[derive(Debug)]
pub(crate) struct Logger {
    pid: u32,
    ended: Receiver<()>,
}

/// What is written to it.
pub(crate) struct Inputs {
    pub(crate) stdout: File,
    pub(crate) stderr: File,
}

impl Logger {
    /// Starts the program that the rest of a URI names; returns when it is ready.
    pub(crate) fn start(rest: &str, owner: &Owner) -> Answer<(Self, Inputs)> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !Path::new(path).is_file() {
            return Err(other(format_args!(
                "logging program {path}: it does not exist"
            )));
        }
        let shown = format!("logging program {path}");
        let (stdout, to_stdout) = pipe().context(&shown)?;
        let (stderr, to_stderr) = pipe().context(&shown)?;
        let (ready, told) = pipe().context(&shown)?;
        let fds: [OwnedFd; 3] = [stdout.into(), stderr.into(), told.into()];
        let mappings = (3..).zip(fds);
        let mappings = mappings.map(|(child_fd, parent_fd)| FdMapping {
            parent_fd,
            child_fd,
        });
        let ends = Ends::new()?;
        let mut command = Command::new(path);
        command.args(arguments(query)).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.env("CONTAINER_ID", &owner.id);
        command.env("CONTAINER_NAMESPACE", &owner.namespace);
        command.fd_mappings(mappings.collect()).context(&shown)?;
        let pid = command.spawn().context(&shown)?.id();
        // It has our copies of its descriptors.
        drop(command);
        let (end, ended) = channel();
        let wait = move || {
            ends.wait(pid);
            // Nobody may wait for it.
            let _ = end.send(());
        };
        let builder = std::thread::Builder::new().name("logger".to_owned());
        builder.spawn(wait).context("a thread")?;
        let logger = Logger { pid, ended };
        if !is_ready(&ready) {
            logger.finish(Duration::ZERO);
            return Err(other(format_args!("{shown} does not get ready")));
        }
        let file = |fd: OwnedFd| File::from(fd);
        let inputs = Inputs {
            stdout: file(to_stdout.into()),
            stderr: file(to_stderr.into()),
        };
        Ok((logger, inputs))
    }

    fn finish(&self, patience: Duration) {
        if self.ended.recv_timeout(patience).is_err() {
            log::warn!("logging program {}: it does not end", self.pid);
            // It may have ended just now.
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGTERM);
        }
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        self.finish(PATIENCE);
    }
}

/// It writes a byte, or closes its end.
fn is_ready(ready: &PipeReader) -> bool {
    let mut fds = [PollFd::new(ready.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(READY)).is_ok_and(|count| count > 0)
}

/// `a=b&c` is `a b c`; with `%xx` for bytes, and `+` for a space.
fn arguments(query: &str) -> Vec<String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let words = pairs.flat_map(|pair| match pair.split_once('=') {
        Some((name, value)) => [name, value],
        None => [pair, ""],
    });
    words.filter(|word| !word.is_empty()).map(plain).collect()
}

fn plain(word: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let code = tail.get(..2).and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn words_of_a_query() {
        assert_eq!(arguments(""), Vec::<String>::new());
        assert_eq!(
            arguments("_LOG=%2Fvar%2Flog+x&flag&n=1"),
            ["_LOG", "/var/log x", "flag", "n", "1"]
        );
        assert_eq!(arguments("a=100%"), ["a", "100%"]);
    }
}
