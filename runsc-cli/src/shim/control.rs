//! What is asked of a container that runs.

use std::sync::atomic::Ordering;

use containerd_shim::protos::cgroups::metrics::Metrics;
use containerd_shim::protos::events::task::{TaskPaused, TaskResumed};
use containerd_shim::protos::protobuf::MessageField;
use containerd_shim::protos::shim::oci::ProcessDetails;
use containerd_shim::protos::types::task::ProcessInfo;
use containerd_shim::util::convert_to_any;
use nix::unistd::Pid;
use syscalls::errno::ESRCH;

use super::container::Container;
use super::fault::{self, Answer, Context};
use super::metrics;
use super::process::Life;

impl Container {
    pub(crate) fn kill(&self, exec_id: &str, signal: u32, all: bool) -> Answer<()> {
        let process = self.process(exec_id)?;
        if matches!(process.life(), Life::Stopped(_)) && !all {
            return Err(fault::not_found("process already finished"));
        }
        if exec_id.is_empty() {
            let flags: &[&str] = if all { &["--all"] } else { &[] };
            let killed = self.runsk.ask_about("kill", flags, &[&signal.to_string()]);
            return killed.map(drop);
        }
        // The process that stands for it passes signals on.
        let pid = Pid::from_raw(process.pid().cast_signed());
        if pid.as_raw() == 0 {
            return Err(fault::not_now("the process was not started yet"));
        }
        match platform::host::signal::send(pid, signal.cast_signed()) {
            Err(ESRCH) => Err(fault::not_found("process already finished")),
            result => result.context("the signal"),
        }
    }

    pub(crate) fn pause(&self) -> Answer<()> {
        self.runsk.ask("pause", &[])?;
        self.paused.store(true, Ordering::SeqCst);
        let mut event = TaskPaused::new();
        event.set_container_id(self.id.clone());
        self.events.publish(event);
        Ok(())
    }

    pub(crate) fn resume(&self) -> Answer<()> {
        self.runsk.ask("resume", &[])?;
        self.paused.store(false, Ordering::SeqCst);
        let mut event = TaskResumed::new();
        event.set_container_id(self.id.clone());
        self.events.publish(event);
        Ok(())
    }

    /// Processes on the host: the one that runs all of the container's, and those that stand
    /// for processes of `exec`.
    pub(crate) fn pids(&self) -> Answer<Vec<ProcessInfo>> {
        let init = self.process("")?;
        if matches!(init.life(), Life::Stopped(_)) {
            // A daemon that has been restarted takes a shim without processes for one that
            // was never used, and forgets how this container ended.
            return Ok(vec![info(init.pid())]);
        }
        let list = self.runsk.ask("ps", &["--format", "json"])?;
        let pids: Vec<u32> = serde_json::from_str(&list).context("runsk ps")?;
        let mut infos: Vec<_> = pids.into_iter().map(info).collect();
        let mut execs: Vec<_> = self.execs.lock().values().cloned().collect();
        execs.retain(|exec| matches!(exec.life(), Life::Running));
        execs.sort_by_key(|exec| exec.pid());
        for exec in execs {
            let mut details = ProcessDetails::new();
            details.set_exec_id(exec.exec_id.clone());
            let details = convert_to_any(Box::new(details)).context("details")?;
            let mut info = info(exec.pid());
            info.info = MessageField::some(details);
            infos.push(info);
        }
        Ok(infos)
    }

    pub(crate) fn stats(&self) -> Answer<Metrics> {
        let text = self.runsk.ask("events", &["--stats"])?;
        let event: serde_json::Value = serde_json::from_str(&text).context("runsk events")?;
        Ok(metrics::of(&event["data"]))
    }

    /// Keeps to other limits: `linux.resources` of config.json.
    pub(crate) fn update(&self, resources: &[u8]) -> Answer<()> {
        let text = std::str::from_utf8(resources).context("the resources")?;
        self.runsk.tell("update", &["--resources", "-"], text)?;
        Ok(())
    }
}

fn info(pid: u32) -> ProcessInfo {
    let mut info = ProcessInfo::new();
    info.set_pid(pid);
    info
}
