//! The process that makes sockets of the host, for `--network=host`; see
//! [`sentry::net::host`]. It has a network namespace of the host's, the rights on sockets that
//! the container is to have there, and nothing else: an empty root, a strict filter, one thread
//! that never waits but for the next question. It ends when the Sentry does.
//!
//! An ordinary user's is in a user namespace like the other processes. Root's is not: rights
//! that count in the host's network count in its user namespace alone.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use ::sentry::net::host::maker::{MAX_PACKET, PRIVILEGED, Question, Reply, TABLES};
use netlink_sys::Socket as Netlink;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns};
use nix::sys::memfd::{MFdFlags, memfd_create};
use platform::host::caps::Caps;
use platform::host::{fdpass, socket};
use platform::seccomp::{Allow, Arg, Otherwise, Program};
use syscalls::Errno;
use syscalls::abi::net::{
    AF_INET, AF_INET6, IP_TRANSPARENT, IPV6_TRANSPARENT, SO_BINDTODEVICE, SO_BINDTOIFINDEX,
    SO_MARK, SO_PRIORITY, SO_RCVMARK, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOCK_TYPE_MASK, SOL_IP,
    SOL_IPV6, SOL_SOCKET,
};
use syscalls::errno::{EBADF, EINVAL, EIO, EMSGSIZE, ENOENT};

use super::boot::{Inherited, NetworkBoot, SocketsBoot};
use super::jail;
use super::supervisor::{self, Report};
use crate::failure::{Context, Failure, Outcome};
use crate::{log_file, network};

/// What a container's rights on sockets are worth in the host's network.
pub(super) const CAPS: Caps = Caps::NET_BIND_SERVICE.union(Caps::NET_RAW);
/// To bring up the loopback of a namespace that is new.
pub(super) const SETUP: Caps = jail::SETUP.union(Caps::NET_ADMIN);

/// main of `runsk-sockets`.
pub(crate) fn main() -> ExitCode {
    super::child_main(c"runsk-sockets", serve)
}

fn serve(mut inherited: Inherited<SocketsBoot>, supervisor: &OwnedFd) -> Outcome<ExitCode> {
    let log = inherited.boot.log.file;
    let log = log.map(|index| inherited.fd(index)).transpose()?;
    log_file::start(inherited.boot.log.settings, log);
    let channel = inherited.fd(inherited.boot.channel)?;
    enter(&mut inherited, supervisor)?;
    set_up(&inherited.boot);
    let maker = Maker {
        tables: tables(),
        netlink: network::question_socket()?,
    };
    // In the host's user namespace what we mount would show outside as well.
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).context("mounts of its own")?;
    jail::empty_root()?;
    let keep = Caps::from_bits_retain(inherited.boot.keep);
    jail::lock(keep)?;
    let rows = [ROWS, OPTIONS, jail::COMMON].concat();
    jail::filter(
        "Sockets",
        Program::compile(&rows, Otherwise::Trap),
        supervisor,
    )?;
    supervisor::tell(supervisor, &Report::Ready)?;
    maker.run(&channel)
}

/// Enters the network namespace.
fn enter(inherited: &mut Inherited<SocketsBoot>, supervisor: &OwnedFd) -> Outcome<()> {
    const WHAT: &str = "the container's network namespace";
    let namespace = match inherited.boot.network {
        NetworkBoot::Hosts => return Ok(()),
        NetworkBoot::Own => {
            jail::leave_network()?;
            return network::loopback_up();
        }
        NetworkBoot::Named(index) => inherited.fd(index)?,
        NetworkBoot::Sentrys => {
            let received = fdpass::receive(supervisor, &mut [0]).context(WHAT)?;
            let missing = || Failure::new("the command line is gone");
            received.fds.into_iter().next().ok_or_else(missing)?
        }
    };
    setns(namespace, CloneFlags::CLONE_NEWNET).context(WHAT)?;
    match inherited.boot.network {
        // The Sentry has just made it.
        NetworkBoot::Sentrys => network::loopback_up(),
        _ => Ok(()),
    }
}

/// Gives a namespace that is the container's the settings that the configuration has for it.
/// The Sentry keeps them too, and says which of them it does not know.
fn set_up(boot: &SocketsBoot) {
    if boot.network == NetworkBoot::Hosts {
        return;
    }
    for (name, value) in boot
        .sysctls
        .iter()
        .filter(|(name, _)| name.starts_with("net."))
    {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        if let Err(error) = std::fs::write(&path, value) {
            log::warn!("sysctl {name:?}: {error}");
        }
    }
}

/// Those files of /proc/net that this host has. What is read from one tells of this namespace,
/// whoever reads it.
fn tables() -> HashMap<&'static str, File> {
    let open = |name: &&'static str| {
        let file = File::open(format!("/proc/thread-self/net/{name}"));
        Some((*name, file.ok()?))
    };
    TABLES.iter().filter_map(open).collect()
}

const ROWS: &[Allow] = &[
    Allow("recvmsg", "questions"),
    Allow("sendmsg", "answers"),
    Allow("socket", "sockets").when(&[Arg(0).is(AF_INET), STREAM]),
    Allow("socket", "sockets").when(&[Arg(0).is(AF_INET), DATAGRAM]),
    Allow("socket", "sockets").when(&[Arg(0).is(AF_INET), RAW]),
    Allow("socket", "sockets").when(&[Arg(0).is(AF_INET6), STREAM]),
    Allow("socket", "sockets").when(&[Arg(0).is(AF_INET6), DATAGRAM]),
    Allow("socket", "sockets").when(&[Arg(0).is(AF_INET6), RAW]),
    Allow("getsockname", "whether a socket is one of the internet"),
    Allow("bind", "ports of the privileged"),
    Allow("close", "what was handed over"),
    Allow("fcntl", "Rust, where it checks what it closes").when(&[Arg(1).is(libc::F_GETFD)]),
    Allow("recvfrom", "answers of netlink"),
    Allow("memfd_create", "what the namespace holds"),
    Allow("mmap", "memory").when(&[Arg(2).has_none_of(EXEC)]),
    Allow("munmap", "memory"),
    Allow("mremap", "memory"),
    Allow("madvise", "memory"),
    Allow("brk", "memory"),
    Allow("getpid", "log lines"),
    Allow("clock_gettime", "log lines"),
    Allow("sigaltstack", "the end of the thread"),
];

/// Those of [`PRIVILEGED`].
const OPTIONS: &[Allow] = &[
    Allow("setsockopt", "marks").when(&[Arg(1).is(SOL_SOCKET), Arg(2).is(SO_MARK)]),
    Allow("setsockopt", "priorities").when(&[Arg(1).is(SOL_SOCKET), Arg(2).is(SO_PRIORITY)]),
    Allow("setsockopt", "marks").when(&[Arg(1).is(SOL_SOCKET), Arg(2).is(SO_RCVMARK)]),
    Allow("setsockopt", "interfaces").when(&[Arg(1).is(SOL_SOCKET), Arg(2).is(SO_BINDTODEVICE)]),
    Allow("setsockopt", "interfaces").when(&[Arg(1).is(SOL_SOCKET), Arg(2).is(SO_BINDTOIFINDEX)]),
    Allow("setsockopt", "proxies").when(&[Arg(1).is(SOL_IP), Arg(2).is(IP_TRANSPARENT)]),
    Allow("setsockopt", "proxies").when(&[Arg(1).is(SOL_IPV6), Arg(2).is(IPV6_TRANSPARENT)]),
];

const EXEC: u64 = libc::PROT_EXEC as u64;
const TYPE: u64 = SOCK_TYPE_MASK as u64;
const STREAM: platform::seccomp::Test = Arg(1).masked(TYPE, SOCK_STREAM as u64);
const DATAGRAM: platform::seccomp::Test = Arg(1).masked(TYPE, SOCK_DGRAM as u64);
const RAW: platform::seccomp::Test = Arg(1).masked(TYPE, SOCK_RAW as u64);

/// What an answer carries.
enum Carried<'a> {
    Nothing,
    Made(OwnedFd),
    Kept(BorrowedFd<'a>),
}

struct Maker {
    tables: HashMap<&'static str, File>,
    netlink: Netlink,
}

impl Maker {
    fn run(mut self, channel: &OwnedFd) -> Outcome<ExitCode> {
        let mut packet = vec![0; MAX_PACKET];
        loop {
            let received = match fdpass::receive(channel, &mut packet) {
                Err(syscalls::errno::EINTR) => continue,
                // Too long a question is none.
                Err(EMSGSIZE) => fdpass::Received {
                    len: 1,
                    fds: Vec::new(),
                    sender: None,
                },
                received => received.context("questions")?,
            };
            // The Sentry has ended.
            if received.len == 0 {
                return Ok(ExitCode::SUCCESS);
            }
            let question = packet.get(..received.len).unwrap_or_default();
            let answer = match serde_json::from_slice(question) {
                Ok(question) => self.answer(question, received.fds),
                Err(_) => Err(EINVAL),
            };
            let (reply, carried) = match answer {
                Ok(carried) => (Reply(0), carried),
                Err(error) => (Reply(error.raw()), Carried::Nothing),
            };
            let text = serde_json::to_vec(&reply).context("an answer")?;
            let sent = match &carried {
                Carried::Nothing => fdpass::send(channel, &text, &[]),
                Carried::Made(fd) => fdpass::send(channel, &text, &[fd.as_fd()]),
                Carried::Kept(fd) => fdpass::send(channel, &text, &[*fd]),
            };
            if sent.is_err() {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    fn answer(&mut self, question: Question, fds: Vec<OwnedFd>) -> Result<Carried<'_>, Errno> {
        match question {
            Question::Socket {
                family,
                kind,
                protocol,
            } => {
                let known = matches!(family, AF_INET | AF_INET6)
                    && matches!(kind, SOCK_STREAM | SOCK_DGRAM | SOCK_RAW);
                if !known {
                    return Err(EINVAL);
                }
                socket::make(family, kind, protocol).map(Carried::Made)
            }
            Question::Bind(address) => {
                let fd = fds.first().ok_or(EBADF)?;
                // Names of other kinds of sockets are none of its business.
                let family = |address: &[u8]| {
                    let bytes = address.first_chunk::<2>().copied();
                    bytes.map(|bytes| i32::from(u16::from_ne_bytes(bytes)))
                };
                let is_internet = |family| matches!(family, Some(AF_INET | AF_INET6));
                if !is_internet(family(&socket::local(fd)?)) || !is_internet(family(&address)) {
                    return Err(EINVAL);
                }
                socket::bind(fd, &address).map(|()| Carried::Nothing)
            }
            Question::Option { level, name, value } => {
                let fd = fds.first().ok_or(EBADF)?;
                if !PRIVILEGED.contains(&(level, name)) {
                    return Err(EINVAL);
                }
                socket::set_option(fd, level, name, &value).map(|()| Carried::Nothing)
            }
            Question::Network => {
                let found = network::picture(&mut self.netlink);
                let found = found.map_err(|failure| EIO.why(&failure.to_string()))?;
                let text = serde_json::to_vec(&found).map_err(|_| EIO)?;
                let file = memfd_create(c"runsk-network", MFdFlags::MFD_CLOEXEC);
                let file = file.map_err(platform::host::errno)?;
                let mut file = File::from(file);
                file.write_all(&text).map_err(|_| EIO)?;
                Ok(Carried::Made(file.into()))
            }
            Question::Table(name) => {
                let table = self.tables.get(name.as_str()).ok_or(ENOENT)?;
                Ok(Carried::Kept(table.as_fd()))
            }
        }
    }
}
