//! Starting a sandbox, and its end.
//!
//! The first process is made on the host thread that then runs it: mounts and the
//! program are looked up by it, with the rights of the kernel, before it takes on its
//! own. Like the first process of a pid name space, it takes all others with it.

mod devices;
mod exec;
mod first;
mod mounts;
mod process;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use platform::{MemoryFile, Platform};
use syscalls::Errno;
use syscalls::abi::signal::{SI_USER, Siginfo};

use crate::config::Config;
use crate::fs::gofer::WriteBack;
use crate::kernel::Kernel;
use crate::signal::{Signal, Source};
use crate::sync::{Level, Mutex};
use crate::task::{ExitStatus, ThreadGroup};
use crate::tty::{Console, HostTerminal};
use crate::wait::{Ready, Wake};

pub use exec::Execed;

/// What a sandbox is made of.
pub struct Boot {
    /// Mounts, the first process, and the rest.
    pub config: Config,
    /// Runs application code.
    pub platform: Arc<dyn Platform>,
    /// Holds every guest page.
    pub memory: MemoryFile,
    /// Serves the trees that the configuration names.
    pub gofer: gofer::Client,
    /// What the first process has as descriptors 0, 1, 2 …
    pub stdio: Stdio,
}

/// Standard input and output of the first process.
#[derive(Debug)]
pub enum Stdio {
    /// Descriptors of the host, as they are.
    Host(Vec<OwnedFd>),
    /// A controlling terminal of the sandbox's own behind one of the host, and descriptors
    /// of the host from 3 on.
    Terminal(HostTerminal, Vec<OwnedFd>),
}

/// Why a sandbox could not start. The texts are for the user.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// A mount.
    #[error("mounting {kind} on {path:?}: {errno}")]
    Mount {
        /// Type or source.
        kind: String,
        /// Where.
        path: String,
        /// Why.
        errno: Errno,
    },
    /// A masked or read-only path.
    #[error("hiding or protecting {path:?}: {errno}")]
    Mask {
        /// Where.
        path: String,
        /// Why.
        errno: Errno,
    },
    /// A device node.
    #[error("making the device {path:?}: {errno}")]
    Device {
        /// Where.
        path: String,
        /// Why.
        errno: Errno,
    },
    /// A setting of the kernel.
    #[error("sysctl {name:?} cannot be set to {value:?}: {errno}")]
    Sysctl {
        /// Which.
        name: String,
        /// To what.
        value: String,
        /// Why.
        errno: Errno,
    },
    /// The working directory.
    #[error("chdir to cwd ({path:?}) set in config.json failed: {errno}")]
    WorkingDirectory {
        /// Which.
        path: String,
        /// Why.
        errno: Errno,
    },
    /// The program.
    #[error("exec: {path:?}: {reason}")]
    Program {
        /// Which.
        path: String,
        /// Why, in runc's words where it has any.
        reason: String,
        /// The error behind it.
        errno: Errno,
    },
    /// Something that the sandbox needs of the host.
    #[error("{what}: {errno}")]
    Host {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        errno: Errno,
    },
}

/// A sandbox whose first process runs.
pub struct Sandbox {
    kernel: Arc<Kernel>,
    first: Arc<ThreadGroup>,
    write_back: WriteBack,
    console: Option<Console>,
    ended: Receiver<()>,
    /// Lets the first process run its program, once.
    gate: Mutex<Option<Sender<()>>>,
    _registrations: [crate::wait::Registration; 2],
}

/// How long processes may take to end after the first one has, before they are left
/// behind: the end of the Sentry ends them too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a sandbox and waits for its end.
pub fn run(boot: Boot) -> Result<ExitStatus, BootError> {
    let sandbox = create(boot)?;
    sandbox.start();
    sandbox.wait()
}

/// Makes a sandbox; returns once the first process is ready to run its program, which it
/// does after [`Sandbox::start`].
pub fn create(boot: Boot) -> Result<Sandbox, BootError> {
    platform::host::allocator::share_one_heap();
    let kernel = Kernel::new(boot.config, boot.platform, boot.memory);
    let write_back = WriteBack::default();
    let (report, reported) = bounded(1);
    let (gate, opened) = bounded(1);
    let first = first::First {
        kernel: kernel.clone(),
        gofer: boot.gofer,
        write_back: write_back.clone(),
        stdio: boot.stdio,
        gate: opened,
    };
    first.spawn(report)?;
    let host = |errno| BootError::Host {
        what: "starting the first process",
        errno,
    };
    // The other side is dropped unsent only if the thread died.
    let (first, console) = reported.recv().map_err(|_| host(syscalls::errno::EIO))??;
    let (tell, ended) = bounded(1);
    let waker: Arc<dyn Wake> = Arc::new(Bell(tell));
    let registrations = [
        first.exit_events.register(waker.clone(), Ready::all()),
        kernel.process_ends.register(waker, Ready::all()),
    ];
    Ok(Sandbox {
        kernel,
        first,
        write_back,
        console,
        ended,
        gate: Mutex::new(Level::Leaf, Some(gate)),
        _registrations: registrations,
    })
}

/// Rings for whoever waits outside the sandbox.
struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(&self, _: Ready) {
        // Full: it has rung already.
        let _ = self.0.try_send(());
    }
}

impl Sandbox {
    /// The kernel, for whoever controls the sandbox.
    #[must_use]
    pub fn kernel(&self) -> &Arc<Kernel> {
        &self.kernel
    }

    /// Lets the first process run its program; false if it does already.
    pub fn start(&self) -> bool {
        let gate = self.gate.lock().take();
        gate.is_some_and(|gate| gate.send(()).is_ok())
    }

    /// True until [`Self::start`].
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.gate.lock().is_some()
    }

    /// Sends a signal from outside to the first process.
    pub fn signal(&self, signal: Signal) {
        let info = Siginfo::kill(signal.raw(), SI_USER, 0, 0);
        // The kernel's own signals are never refused.
        let _ = self
            .kernel
            .signal_process(&self.first, &info, Source::Outside);
        if signal == Signal::KILL {
            // It ends where it waits.
            self.start();
        }
    }

    /// Sends a signal from outside to every process.
    pub fn signal_all(&self, signal: Signal) {
        for group in self.kernel.pids.groups() {
            if group.pid != self.first.pid {
                let info = Siginfo::kill(signal.raw(), SI_USER, 0, 0);
                let _ = self.kernel.signal_process(&group, &info, Source::Outside);
            }
        }
        self.signal(signal);
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
        let patience = Instant::now() + PATIENCE;
        while self.kernel.pids.task_count() > 0 {
            if self.ended.recv_deadline(patience).is_err() {
                log::warn!("{} threads do not end", self.kernel.pids.task_count());
                break;
            }
        }
        if let Some(console) = &self.console {
            console.finish();
        }
        self.write_back
            .flush_all()
            .map_err(|errno| BootError::Host {
                what: "writing back changed files",
                errno,
            })?;
        Ok(status)
    }
}
