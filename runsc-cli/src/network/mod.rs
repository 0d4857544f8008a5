//! The container's network: what the namespace that Docker, podman or a CNI plugin has
//! prepared holds, and a packet socket for each of its interfaces.
//!
//! The namespace is the one that config.json names, or that of the Sentry's process, into
//! which callers and hooks move interfaces between `create` and `start`. It is looked at
//! when all of them had their turn ([`read`]), just before the program runs, and told to the
//! Sentry, whose own stack answers for the addresses from then on. The host's stack in that
//! namespace must not answer as well ([`deafen`]).
//!
//! The namespace is left as it is otherwise: others find its addresses and routes there,
//! the next container in it too.

mod deafen;
mod loopback;
mod read;

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use nix::sched::{CloneFlags, setns};
use sentry::net::inet::Network;
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Outcome};
use crate::state::Record;

/// What `--network` says.
#[derive(ValueEnum, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The interfaces of the container's network namespace, by the sandbox's own stack.
    #[default]
    Sandbox,
    /// Sockets of the host, in the container's network namespace or, without one, in ours.
    Host,
    /// The loopback alone.
    None,
}

pub(crate) use loopback::up as loopback_up;
pub(crate) use read::{network as picture, socket as question_socket};

/// A network, and for each of its interfaces beyond the loopback, in their order, a packet
/// socket; then one that is connected to Docker's resolver, if that is there.
pub(crate) struct Found {
    pub(crate) network: Network,
    pub(crate) sockets: Vec<OwnedFd>,
}

/// The network of a container whose program is about to run; `None` if there is none but the
/// loopback.
pub(crate) fn find(record: &Record) -> Outcome<Option<Found>> {
    if record.network_mode != Mode::Sandbox {
        return Ok(None);
    }
    let named = record.network.clone();
    let Some(path) = named.or_else(|| own(record)) else {
        return Ok(None);
    };
    if !nix::unistd::geteuid().is_root() {
        // An ordinary user owns no interface that others could have put there.
        return Ok(None);
    }
    let is_hosts = is_hosts(&path)?;
    if let Some(sandbox) = &record.sandbox {
        // It has that container's network, or none.
        return match is_hosts || record.network.is_some() || !has_interfaces(&path)? {
            true => Ok(None),
            false => Err(Failure::new(format!(
                "a container in the sandbox of {sandbox} cannot have a network of its own: give \
                 it that container's, or none"
            ))),
        };
    }
    if is_hosts {
        log::warn!(
            "config.json: the container has no network: {} is the host's own",
            path.display()
        );
        return Ok(None);
    }
    if record.network.is_some()
        && let Some(user) = user_of(&path)?
    {
        return Err(Failure::new(format!(
            "the network namespace {} is in use by {user}, whom the sandbox's own stack would \
             cut off: give the runtime --network=host to share it, or the container a network \
             of its own",
            path.display()
        )));
    }
    let found = inside(&path, take_over)?;
    Ok(Some(found).filter(|found| !found.sockets.is_empty()))
}

/// Does something in a network namespace, which is a thread's: it is left with its end.
fn inside<T: Send>(path: &Path, act: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
    let look = || {
        let namespace = File::open(path).context(path.display())?;
        setns(&namespace, CloneFlags::CLONE_NEWNET).context(path.display())?;
        act()
    };
    std::thread::scope(|scope| {
        let joined = scope.spawn(look).join();
        joined.unwrap_or_else(|_| Err(Failure::new("reading the network namespace")))
    })
}

/// A process that uses a network namespace that is not ours: it lives there, and somebody
/// there has sockets of the internet. Who only holds the namespace for others loses nothing.
///
/// Sharing it takes the host's stack, and that is the operator's to say: it is not what one
/// asks for with a sandbox.
fn user_of(path: &Path) -> Outcome<Option<String>> {
    if !inside(path, || Ok(has_sockets()))? {
        return Ok(None);
    }
    let asked = std::fs::metadata(path).context(path.display())?;
    for entry in std::fs::read_dir("/proc").context("/proc")?.flatten() {
        let process = entry.path();
        // Those that are no process, or gone by now, have none.
        let Ok(theirs) = std::fs::metadata(process.join("ns/net")) else {
            continue;
        };
        let pid = entry.file_name().to_string_lossy().into_owned();
        let is_process = pid.bytes().all(|byte| byte.is_ascii_digit());
        if is_process && (asked.dev(), asked.ino()) == (theirs.dev(), theirs.ino()) {
            let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
            return Ok(Some(format!("process {pid} ({})", name.trim_end())));
        }
    }
    Ok(None)
}

/// Whether anybody has a socket of the internet in this thread's namespace, proc_net(5).
fn has_sockets() -> bool {
    const TABLES: [&str; 8] = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "icmp", "icmp6"];
    /// `TCP_TIME_WAIT`: its owner is gone.
    const TIME_WAIT: &str = "06";
    TABLES.iter().any(|table| {
        let text = std::fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        let text = text.unwrap_or_default();
        let mut states = text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().nth(3));
        states.any(|state| state.is_some_and(|state| state != TIME_WAIT))
    })
}

/// Whether callers have put any there.
fn has_interfaces(path: &Path) -> Outcome<bool> {
    let network = inside(path, || read::network(&mut read::socket()?))?;
    Ok(network.links.iter().any(|link| !link.is_loopback()))
}

/// The namespace of the Sentry's process.
fn own(record: &Record) -> Option<PathBuf> {
    let sentry = record.sentry.as_ref()?;
    Some(PathBuf::from(format!("/proc/{}/ns/net", sentry.pid)))
}

/// True if the Sentry has ended, or is about to, and its namespace is gone with it.
pub(crate) fn is_gone(record: &Record) -> bool {
    own(record).is_none_or(|path| !path.exists())
}

/// True for the namespace that we are in ourselves: its addresses are not a container's.
fn is_hosts(path: &Path) -> Outcome<bool> {
    let ours = std::fs::metadata("/proc/self/ns/net").context("/proc/self/ns/net")?;
    let theirs = std::fs::metadata(path).context(path.display())?;
    Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()))
}

/// In the namespace.
fn take_over() -> Outcome<Found> {
    let mut network = read::network(&mut read::socket()?)?;
    let mut sockets = Vec::new();
    let mut usable = Vec::new();
    for link in std::mem::take(&mut network.links) {
        if link.is_loopback() {
            usable.push(link);
            continue;
        }
        let socket = platform::host::packet::open(link.index);
        sockets.push(socket.context(format_args!("a packet socket on {}", link.name))?);
        usable.push(link);
    }
    let names = usable.iter().filter(|link| !link.is_loopback());
    let names: Vec<_> = names.map(|link| link.name.as_str()).collect();
    deafen::deafen(&names)?;
    if !names.is_empty() {
        sockets.extend(resolver()?);
    }
    network.links = usable;
    Ok(Found { network, sockets })
}

/// A socket connected to Docker's resolver, if its daemon has put one here. The namespace's own
/// rules lead from that address to wherever the daemon listens.
fn resolver() -> Outcome<Option<OwnedFd>> {
    /// 127.0.0.11 as /proc/net/udp writes it.
    const LISTENS: &str = " 0B00007F:";
    const WHAT: &str = "a socket to Docker's resolver";
    let sockets = std::fs::read_to_string("/proc/thread-self/net/udp").context(WHAT)?;
    if !sockets.contains(LISTENS) {
        return Ok(None);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").context(WHAT)?;
    socket.connect("127.0.0.11:53").context(WHAT)?;
    socket.set_nonblocking(true).context(WHAT)?;
    Ok(Some(socket.into()))
}
