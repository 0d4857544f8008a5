//! What the mapper of an address space may ask of the host.
//!
//! Guest tasks inherit the filter. Under ptrace none of their calls is executed at all,
//! and a filter of their own would cost each of them some microseconds at birth, so this
//! one, on tasks without descriptors, is their second line.

use super::list::{Allow, Arg};
use super::program::{Otherwise, Program};
use crate::process::layout::{DONE_FD, MEMORY_FD, REPORT_FD};
use syscalls::Errno;

const CLONE_FORK: i32 = libc::CLONE_PARENT;
const CLONE_TASK: i32 = libc::CLONE_PARENT | libc::CLONE_VM | libc::CLONE_FS;
const SHARED_FIXED: u64 = 0x11;
/// MAP_SHARED_VALIDATE, MAP_FIXED, MAP_ANONYMOUS: the kinds of mapping.
const MAP_KIND: u64 = 0x33;

pub(crate) const ROWS: &[Allow] = &[
    Allow("futex", "sleep until the next command").when(&[Arg(1).is(libc::FUTEX_WAIT)]),
    Allow("write", "answer").when(&[Arg(0).is(DONE_FD)]),
    Allow("mmap", "map pages of the memory file")
        .when(&[Arg(3).masked(MAP_KIND, SHARED_FIXED), Arg(4).is(MEMORY_FD)]),
    Allow("mmap", "map the command page after a fork").when(&[
        Arg(3).masked(MAP_KIND, SHARED_FIXED),
        Arg(4).is(MEMORY_FD + 1),
    ]),
    Allow("munmap", "unmap"),
    Allow("mprotect", "change rights"),
    Allow("clone", "fork the address space").when(&[Arg(0).is(CLONE_FORK)]),
    Allow("clone", "a task for a guest thread").when(&[Arg(0).is(CLONE_TASK)]),
    Allow("pipe2", "the answers of a fork's mapper"),
    Allow("sendmsg", "hand the pipe's other end to the Sentry").when(&[Arg(0).is(REPORT_FD)]),
    Allow("dup2", "put the pipe in its place").when(&[Arg(1).is(DONE_FD)]),
    Allow(
        "close_range",
        "close the ends of the pipe; a guest task: everything",
    ),
    Allow("prctl", "end with the Sentry")
        .when(&[Arg(0).is(libc::PR_SET_PDEATHSIG), Arg(1).is(libc::SIGKILL)]),
    Allow("getppid", "is the Sentry still there"),
    Allow("pause", "a guest task that waits for its tracer"),
    Allow("exit_group", "end when the Sentry is gone"),
];

/// SIGSYS for everything else: it ends a mapper; in a guest task, it is how a call of the
/// vsyscall page becomes visible to the tracer.
pub(crate) fn program() -> Result<Program, Errno> {
    Program::compile(ROWS, Otherwise::Trap)
}
