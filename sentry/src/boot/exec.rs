//! A process started from outside in a sandbox that runs, as `runsk exec` does.

use std::sync::Arc;

use syscalls::errno::ESRCH;

use super::container::signal_from_outside;
use super::process::{self, Place, host_error};
use super::{Attended, BootError, Container, Home, Stdio};
use crate::config::ProcessConfig;
use crate::fs::gofer::WriteBack;
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::task::{Current, ExitStatus, FsContext, ThreadGroup};
use crate::tty::Console;
use crate::vfs::MountNamespace;
use crate::wait::{Ready, Registration, Wake};

/// A process that was started from outside.
pub struct Execed {
    kernel: Arc<Kernel>,
    group: Arc<ThreadGroup>,
    console: Option<Console>,
    write_back: WriteBack,
}

/// What such a process is made with.
struct Exec {
    kernel: Arc<Kernel>,
    first: Arc<ThreadGroup>,
    mounts: Arc<MountNamespace>,
    home: Home,
    config: ProcessConfig,
    stdio: Stdio,
}

impl Container {
    /// Starts a process beside the first one, in its name spaces; returns once it is about
    /// to run its program.
    pub fn exec(&self, mut config: ProcessConfig, stdio: Stdio) -> Result<Execed, BootError> {
        // The profile is the container's, not a process's.
        let like = self.process();
        config.seccomp = config.seccomp.or_else(|| like.seccomp.clone());
        config.settings.personality = like.settings.personality;
        let first = self.first();
        let leader = first.leader().filter(|_| !first.is_ending());
        let leader = leader
            .ok_or(ESRCH)
            .map_err(host_error("the first process"))?;
        let exec = Exec {
            kernel: self.kernel().clone(),
            first: first.clone(),
            mounts: leader.fs.get().mounts.get(),
            home: Home::of(&leader, self.group()),
            config,
            stdio,
        };
        let (group, console) = process::spawn(move || exec.make(), || {})?;
        Ok(Execed {
            kernel: self.kernel().clone(),
            group,
            console,
            write_back: self.write_back().clone(),
        })
    }
}

impl Exec {
    fn make(self) -> Result<(Current, Option<Console>), BootError> {
        let reserved = self.kernel.pids.reserve(&self.home.pids, &[]);
        let reserved = reserved.map_err(host_error("a process number"))?;
        let fs = FsContext::new(self.mounts);
        let mut current = process::nobody(&self.kernel, &self.home, &reserved.numbers, fs)?;
        let console = process::furnish(&current, &self.config, self.stdio, Place::PtsOnly)?;
        process::load(&mut current, &self.config)?;
        process::publish(&current);
        // The first process may have ended, and have ended all that it could see.
        if self.first.is_ending() {
            current.group.kill(ExitStatus::Killed(Signal::KILL));
        }
        Ok((current, console))
    }
}

impl Attended for Execed {
    fn pid(&self) -> i32 {
        self.group.numbers.own()
    }

    fn signal(&self, signal: Signal) {
        signal_from_outside(&self.kernel, &self.group, signal);
    }

    fn ended(&self) -> Option<ExitStatus> {
        let status = self.group.exit_status()?;
        if let Some(console) = &self.console {
            console.finish();
        }
        // Who has waited for it looks at what it has written.
        self.write_back.flush_all_or_log();
        Some(status)
    }

    fn tell(&self, waker: Arc<dyn Wake>) -> Registration {
        self.group.exit_events.register(waker, Ready::all())
    }
}
