//! The Gofer process: holds the trees and serves one client until that is gone.
//!
//! # What it trusts
//! Nothing that comes through the channel. A request is copied out of the shared region
//! once and then checked: handles name an entry of the [`table`], names are one component
//! each ([`confine`] resolves them), sizes are bounded. Transfers go between host files and
//! the memory file inside the host kernel (preadv(2) into a mapping), so that a memory file
//! that is shrunk under us gives `EFAULT` and not a SIGBUS.
//!
//! What a client can do at most is what the trees allow: nothing outside of them, no
//! change where a tree is read-only.
//!
//! # Descriptors
//! Each inode that the client has a handle of is an `O_PATH` descriptor: it pins the inode,
//! so that renames and even unlinking do not matter, and gives access to nothing by itself.
//! For data it is opened again through `/proc/self/fd/N`. That is the one way that leads
//! to the very same inode: opening the name again in its parent could find another inode by
//! then, and fails for an inode without a name. The server's current directory is that
//! directory of procfs, so no path of the host's is needed, `N` is the path; it also
//! serves the calls that exist for paths only (the xattr family).
//!
//! The limit of open files (raised to the hard one) is what bounds the client's inodes:
//! seven eighths of it, then new ones are refused with `EMFILE` and the client must forget
//! some, as an `O_PATH` descriptor cannot be had again. Those for data can, so when the rest
//! is used up, the idle ones are closed and opened again when they are needed (which a
//! rootless Gofer may not be allowed any more, if the mode was changed meanwhile).
//!
//! # Threads
//! See `pool`.

mod attr;
mod confine;
mod create;
mod data;
mod dir;
mod dispatch;
mod find;
mod names;
mod node;
mod pool;
mod seccomp;
mod table;
mod xattr;

use std::os::fd::OwnedFd;

use platform::MemoryFile;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use syscalls::Errno;

use crate::host::HostResult;
use crate::wire::{Patience, Ring, ServerEnd};
pub use seccomp::seccomp_rows;
use table::Table;

/// What a Gofer is started with.
pub struct Config {
    /// The server's end of the channel.
    pub end: ServerEnd,
    /// The sandbox's memory file.
    pub memory_file: OwnedFd,
    /// What the client may attach to; [`TreeId`](crate::TreeId) is the index.
    pub trees: Vec<Tree>,
    /// What happens to owners that the host does not accept.
    pub owners: Owners,
    /// Who decides how much is read at a time.
    pub read_ahead: ReadAhead,
    /// Most threads that serve requests, at least 1.
    pub max_threads: usize,
}

/// A directory or single file of the host that the container sees.
pub struct Tree {
    /// Its root, opened with `O_PATH`.
    pub root: OwnedFd,
    /// What may be done with it.
    pub rights: Rights,
    /// What happens at mounts below it.
    pub mounts: Mounts,
}

/// What may be done with a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rights {
    /// Changes fail with `EROFS`.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

/// What happens where the host has mounted something below a tree's root. What is not
/// followed appears as an empty directory (or a file that cannot be opened) that can be
/// mounted over inside the sandbox.
///
/// A clone of one mount (open_tree(2) without `AT_RECURSIVE`) has none below and shows what
/// they hide; this is for roots that could not be had so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mounts {
    /// Not followed.
    Stay,
    /// Followed, but for file systems that show the host kernel instead of files
    /// (proc, sysfs, cgroup, …).
    FollowFiles,
    /// Followed.
    FollowAll,
}

/// What happens when a new inode cannot be given to its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owners {
    /// Making it fails with the host's error.
    Exact,
    /// It keeps the Gofer's own ids (rootless: all files are one user's).
    Approximate,
}

/// Who decides how much of a file is read before it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadAhead {
    /// The host, beyond what the client does.
    Host,
    /// The client alone: where memory is short. Pages that the host is reading, some megabytes
    /// a file, cannot be taken back until they are there.
    Client,
}

/// A Gofer that is ready to run.
pub struct Server {
    files: Files,
    ring: Ring,
    socket: OwnedFd,
    max_threads: usize,
    patience: Patience,
}

/// What requests work on.
pub(crate) struct Files {
    trees: Vec<Tree>,
    table: Table,
    memory: MemoryFile,
    owners: Owners,
    read_ahead: ReadAhead,
    uid: u32,
}

impl Server {
    /// Does all that the jail may forbid later: maps what is shared, raises the limit of
    /// descriptors to the hard one, and moves this thread (and those it starts, with `run`)
    /// to a current directory of its own, `/proc/self/fd`, with umask 0.
    ///
    /// To be called on the thread that will call [`Self::run`], where `/proc` is a procfs
    /// that shows this process.
    pub fn prepare(config: Config) -> Result<Self, Errno> {
        raise(Resource::Nofile)?;
        // Exceeding what limit is left is an error, and not the server's end.
        raise(Resource::Fsize)?;
        platform::host::signal::ignore(nix::sys::signal::Signal::SIGXFSZ)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let own_fds = rustix::fs::openat(CWD, c"/proc/self/fd", flags, Mode::empty()).host()?;
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).map_err(platform::host::errno)?;
        rustix::process::fchdir(&own_fds).host()?;
        rustix::process::umask(Mode::empty());
        Ok(Server {
            files: Files {
                trees: config.trees,
                table: Table::new(inodes()),
                memory: MemoryFile::attach(config.memory_file)?,
                owners: config.owners,
                read_ahead: config.read_ahead,
                uid: rustix::process::geteuid().as_raw(),
            },
            ring: Ring::map(config.end.region)?,
            socket: config.end.socket,
            max_threads: config.max_threads.max(1),
            patience: Patience::new(),
        })
    }

    /// Serves until the client is gone.
    pub fn run(self) -> Result<(), Errno> {
        pool::run(&self)
    }
}

/// Raises a limit to the hard one.
fn raise(resource: Resource) -> Result<(), Errno> {
    let maximum = getrlimit(resource).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(resource, limit).host()
}

/// Most inodes that the client may have: what the limit of open files allows, with room
/// for data.
fn inodes() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 8 * 7).unwrap_or(usize::MAX)
}

/// [`Server::prepare`] and [`Server::run`] in one.
pub fn serve(config: Config) -> Result<(), Errno> {
    Server::prepare(config)?.run()
}
