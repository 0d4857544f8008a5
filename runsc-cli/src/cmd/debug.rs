//! `runsk debug`: what a container's sandbox is made of and does, for people.

use std::fmt::Write;
use std::fs;

use super::show::align;
use crate::failure::Outcome;
use crate::life::{Client, Status};
use crate::state::{Directory, HostProcess, Record};

pub(super) fn text(container: &Directory) -> Outcome<String> {
    let (record, status) = container.status()?;
    let mut text = format!("container {}: {}\n", record.id, status.word());
    if status == Status::Stopped {
        return Ok(text);
    }
    host(&record, &mut text);
    text.push('\n');
    text.push_str(&Client::connect(container)?.debug()?);
    Ok(text)
}

/// What is on the host.
fn host(record: &Record, text: &mut String) {
    if let Some(cgroup) = &record.cgroup {
        let _ = writeln!(text, "cgroup {}", cgroup.main_dir().display());
        if let Ok(processes) = cgroup.processes() {
            let _ = writeln!(text, "{} host processes in it", processes.len());
        }
    }
    for (name, process) in [("Sentry", record.sentry), ("Gofer", record.gofer)] {
        let Some(process) = process.filter(HostProcess::lives) else {
            continue;
        };
        let _ = writeln!(text, "\n{name}: process {}", process.pid);
        text.push_str(&threads(process.pid));
    }
}

/// The threads of a host process: what they are called, and where they are.
fn threads(pid: i32) -> String {
    let mut rows = vec![["  THREAD", "NAME", "STATE", "WAITS IN", "CALL"].map(str::to_owned)];
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let read = |name: &str| {
            let text = fs::read_to_string(task.path().join(name)).unwrap_or_default();
            text.trim().to_owned()
        };
        let status = read("status");
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        let call = read("syscall");
        rows.push([
            format!("  {}", task.file_name().to_string_lossy()),
            read("comm"),
            state.unwrap_or_default().trim().to_owned(),
            read("wchan"),
            call.split(' ').next().unwrap_or_default().to_owned(),
        ]);
    }
    align(&rows)
}
