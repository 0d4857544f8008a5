//! Programs: what execve(2) makes new memory from.
//!
//! [`load`] resolves scripts, maps the program and its ELF interpreter into a fresh
//! [`Mm`] and builds the first stack. It changes nothing of the caller: whoever runs
//! execve commits to the [`Image`] afterwards.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::ENOEXEC;

use crate::kernel::Kernel;
use crate::mm::{Limits, Mm};
use crate::vfs::File;

/// What to load.
pub struct Program<'a> {
    /// The file, opened for execution: regular, executable by the caller, not on a
    /// `noexec` mount.
    pub file: Arc<File>,
    /// Its path as execve(2) got it (`AT_EXECFN`); `/dev/fd/N` or `/dev/fd/N/path` for
    /// execveat(2).
    pub path: Vec<u8>,
    /// The path leads nowhere once the program runs (execveat(2) of a descriptor that
    /// closes): scripts cannot be run so and give `ENOENT`.
    pub path_closes: bool,
    /// Arguments, without NULs.
    pub argv: Vec<Vec<u8>>,
    /// Environment, without NULs.
    pub envp: Vec<Vec<u8>>,
    /// Limits of the process.
    pub limits: Limits,
    /// Opens an interpreter's path for execution, as [`Program::file`] was opened:
    /// relative to the working directory; the error is execve's.
    pub open: &'a dyn Fn(&[u8]) -> Result<Arc<File>, Errno>,
    /// Whom the program will run as. Asked once, for the file that decides: the binary
    /// after all `#!` lines.
    pub identity: &'a dyn Fn(&Arc<File>) -> Identity,
}

/// What a program is told of its credentials, getauxval(3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in credentials(7)")]
pub struct Identity {
    pub uid: u32,
    pub euid: u32,
    pub gid: u32,
    pub egid: u32,
    /// `AT_SECURE`: it gained privileges, and libraries must not trust the environment.
    pub secure: bool,
}

/// A program ready to run.
pub struct Image {
    /// Its memory.
    pub mm: Arc<Mm>,
    /// First instruction.
    pub rip: u64,
    /// First stack pointer.
    pub rsp: u64,
    /// The task's new name, at most 15 bytes.
    pub name: Vec<u8>,
    /// The binary, after all `#!` lines: /proc/PID/exe, set-id bits.
    pub file: Arc<File>,
}

/// Makes memory that holds `program`. Errors are execve(2)'s.
pub fn load(kernel: &Kernel, program: Program<'_>) -> Result<Image, Errno> {
    let _ = (kernel, program);
    Err(ENOEXEC)
}
