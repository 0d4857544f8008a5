//! What the command line tells a process that it starts: JSON in a file in memory, at
//! descriptor [`BOOT_FD`]. All descriptors that it names were handed over with it.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use platform::host::spawn;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Outcome};
use crate::log_file::LogSettings;

/// The boot configuration's descriptor, after stdin, stdout and stderr.
const BOOT_FD: usize = 3;
/// The socket to the command line; see [`super::supervisor`].
const SUPERVISOR_FD: usize = 4;

/// An inherited descriptor, by its number.
pub(super) type FdIndex = usize;

/// For the Sentry.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SentryBoot {
    pub(super) log: LogBoot,
    pub(super) platform: PlatformKind,
    pub(super) config: sentry::Config,
    /// The channel to the Gofer: shared region and socket.
    pub(super) gofer: (FdIndex, FdIndex),
    /// The sandbox's memory.
    pub(super) memory: FdIndex,
    /// The channel to the process that makes sockets.
    pub(super) sockets: Option<FdIndex>,
    /// The listening control socket.
    pub(super) control: Option<FdIndex>,
    /// Who is told of processes that were ended because memory had run out.
    pub(super) oom_listener: Option<FdIndex>,
    /// What the first process has as descriptors 3, 4 …
    pub(super) extra: Vec<FdIndex>,
    pub(super) start: Start,
    pub(super) lifetime: Lifetime,
}

/// For the process that makes sockets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SocketsBoot {
    pub(super) log: LogBoot,
    /// The channel to the Sentry.
    pub(super) channel: FdIndex,
    pub(super) network: NetworkBoot,
    /// `linux.sysctl`.
    pub(super) sysctls: Vec<(String, String)>,
    /// Capabilities that it has for the container.
    pub(super) keep: u64,
}

/// A network namespace of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum NetworkBoot {
    /// The caller's.
    Hosts,
    /// The one behind the descriptor.
    Named(FdIndex),
    /// That of the Sentry's process, into which others move interfaces. Its descriptor comes
    /// when it is there.
    Sentrys,
    /// One of its own, with a loopback.
    Own,
}

/// When the first process runs its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Start {
    /// As soon as it can.
    AtOnce,
    /// When it is told to.
    OnOrder,
}

/// What the end of the command line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Lifetime {
    /// The sandbox ends with it.
    WithCommand,
    /// Nothing, once the command line has said so.
    OnItsOwn,
}

/// For the Gofer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GoferBoot {
    pub(super) log: LogBoot,
    pub(super) trees: Vec<TreeBoot>,
    /// The channel to the Sentry: shared region and socket.
    pub(super) sentry: (FdIndex, FdIndex),
    /// The sandbox's memory.
    pub(super) memory: FdIndex,
    /// Files can be given to any owner that the namespace maps.
    pub(super) exact_owners: bool,
    /// The host may read as much of a file ahead as it likes.
    pub(super) host_reads_ahead: bool,
    pub(super) lifetime: Lifetime,
}

/// Where messages go.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LogBoot {
    pub(super) settings: LogSettings,
    /// The log file; stderr without one.
    pub(super) file: Option<FdIndex>,
}

/// A tree to serve.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TreeBoot {
    pub(super) root: TreeRoot,
    pub(super) readonly: bool,
}

/// How the Gofer gets at a tree.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum TreeRoot {
    /// A mount that belongs to it alone.
    Inherited(FdIndex),
    /// A path that it opens before it locks itself in.
    Path(Vec<u8>),
}

/// A platform that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PlatformKind {
    Systrap,
    Ptrace,
    /// With /dev/kvm.
    Kvm(FdIndex),
}

/// The descriptors of a process to be started, by the numbers they will have.
pub(super) struct Descriptors<'a> {
    list: Vec<BorrowedFd<'a>>,
}

impl<'a> Descriptors<'a> {
    /// The fixed ones. What `boot` refers to is filled in by [`write`].
    pub(super) fn new(
        stdio: [BorrowedFd<'a>; 3],
        boot: BorrowedFd<'a>,
        supervisor: BorrowedFd<'a>,
    ) -> Self {
        let mut list = stdio.to_vec();
        list.extend([boot, supervisor]);
        debug_assert_eq!(list.len(), SUPERVISOR_FD + 1);
        Descriptors { list }
    }

    /// One more; its number.
    pub(super) fn add(&mut self, fd: BorrowedFd<'a>) -> FdIndex {
        self.list.push(fd);
        self.list.len() - 1
    }

    /// In order.
    pub(super) fn into_list(self) -> Vec<BorrowedFd<'a>> {
        self.list
    }
}

/// An empty file for a boot configuration.
pub(super) fn file() -> Outcome<File> {
    memfd_create(c"runsk-boot", MFdFlags::MFD_CLOEXEC)
        .map(File::from)
        .context("a file in memory")
}

/// Fills the file.
pub(super) fn write(file: &File, boot: &impl Serialize) -> Outcome<()> {
    let text = serde_json::to_vec(boot).context("the boot configuration")?;
    let mut file = file;
    file.write_all(&text).context("the boot configuration")?;
    file.rewind().context("the boot configuration")
}

/// What a started process finds.
pub(super) struct Inherited<B> {
    pub(super) boot: B,
    fds: Vec<Option<OwnedFd>>,
}

impl<B: DeserializeOwned> Inherited<B> {
    /// Takes the descriptors and reads the configuration; also gives the socket to the
    /// command line. First thing in main.
    pub(super) fn take() -> Outcome<(Self, OwnedFd)> {
        let by_hand = || Failure::new("this is a part of runsk: it is not started by hand");
        let fds = spawn::take_inherited().map_err(|_| by_hand())?;
        let stdio = (0..spawn::FIRST_INHERITED).map(|_| None);
        let mut fds: Vec<_> = stdio.chain(fds.into_iter().map(Some)).collect();
        let boot = take(&mut fds, BOOT_FD).map_err(|_| by_hand())?;
        let supervisor = take(&mut fds, SUPERVISOR_FD).map_err(|_| by_hand())?;
        let mut text = Vec::new();
        File::from(boot)
            .read_to_end(&mut text)
            .context("the boot configuration")?;
        let boot = serde_json::from_slice(&text).map_err(|_| by_hand())?;
        Ok((Inherited { boot, fds }, supervisor))
    }

    /// Takes one descriptor.
    pub(super) fn fd(&mut self, index: FdIndex) -> Outcome<OwnedFd> {
        take(&mut self.fds, index)
    }
}

fn take(fds: &mut [Option<OwnedFd>], index: FdIndex) -> Outcome<OwnedFd> {
    fds.get_mut(index)
        .and_then(Option::take)
        .ok_or_else(|| Failure::new(format!("descriptor {index} was not handed over")))
}
