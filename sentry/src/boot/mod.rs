//! Starting a sandbox and the containers in it, and their end.
//!
//! A container's first process is made on the host thread that then runs it: mounts and the
//! program are looked up by it, with the rights of the kernel, before it takes on its own.
//! Like the first process of a pid name space, it takes all others of the container with it.
//! With the first container ends the sandbox; a pod has further ones ([`Sandbox::add`]), which
//! share as much with it as they ask for ([`home`]).

mod container;
mod devices;
mod exec;
mod first;
mod home;
mod mounts;
mod notify;
mod process;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::{MemoryFile, Platform};
use syscalls::Errno;

use crate::config::{Config, Shared};
use crate::kernel::Kernel;
use crate::net::host::HostNetwork;
use crate::sync::{Level, Mutex};
use crate::task::ExitStatus;
use crate::tty::HostTerminal;
use crate::wait::{Ready, Registration, Wake};

pub use container::Container;
pub use exec::Execed;
use home::Home;
pub use notify::Ear;

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
    /// The channel to who makes sockets of the host, which the first network name space has
    /// then instead of its own.
    pub sockets: Option<OwnedFd>,
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
    /// A further container's group.
    #[error("a container {name:?}: {errno}")]
    Name {
        /// Of the container.
        name: String,
        /// Why.
        errno: Errno,
    },
    /// The working directory.
    #[error("chdir to cwd ({path:?}) set in config.json failed: {}", .errno.text().to_lowercase())]
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
    first: Arc<Container>,
    /// Further containers, by name.
    members: Mutex<BTreeMap<String, Arc<Container>>>,
}

/// A further container.
pub struct Member {
    /// Tells it apart from others.
    pub name: String,
    /// Mounts, the first process, and the rest.
    pub config: Config,
    /// What it has in common with others.
    pub shared: Shared,
    /// Serves its trees.
    pub gofer: gofer::Client,
    /// What its first process has as descriptors 0, 1, 2 …
    pub stdio: Stdio,
}

/// A process, or a container, that somebody outside waits for.
pub trait Attended: Send + Sync {
    /// The number of the process inside.
    fn pid(&self) -> i32;
    /// Sends it a signal from outside.
    fn signal(&self, signal: crate::signal::Signal);
    /// How it ended, once it has and all that it said has been passed on.
    fn ended(&self) -> Option<ExitStatus>;
    /// Has `waker` told of its end.
    fn tell(&self, waker: Arc<dyn Wake>) -> Registration;
}

/// How long processes may take to end after the first one has, before they are left
/// behind: the end of the Sentry ends them too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a sandbox; returns once the first process is ready to run its program, which it
/// does after [`Container::start`].
pub fn create(boot: Boot) -> Result<Sandbox, BootError> {
    platform::host::allocator::share_one_heap();
    let kernel = Kernel::new(&boot.config, boot.platform, boot.memory);
    if let Some(channel) = boot.sockets {
        let host = HostNetwork::new(channel);
        kernel.internet.links.follow(Arc::new(host));
    }
    let home = Home::first(&kernel);
    let first = Container::new(&kernel, boot.config, home, boot.gofer, boot.stdio)?;
    Ok(Sandbox {
        kernel,
        first: Arc::new(first),
        members: Mutex::new(Level::Leaf, BTreeMap::new()),
    })
}

impl Sandbox {
    /// The kernel, for whoever controls the sandbox.
    #[must_use]
    pub fn kernel(&self) -> &Arc<Kernel> {
        &self.kernel
    }

    /// The container with which it ends.
    #[must_use]
    pub fn first(&self) -> &Arc<Container> {
        &self.first
    }

    /// Makes a further container, whose first process is then ready to run its program.
    pub fn add(&self, member: Member) -> Result<Arc<Container>, BootError> {
        let name = member.name.clone();
        let home = Home::in_pod(&self.kernel, &member, |name| {
            self.members.lock().get(name).cloned()
        })?;
        let group = home.group.clone();
        let made = Container::new(
            &self.kernel,
            member.config,
            home,
            member.gofer,
            member.stdio,
        );
        let container = match made {
            Ok(container) => Arc::new(container),
            Err(error) => {
                home::leave(&self.kernel, &group);
                return Err(error);
            }
        };
        let before = self.members.lock().insert(name.clone(), container.clone());
        if before.is_some() {
            log::warn!("container {name}: another one of that name had not been taken out");
        }
        Ok(container)
    }

    /// Waits for the end of a further container and takes it out.
    pub fn remove(&self, name: &str) {
        let Some(member) = self.members.lock().remove(name) else {
            return;
        };
        if let Err(error) = member.wait() {
            log::error!("container {name}: {error}");
        }
        home::leave(&self.kernel, member.group());
    }

    /// Waits until the first container has ended and all others with it; writes back what
    /// is still to be written.
    pub fn wait(&self) -> Result<ExitStatus, BootError> {
        let status = self.first.wait()?;
        let members = std::mem::take(&mut *self.members.lock());
        for member in members.values() {
            member.wait()?;
        }
        Ok(status)
    }
}

/// Calls `is_done` until it says so, at most [`PATIENCE`], whenever `ended` hears of the end
/// of a process.
fn wait_for(ended: &crossbeam_channel::Receiver<()>, is_done: impl Fn() -> bool) -> bool {
    let patience = Instant::now() + PATIENCE;
    while !is_done() {
        if ended.recv_deadline(patience).is_err() {
            return is_done();
        }
    }
    true
}

/// Rings for whoever waits outside the sandbox.
struct Bell(crossbeam_channel::Sender<()>);

impl Wake for Bell {
    fn wake(&self, _: Ready) {
        // Full: it has rung already.
        let _ = self.0.try_send(());
    }
}
