//! A process started from outside in a sandbox that runs, as `runsk exec` does.

use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};
use syscalls::abi::signal::{SI_USER, Siginfo};
use syscalls::errno::{EIO, ESRCH};

use super::process::{self, Place, host_error};
use super::{BootError, Sandbox, Stdio};
use crate::config::ProcessConfig;
use crate::kernel::{Kernel, UtsNamespace};
use crate::signal::{Signal, Source};
use crate::task::{Current, ExitStatus, FsContext, Pid, ThreadGroup, run};
use crate::tty::Console;
use crate::vfs::MountNamespace;
use crate::wait::{Ready, Registration, Wake};

/// A process that was started from outside.
pub struct Execed {
    kernel: Arc<Kernel>,
    group: Arc<ThreadGroup>,
    console: Option<Console>,
}

type Report = Sender<Result<(Arc<ThreadGroup>, Option<Console>), BootError>>;

/// What such a process is made with.
struct Exec {
    kernel: Arc<Kernel>,
    mounts: Arc<MountNamespace>,
    uts: Arc<UtsNamespace>,
    config: ProcessConfig,
    stdio: Stdio,
}

impl Sandbox {
    /// Starts a process beside the first one, in its mount and uts namespaces; returns once
    /// it is about to run its program.
    pub fn exec(&self, mut config: ProcessConfig, stdio: Stdio) -> Result<Execed, BootError> {
        // The profile is the container's, not a process's.
        let first = &self.kernel.config.process;
        config.seccomp = config.seccomp.or_else(|| first.seccomp.clone());
        config.settings.personality = first.settings.personality;
        let leader = self.first.leader().filter(|_| !self.first.is_ending());
        let leader = leader
            .ok_or(ESRCH)
            .map_err(host_error("the first process"))?;
        let exec = Exec {
            kernel: self.kernel.clone(),
            mounts: leader.fs.get().mounts.get(),
            uts: leader.uts.get(),
            config,
            stdio,
        };
        let (report, reported) = bounded(1);
        exec.spawn(report)?;
        // The other side is dropped unsent only if the thread died.
        let lost = |_| host_error("starting the process")(EIO);
        let (group, console) = reported.recv().map_err(lost)??;
        Ok(Execed {
            kernel: self.kernel.clone(),
            group,
            console,
        })
    }
}

impl Exec {
    fn spawn(self, report: Report) -> Result<(), BootError> {
        let live = move || match self.make() {
            Ok((mut current, console)) => {
                let _ = report.send(Ok((current.group.clone(), console)));
                drop(report);
                current.run();
                current.exit();
            }
            Err(error) => drop(report.send(Err(error))),
        };
        run::spawn_host_thread(live).map_err(|error| BootError::Host {
            what: "a host thread",
            errno: error.into(),
        })
    }

    fn make(self) -> Result<(Current, Option<Console>), BootError> {
        let mut current = process::nobody(&self.kernel, FsContext::new(self.mounts))?;
        current.uts.set(self.uts);
        let console = process::furnish(&current, &self.config, self.stdio, Place::PtsOnly)?;
        process::load(&mut current, &self.config)?;
        process::publish(&current);
        // The first process may have ended, and have ended all that it could see.
        let tree = self.kernel.pids.lock();
        let init = tree.init().and_then(|pid| tree.process(pid));
        if init.is_none_or(|init| init.zombie.is_some()) {
            current.group.kill(ExitStatus::Killed(Signal::KILL));
        }
        drop(tree);
        Ok((current, console))
    }
}

impl Execed {
    /// Its number inside.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.group.pid
    }

    /// Sends it a signal from outside.
    pub fn signal(&self, signal: Signal) {
        let info = Siginfo::kill(signal.raw(), SI_USER, 0, 0);
        // The kernel's own signals are never refused.
        let _ = self
            .kernel
            .signal_process(&self.group, &info, Source::Outside);
    }

    /// How it ended, once it has and all that it said is on its terminal.
    #[must_use]
    pub fn ended(&self) -> Option<ExitStatus> {
        let status = self.group.exit_status()?;
        if let Some(console) = &self.console {
            console.finish();
        }
        Some(status)
    }

    /// Has `waker` told of its end.
    pub fn tell(&self, waker: Arc<dyn Wake>) -> Registration {
        self.group.exit_events.register(waker, Ready::all())
    }
}
