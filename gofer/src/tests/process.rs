//! A server in a process of its own and under its filter: this program again, told by its
//! environment.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use platform::MemoryFile;
use platform::seccomp::{Otherwise, Program};
use rustix::fs::{CWD, Mode, OFlags};

use super::{PROCESSES, TestTree};
use crate::Client;
use crate::server::{Config, Mounts, Owners, ReadAhead, Rights, Server, seccomp_rows};
use crate::wire::{ServerEnd, channel};

/// Descriptors, then the trees, a line each.
const WHAT: &str = "RUNSK_TEST_GOFER";
const OWNERS: &str = "RUNSK_TEST_GOFER_OWNERS";

pub(super) fn this_program() -> Command {
    // Not by its path: another user may not be able to go there.
    Command::new("/proc/self/exe")
}

/// A running server.
pub(super) struct Remote {
    pub(super) client: Client,
    pub(super) memory: MemoryFile,
    pub(super) child: Child,
}

impl Remote {
    /// `program` is this one, wrapped as the caller likes.
    pub(super) fn start(mut program: Command, trees: &[TestTree], owners: Owners) -> Self {
        let (client_end, end) = channel().unwrap();
        let memory = MemoryFile::new(16 << 20).unwrap();
        // Not close-on-exec.
        let share = |fd: BorrowedFd<'_>| rustix::io::dup(fd).unwrap();
        let (region, shared) = (share(end.region.as_fd()), share(memory.as_fd()));
        let mut what = format!("{}\n{}", region.as_raw_fd(), shared.as_raw_fd());
        for tree in trees {
            let TestTree {
                path,
                rights,
                mounts,
            } = tree;
            what += &format!("\n{rights:?} {mounts:?} {}", path.display());
        }
        program
            .args(["--exact", "tests::process::server", "--nocapture"])
            .env(WHAT, what)
            .env(OWNERS, format!("{owners:?}"))
            .stdin(Stdio::from(end.socket))
            .stdout(Stdio::null());
        let child = program.spawn().unwrap();
        // It holds the server's side of the socket, which the server alone may have.
        drop(program);
        let client = Client::connect(client_end, || {}).unwrap();
        Remote {
            client,
            memory,
            child,
        }
    }
}

fn fields(line: &str) -> [&str; 3] {
    let fields: Vec<_> = line.splitn(3, ' ').collect();
    fields.try_into().unwrap()
}

/// Not a test by itself: the server.
#[test]
fn server() {
    let Ok(what) = std::env::var(WHAT) else {
        return;
    };
    let mut lines = what.lines();
    let mut reopen = || -> OwnedFd {
        let path = format!("/proc/self/fd/{}", lines.next().unwrap());
        rustix::fs::openat(CWD, path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap()
    };
    let (region, memory_file) = (reopen(), reopen());
    let trees = lines.map(|line| {
        let [rights, mounts, path] = fields(line);
        let tree = TestTree {
            path: path.into(),
            rights: match rights {
                "ReadOnly" => Rights::ReadOnly,
                _ => Rights::ReadWrite,
            },
            mounts: match mounts {
                "FollowFiles" => Mounts::FollowFiles,
                "FollowAll" => Mounts::FollowAll,
                _ => Mounts::Stay,
            },
        };
        tree.open()
    });
    let server = Server::prepare(Config {
        end: ServerEnd {
            region,
            socket: std::io::stdin().as_fd().try_clone_to_owned().unwrap(),
        },
        memory_file,
        trees: trees.collect(),
        owners: if std::env::var(OWNERS).unwrap() == "Exact" {
            Owners::Exact
        } else {
            Owners::Approximate
        },
        read_ahead: ReadAhead::Client,
        max_threads: 4,
    });
    let server = server.unwrap();
    let filter = Program::compile(seccomp_rows(), Otherwise::Trap).unwrap();
    filter.install().unwrap();
    server.run().unwrap();
    // The harness would make calls that the filter does not know.
    std::process::exit(0);
}

/// All other tests again, with servers in processes, so under the filter.
#[test]
fn everything_under_the_filter() {
    if std::env::var_os(PROCESSES).is_some() {
        return;
    }
    let again = this_program().env(PROCESSES, "1").output().unwrap();
    let output = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{output}");
}
