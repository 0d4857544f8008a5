//! Client and server in one process, over a directory of the host.

mod data;
mod death;
mod hostile;
mod inode;
mod listing;
mod mounts;
mod names;
mod process;
mod race;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::JoinHandle;

use platform::MemoryFile;
use rustix::fs::{CWD, Mode, OFlags};
use syscalls::Errno;

use crate::server::{Config, Mounts, Owners, ReadAhead, Rights, Server, Tree};
use crate::wire::channel;
use crate::{Attr, Client, Handle, Owner, TreeId};
use process::{Remote, this_program};

/// What the tests create belongs to whoever runs them.
pub(crate) fn me() -> Owner {
    Owner {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

pub(crate) fn path_fd(path: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

/// A tree for the server, not opened yet.
pub(crate) struct TestTree {
    path: PathBuf,
    rights: Rights,
    mounts: Mounts,
}

pub(crate) fn tree(path: &Path, rights: Rights) -> TestTree {
    TestTree {
        path: path.to_owned(),
        rights,
        mounts: Mounts::Stay,
    }
}

impl TestTree {
    pub(crate) fn open(&self) -> Tree {
        Tree {
            root: path_fd(&self.path),
            rights: self.rights,
            mounts: self.mounts,
        }
    }
}

/// A running server with a client: in this process, or where the environment says so in
/// one of its own.
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) memory: MemoryFile,
    pub(crate) root: Handle,
    pub(crate) dir: tempfile::TempDir,
    server: Where,
}

enum Where {
    Thread(JoinHandle<Result<(), Errno>>),
    Process(Child),
}

/// Makes [`Rig`] use processes.
pub(crate) const PROCESSES: &str = "RUNSK_TEST_GOFER_PROCESSES";

impl Rig {
    /// One writable tree over an empty directory.
    pub(crate) fn new() -> Self {
        Self::with(|dir| vec![tree(dir, Rights::ReadWrite)])
    }

    pub(crate) fn with(trees: impl FnOnce(&Path) -> Vec<TestTree>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trees = trees(dir.path());
        let (client, memory, server) = if std::env::var_os(PROCESSES).is_some() {
            let Remote {
                client,
                memory,
                child,
            } = Remote::start(this_program(), &trees, Owners::Exact);
            (client, memory, Where::Process(child))
        } else {
            Self::thread(&trees)
        };
        let root = client.attach(TreeId(0)).unwrap().0;
        Rig {
            client,
            memory,
            root,
            dir,
            server,
        }
    }

    fn thread(trees: &[TestTree]) -> (Client, MemoryFile, Where) {
        let memory = MemoryFile::new(16 << 20).unwrap();
        let (client_end, end) = channel().unwrap();
        let config = Config {
            end,
            memory_file: rustix::io::fcntl_dupfd_cloexec(&memory, 0).unwrap(),
            trees: trees.iter().map(TestTree::open).collect(),
            owners: Owners::Exact,
            read_ahead: ReadAhead::Client,
            max_threads: 4,
        };
        let server = std::thread::spawn(|| Server::prepare(config)?.run());
        let client = Client::connect(client_end, || panic!("broken")).unwrap();
        (client, memory, Where::Thread(server))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self, name: &str) -> File {
        File::create_new(self.path(name)).unwrap()
    }

    /// The one component `name` of the root.
    pub(crate) fn find(&self, name: &str) -> (Handle, Attr) {
        let walked = self.client.walk(self.root, &[name.as_bytes()]).unwrap();
        assert_eq!(walked.stop, None, "{name}");
        walked.found[0]
    }

    /// Bytes of the memory file.
    pub(crate) fn bytes(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory.read(offset, &mut bytes).unwrap();
        bytes
    }

    /// Ends the client and waits for the server.
    pub(crate) fn finish(self) {
        assert!(!self.client.is_broken());
        drop(self.client);
        match self.server {
            Where::Thread(thread) => thread.join().unwrap().unwrap(),
            Where::Process(mut child) => assert!(child.wait().unwrap().success()),
        }
    }
}
