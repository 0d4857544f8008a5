//! Client and server in one process, over a directory of the host.

mod data;
mod death;
mod hostile;
mod inode;
mod listing;
mod names;
mod race;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use platform::MemoryFile;
use rustix::fs::{CWD, Mode, OFlags};
use syscalls::Errno;

use crate::server::{Config, Mounts, Owners, Rights, Server, Tree};
use crate::wire::channel;
use crate::{Attr, Client, Handle, Owner, TreeId};

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

/// A tree for the server.
pub(crate) fn tree(path: &Path, rights: Rights) -> Tree {
    Tree {
        root: path_fd(path),
        rights,
        mounts: Mounts::Stay,
    }
}

/// A running server with a client.
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) memory: MemoryFile,
    pub(crate) root: Handle,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) broken: Arc<AtomicBool>,
    server: Option<JoinHandle<Result<(), Errno>>>,
}

impl Rig {
    /// One writable tree over an empty directory.
    pub(crate) fn new() -> Self {
        Self::with(|dir| vec![tree(dir, Rights::ReadWrite)])
    }

    pub(crate) fn with(trees: impl FnOnce(&Path) -> Vec<Tree>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trees = trees(dir.path());
        let memory = MemoryFile::new(16 << 20).unwrap();
        let (client_end, end) = channel().unwrap();
        let memory_file = rustix::io::fcntl_dupfd_cloexec(&memory, 0).unwrap();
        let config = Config {
            end,
            memory_file,
            trees,
            owners: Owners::Exact,
            max_threads: 4,
        };
        let server = std::thread::spawn(|| Server::prepare(config)?.run());
        let broken = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&broken);
        let client = Client::connect(client_end, move || told.store(true, Ordering::SeqCst));
        let client = client.unwrap();
        let root = client.attach(TreeId(0)).unwrap().0;
        Rig {
            client,
            memory,
            root,
            dir,
            broken,
            server: Some(server),
        }
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
    pub(crate) fn finish(mut self) {
        let server = self.server.take().unwrap();
        let broken = Arc::clone(&self.broken);
        drop(self);
        server.join().unwrap().unwrap();
        assert!(!broken.load(Ordering::SeqCst));
    }
}
