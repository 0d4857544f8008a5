//! A service manager that has started us, and waits to hear that the container is ready;
//! sd_notify(3).
//!
//! The container has a socket of its own kernel, [`SOCKET`]. Whoever starts the container waits
//! for what is said there, passes that on, and says which process the service is on the host.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use oci_spec::runtime::{Mount, Spec};
use platform::host::fdpass;

use super::client::Starting;

/// The variable that names a manager's socket.
const VARIABLE: &str = "NOTIFY_SOCKET";
/// Where it is mounted inside.
const DIRECTORY: &str = "/run/notify";
/// What the container is given as the manager's.
pub(super) const SOCKET: &str = "/run/notify/notify.sock";
/// How long a manager may take to read what it is told, milliseconds.
const PATIENCE: u16 = 30_000;

/// Whether there is one.
pub(super) fn is_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|name| !name.is_empty())
}

/// Has a container say what it has to say to us.
pub(super) fn set_up(spec: &mut Spec) {
    let mut mounts = spec.mounts().clone().unwrap_or_default();
    mounts.push(directory());
    spec.set_mounts(Some(mounts));
    if let Some(process) = spec.process_mut() {
        let mut env = process.env().clone().unwrap_or_default();
        env.retain(|variable| variable.split('=').next() != Some(VARIABLE));
        env.push(format!("{VARIABLE}={SOCKET}"));
        process.set_env(Some(env));
    }
}

fn directory() -> Mount {
    let options = ["nosuid", "noexec", "nodev", "mode=755"];
    let mut mount = Mount::default();
    mount
        .set_destination(DIRECTORY.into())
        .set_typ(Some("tmpfs".to_owned()))
        .set_source(Some("tmpfs".into()))
        .set_options(Some(options.map(str::to_owned).to_vec()));
    mount
}

/// A service manager.
pub(super) struct Manager(UnixDatagram);

impl Manager {
    /// The one that our environment names.
    pub(super) fn find() -> Option<Self> {
        let name = std::env::var_os(VARIABLE).filter(|name| !name.is_empty())?;
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address(&name)?)?;
            Ok(socket)
        };
        let connected = connect().inspect_err(|error: &std::io::Error| {
            log::warn!("{VARIABLE} {}: {error}", name.display());
        });
        connected.ok().map(Manager)
    }

    /// Waits until the container is ready, and says so, with the process `pid` that it is.
    /// What goes wrong is between the two: the container runs.
    pub(super) fn follow(&self, starting: Starting, pid: Option<i32>) {
        let Some(line) = starting.ready() else {
            return;
        };
        let told = self.tell(&line, pid);
        if let Err(error) = told {
            log::warn!("{VARIABLE}: {error}");
        }
    }

    fn tell(&self, line: &str, pid: Option<i32>) -> std::io::Result<()> {
        self.0.send(format!("{line}\n").as_bytes())?;
        let Some(pid) = pid else {
            return Ok(());
        };
        self.0.send(format!("MAINPID={pid}\n").as_bytes())?;
        self.wait_until_read()
    }

    /// It looks up who has said something, and would find nobody if we had ended by then. The
    /// pipe ends when it has read all there is.
    fn wait_until_read(&self) -> std::io::Result<()> {
        let (ours, theirs): (OwnedFd, OwnedFd) = nix::unistd::pipe()?;
        fdpass::send(&self.0, b"BARRIER=1", &[theirs.as_fd()])
            .map_err(|errno| std::io::Error::from_raw_os_error(errno.raw().into()))?;
        drop(theirs);
        let mut fds = [PollFd::new(ours.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(PATIENCE))?;
        Ok(())
    }
}

/// A path, or with "@" in front an abstract name.
fn address(name: &OsStr) -> std::io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}
