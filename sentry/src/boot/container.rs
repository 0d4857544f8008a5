//! A container: its first process, what is done with it from outside, and its end.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use syscalls::abi::signal::{SI_USER, Siginfo};

use super::first::{Ends, First};
use super::{Attended, Bell, BootError, Ear, Home, Stdio, wait_for};
use crate::cgroup::Group;
use crate::config::{Config, ProcessConfig};
use crate::fs::gofer::WriteBack;
use crate::kernel::Kernel;
use crate::signal::{Signal, Source};
use crate::sync::{Level, Mutex};
use crate::task::{ExitStatus, PidNamespace, ThreadGroup};
use crate::tty::Console;
use crate::wait::{Ready, Registration, Wake};

/// A container whose first process is there.
pub struct Container {
    kernel: Arc<Kernel>,
    /// What the first process was made from: later ones take after it.
    process: ProcessConfig,
    first: Arc<ThreadGroup>,
    group: Arc<Group>,
    write_back: WriteBack,
    console: Option<Console>,
    ended: Receiver<()>,
    /// Lets the first process run its program, once.
    gate: Mutex<Option<Sender<()>>>,
    /// Until it runs.
    ear: Mutex<Option<Ear>>,
    _registrations: [Registration; 2],
}

impl Container {
    /// Makes one; returns once its first process is ready to run its program.
    pub(super) fn new(
        kernel: &Arc<Kernel>,
        config: Config,
        home: Home,
        gofer: gofer::Client,
        stdio: Stdio,
    ) -> Result<Self, BootError> {
        let write_back = WriteBack::default();
        let (gate, opened) = bounded(1);
        let (process, group) = (config.process.clone(), home.group.clone());
        let first = First {
            kernel: kernel.clone(),
            config,
            home,
            gofer,
            write_back: write_back.clone(),
            stdio,
            gate: opened,
        };
        let (first, Ends { console, ear }) = first.spawn()?;
        let (tell, ended) = bounded(1);
        let waker: Arc<dyn Wake> = Arc::new(Bell(tell));
        let registrations = [
            first.exit_events.register(waker.clone(), Ready::all()),
            kernel.process_ends.register(waker, Ready::all()),
        ];
        Ok(Container {
            kernel: kernel.clone(),
            process,
            first,
            group,
            write_back,
            console,
            ended,
            gate: Mutex::new(Level::Leaf, Some(gate)),
            ear: Mutex::new(Level::Leaf, ear),
            _registrations: registrations,
        })
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &Arc<Kernel> {
        &self.kernel
    }

    /// What its files are still to be told.
    pub(super) fn write_back(&self) -> &WriteBack {
        &self.write_back
    }

    /// Its processes' cgroup.
    #[must_use]
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Its first process.
    pub(super) fn first(&self) -> &Arc<ThreadGroup> {
        &self.first
    }

    /// What its first process was made from.
    pub(super) fn process(&self) -> &ProcessConfig {
        &self.process
    }

    /// Whose numbers its processes know.
    #[must_use]
    pub fn pid_namespace(&self) -> &Arc<PidNamespace> {
        self.first.pid_namespace()
    }

    /// All processes that have not ended, by rising number.
    #[must_use]
    pub fn processes(&self) -> Vec<Arc<ThreadGroup>> {
        self.kernel.processes_within(&self.group)
    }

    /// What the container will say to a service manager; once, before its start.
    pub fn ear(&self) -> Option<Ear> {
        self.ear.lock().take()
    }

    /// Lets the first process run its program; false if it does already.
    pub fn start(&self) -> bool {
        // Where nobody listens, nobody shall wait to be heard.
        drop(self.ear());
        let gate = self.gate.lock().take();
        gate.is_some_and(|gate| gate.send(()).is_ok())
    }

    /// True until [`Self::start`].
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.gate.lock().is_some()
    }

    /// Sends a signal from outside to every process.
    pub fn signal_all(&self, signal: Signal) {
        for group in self.processes() {
            if group.pid != self.first.pid {
                signal_from_outside(&self.kernel, &group, signal);
            }
        }
        self.signal(signal);
    }

    /// Ends it, whatever it does.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        self.kernel.kill_cgroup(&self.group);
    }

    /// True once its first process has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.first.exit_status().is_some()
    }

    /// Changes what its memory may grow to, bytes. In a pod the first container's limit goes
    /// for all together.
    pub fn set_memory_limit(&self, bytes: u64) {
        match self.group.is_root() {
            true => self.kernel.set_memory_limit(bytes),
            false => self.group.set_memory_limit(bytes),
        }
    }

    /// Holds all processes back: the first container's are the whole sandbox's. They leave
    /// application code soon after, see [`Self::is_still`].
    pub fn pause(&self) {
        self.kernel.set_frozen(&self.group, true);
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.kernel.set_frozen(&self.group, false);
    }

    /// True between the two, or while the sandbox as a whole is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.group.is_held()
    }

    /// Writes back what is to be written: who has held it back may look at its files.
    pub fn flush(&self) {
        self.write_back.flush_all_or_log();
    }

    /// True if none of them runs application code.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.kernel.is_still(&self.group)
    }

    /// Waits until the first process has ended and all others with it; writes back what
    /// is still to be written.
    pub fn wait(&self) -> Result<ExitStatus, BootError> {
        let status = loop {
            if let Some(status) = self.first.exit_status() {
                break status;
            }
            // The sender lives as long as the registrations.
            let _ = self.ended.recv();
        };
        self.end_all();
        if let Some(console) = &self.console {
            console.finish();
        }
        self.write_back
            .flush_all()
            .map_err(super::process::host_error("writing back changed files"))?;
        Ok(status)
    }

    /// Waits for the other processes. Those of a pod's container that are not in a pid name
    /// space of their own do not end by themselves.
    fn end_all(&self) {
        self.kernel.kill_cgroup(&self.group);
        let is_done = || match self.group.is_root() {
            true => self.kernel.pids.task_count() == 0,
            false => self.processes().is_empty(),
        };
        if !wait_for(&self.ended, is_done) {
            log::warn!(
                "{} threads do not end",
                self.kernel.tasks_within(&self.group)
            );
        }
    }
}

impl Attended for Container {
    fn pid(&self) -> i32 {
        self.first.numbers.own()
    }

    fn signal(&self, signal: Signal) {
        signal_from_outside(&self.kernel, &self.first, signal);
        if signal == Signal::KILL {
            // It ends where it waits.
            self.start();
        }
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.first.exit_status()?;
        match self.wait() {
            Ok(status) => Some(status),
            Err(error) => {
                log::error!("{error}");
                self.first.exit_status()
            }
        }
    }

    fn tell(&self, waker: Arc<dyn Wake>) -> Registration {
        self.first.exit_events.register(waker, Ready::all())
    }
}

pub(super) fn signal_from_outside(kernel: &Kernel, group: &Arc<ThreadGroup>, signal: Signal) {
    let info = Siginfo::kill(signal.raw(), SI_USER, 0, 0);
    // The kernel's own signals are never refused.
    let _ = kernel.signal_process(group, &info, Source::Outside);
}
