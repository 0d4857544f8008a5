//! Programs that may not take longer than a limit: one that hangs is reported, not waited for.

use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Runs a program whose output is piped; it is killed after `limit`.
pub(super) fn output(command: &mut Command, limit: Duration) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let pid = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    let (done, ended) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = child.wait_with_output();
        // Nobody listens any more after the limit.
        let _ = done.send(());
        output
    });
    let in_time = ended.recv_timeout(limit).is_ok();
    if !in_time {
        // It is not reaped yet, or its number would have been given back by `waiter` just now.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let output = waiter
        .join()
        .map_err(|_| format!("{name}: waiting failed"))?;
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if in_time {
        Ok(output)
    } else {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = said.lines().last().unwrap_or("nothing").to_owned();
        Err(format!(
            "killed after {} s; it said last: {last}",
            limit.as_secs()
        ))
    }
}
