//! The host calls of a Gofer that serves: what [`Server::run`](super::Server::run) makes,
//! after everything that [`Server::prepare`](super::Server::prepare) did.

use platform::seccomp::{Allow, Arg};

const PROT_EXEC: u64 = 4;
const F_GETFD: i32 = 1;
const F_DUPFD_CLOEXEC: i32 = 1030;
const PR_SET_NAME: i32 = 15;

/// The rows of the Gofer's filter.
#[must_use]
pub const fn seccomp_rows() -> &'static [Allow] {
    ROWS
}

const ROWS: &[Allow] = &[
    // Finding and opening.
    Allow("openat2", "one step below a tree's root, confined"),
    Allow("openat", "opens a found inode for data, makes files"),
    Allow("close", "inodes are forgotten, files closed"),
    Allow("fcntl", "a tree's root is handed out").when(&[Arg(1).is(F_DUPFD_CLOEXEC)]),
    Allow(
        "fcntl",
        "the standard library's check of what it closes, in debug builds",
    )
    .when(&[Arg(1).is(F_GETFD)]),
    // What is known about an inode.
    Allow("statx", "attributes"),
    Allow("fstatfs", "statfs, and what lies beyond a mount"),
    Allow("readlinkat", "readlink"),
    Allow("getdents64", "listings"),
    Allow("lseek", "listings from a position, holes of files"),
    Allow("getxattr", "extended attributes"),
    Allow("listxattr", "extended attributes"),
    // Data.
    Allow("preadv", "from host files into the memory file"),
    Allow("fadvise64", "no read-ahead where memory is short"),
    Allow("pwritev", "from the memory file into host files"),
    Allow("fsync", "fsync"),
    Allow("fdatasync", "fdatasync"),
    // Changes.
    Allow("fchmodat", "chmod, set-id bits of new inodes"),
    Allow("fchownat", "chown, owners of new inodes"),
    Allow("utimensat", "times"),
    Allow("ftruncate", "truncate"),
    Allow("fallocate", "fallocate"),
    Allow("setxattr", "extended attributes"),
    Allow("removexattr", "extended attributes"),
    Allow("mkdirat", "mkdir"),
    Allow("mknodat", "mknod"),
    Allow("symlinkat", "symlink"),
    Allow("linkat", "link"),
    Allow("unlinkat", "unlink, rmdir"),
    Allow("renameat2", "rename"),
    // Waiting.
    Allow(
        "futex",
        "threads wait for requests, and wake who waits for an answer",
    ),
    Allow("ppoll", "the end of the client"),
    Allow(
        "clock_gettime",
        "how long to spin, where the host has no clock in the vDSO",
    ),
    Allow("sched_yield", "a contended lock"),
    Allow("restart_syscall", "a wait that was stopped and continued"),
    // Memory.
    Allow("mmap", "heap, stacks, windows on the memory file")
        .when(&[Arg(2).has_none_of(PROT_EXEC)]),
    Allow("mprotect", "heap, guard pages").when(&[Arg(2).has_none_of(PROT_EXEC)]),
    Allow("munmap", "heap, stacks of ended threads"),
    Allow("mremap", "tables that grow"),
    Allow("madvise", "heap and stacks given back"),
    Allow("brk", "heap"),
    Allow(
        "read",
        "glibc reads vm.overcommit_memory, where it can open it, before it shrinks a heap",
    ),
    // Threads: there are more of them while many requests wait for disks.
    Allow("clone3", "another serving thread"),
    Allow("set_robust_list", "a new thread"),
    Allow("rseq", "a new thread"),
    Allow(
        "sigaltstack",
        "a new thread's stack for reporting an overflow",
    ),
    Allow("rt_sigprocmask", "a new thread"),
    Allow(
        "sched_getaffinity",
        "a new thread, asking for its stack's bounds",
    ),
    Allow("gettid", "a new thread"),
    Allow("prctl", "a new thread's name").when(&[Arg(0).is(PR_SET_NAME)]),
    Allow("exit", "the end of a thread"),
    Allow("exit_group", "the end"),
    Allow("write", "the log"),
];
