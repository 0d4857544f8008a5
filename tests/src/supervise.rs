//! Runs one command and proves that nothing of it is left.
//!
//! The supervisor is a process of its own and the subreaper of everything below it, so that
//! whatever the command leaves behind becomes its child and cannot hide, whoever else runs
//! on this machine at the time.

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, close};
use serde::{Deserialize, Serialize};

/// How long what is already dying may take to vanish from /proc.
const GRACE: Duration = Duration::from_secs(2);

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With this status.
    Exit(i32),
    /// Killed by this signal.
    Signal(i32),
    /// Not at all, within its guard.
    Hung,
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(number) => End::Signal(number),
            None => End::Exit(status.code().unwrap_or(-1)),
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Exit(status) => write!(f, "exit status {status}"),
            End::Signal(number) => write!(f, "death by signal {number}"),
            End::Hung => f.write_str("a hang"),
        }
    }
}

/// What the supervisor writes down.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// How the command ended.
    pub end: End,
    /// Processes that outlived it, or that hung with it.
    pub processes: Vec<String>,
}

/// Runs `command` for at most `guard`, kills what it leaves, and writes a [`Report`].
///
/// # Errors
/// When the command cannot be started or the report not be written.
pub fn supervise(command: &[String], guard: Duration, report: &Path) -> Result<(), String> {
    prctl::set_child_subreaper(true).map_err(|e| format!("subreaper: {e}"))?;
    close_inherited();
    // Whoever aborts the suite must not leave its runs behind.
    prctl::set_pdeathsig(Signal::SIGTERM).map_err(|e| format!("pdeathsig: {e}"))?;
    let (program, args) = command.split_first().ok_or("no command")?;
    let mut child = Command::new(program)
        .args(args)
        .spawn()
        .map_err(|e| format!("{program}: {e}"))?;

    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait()));
    let (end, mut processes) = match told.recv_timeout(guard) {
        Ok(Ok(status)) => (End::from(status), Vec::new()),
        Ok(Err(error)) => return Err(format!("wait: {error}")),
        Err(_) => (
            End::Hung,
            descendants().iter().map(Process::describe).collect(),
        ),
    };
    if end != End::Hung {
        let left = wait_until_alone();
        processes = left.iter().map(Process::describe).collect();
    }
    kill_descendants();
    let text = serde_json::to_string(&Report { end, processes }).map_err(|e| e.to_string())?;
    fs::write(report, text).map_err(|e| format!("{}: {e}", report.display()))
}

/// Closes what the suite was started with beyond the three standard descriptors: a program
/// under test must not see them.
fn close_inherited() {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|&fd| fd > 2) {
        // Among them the directory just read, which is closed already.
        let _ = close(fd);
    }
}

/// Reaps until no descendant lives or the grace is over; returns who still does.
fn wait_until_alone() -> Vec<Process> {
    let deadline = Instant::now() + GRACE;
    loop {
        reap();
        let left = descendants();
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn kill_descendants() {
    for _ in 0..200 {
        let left = descendants();
        if left.is_empty() {
            return;
        }
        for process in &left {
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(10));
        reap();
    }
}

fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
}

/// A process as /proc shows it.
#[derive(Debug)]
struct Process {
    pid: i32,
    parent: i32,
    state: char,
    name: String,
}

impl Process {
    /// Parses /proc/PID/stat, proc_pid_stat(5).
    fn read(pid: i32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, rest) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let mut fields = rest.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        Some(Process {
            pid,
            parent,
            state,
            name,
        })
    }

    fn describe(&self) -> String {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let at = fs::read_to_string(format!("/proc/{}/wchan", self.pid)).unwrap_or_default();
        format!(
            "{} {} {} {at} {}",
            self.pid,
            self.state,
            self.name,
            line.chars().take(200).collect::<String>()
        )
    }
}

/// Every live process below this one.
fn descendants() -> Vec<Process> {
    let me = nix::unistd::getpid().as_raw();
    let all: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Process::read)
        .collect();
    let parents: HashMap<i32, i32> = all.iter().map(|p| (p.pid, p.parent)).collect();
    let below = |process: &Process| {
        let mut at = process.pid;
        // Bounded: the table was read while it changed and may hold a loop.
        for _ in 0..64 {
            match parents.get(&at) {
                Some(&parent) if parent == me => return true,
                Some(&parent) => at = parent,
                None => return false,
            }
        }
        false
    };
    all.into_iter()
        .filter(|p| !matches!(p.state, 'Z' | 'X') && below(p))
        .collect()
}
