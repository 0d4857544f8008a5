//! Programs: what execve(2) makes new memory from.
//!
//! [`load`] resolves scripts, maps the program and its ELF interpreter into a fresh
//! [`Mm`] and builds the first stack. It changes nothing of the caller: whoever runs
//! execve commits to the [`Image`] afterwards.

mod elf;
mod script;
mod segments;
mod stack;
#[cfg(test)]
mod tests;
mod vdso;

use std::sync::Arc;

use platform::{MemoryFile, Prot};
use syscalls::errno::{EFAULT, EINVAL, EIO, ELIBBAD, ELOOP, ENOENT, ENOEXEC};
use syscalls::{Errno, PAGE_SIZE};

use crate::kernel::Kernel;
use crate::mm::layout::random_pages;
use crate::mm::{Limits, Mm};
use crate::vfs::File;
use elf::{Elf, Kind};
use script::HEAD;
use segments::{Loaded, Role};
use stack::Start;

pub(crate) use vdso::Vdso;

/// Opens the file at a path for execution.
pub type Opener<'a> = dyn Fn(&[u8]) -> Result<Arc<File>, Errno> + 'a;

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
    pub open: &'a Opener<'a>,
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

/// `#!` lines that lead to `#!` lines, at most.
const MAX_SCRIPTS: u32 = 5;
/// The longest name of a task, bytes.
const MAX_NAME: usize = 15;
/// How far the heap starts behind the program, at random, at most, pages.
const HEAP_RANDOM_PAGES: u64 = (1 << 30) / PAGE_SIZE;

/// Why a program was not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// execve(2) fails.
    Call(Errno),
    /// Its segments cannot lie in memory as they ask to: Linux finds out when the old
    /// program is gone already, and kills the process.
    Program,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal::Call(errno)
    }
}

/// What mapping segments says of a bad program.
fn unfit(errno: Errno) -> Refusal {
    match errno {
        EINVAL | EFAULT => Refusal::Program,
        errno => Refusal::Call(errno),
    }
}

/// Makes memory, with pages from `memory`, that holds `program`.
pub fn load(kernel: &Kernel, memory: &MemoryFile, program: Program<'_>) -> Result<Image, Refusal> {
    let name = task_name(&program.path);
    let path = program.path.clone();
    let (open, identity, limits) = (program.open, program.identity, program.limits);
    let found = resolve_scripts(program)?;
    let elf = Elf::read(&found.file)?;
    let interpreter = interpreter(&elf, open)?;
    let mm = Mm::new(&*kernel.platform, memory, limits)?;
    let role = if interpreter.is_some() {
        Role::Program
    } else {
        Role::Interpreter
    };
    let loaded = segments::map(&mm, &found.file, &elf, role).map_err(unfit)?;
    segments::bring_in(&mm, &elf, &loaded);
    let mut entry = loaded.entry;
    let mut base = 0;
    if let Some((file, elf)) = &interpreter {
        let loaded = segments::map(&mm, file, elf, Role::Interpreter).map_err(unfit)?;
        segments::bring_in(&mm, elf, &loaded);
        entry = loaded.entry;
        base = loaded.bias;
    }
    set_layout(&mm, &loaded, &elf, role);
    let vdso = kernel.vdso()?.map(&mm)?;
    // Its data lie before it. What cannot be had now is left to a fault.
    let _ = mm.populate_for((vdso - PAGE_SIZE, vdso + PAGE_SIZE), Prot::READ);
    let start = Start {
        argv: &found.argv,
        envp: &found.envp,
        path: &path,
        program: loaded,
        header_count: elf.header_count,
        base,
        identity: identity(&found.file),
        vdso,
        exec_stack: elf.exec_stack,
        stack_limit: limits.stack,
    };
    stack::check_size(&start)?;
    let rsp = stack::build(&mm, &start)?;
    mm.set_exe(Some(found.file.clone()));
    Ok(Image {
        mm,
        rip: entry,
        rsp,
        name,
        file: found.file,
    })
}

/// The binary behind all `#!` lines, and the arguments that it gets.
struct Found {
    file: Arc<File>,
    argv: Vec<Vec<u8>>,
    envp: Vec<Vec<u8>>,
}

fn resolve_scripts(program: Program<'_>) -> Result<Found, Errno> {
    let mut file = program.file;
    let mut argv = program.argv;
    let mut path = program.path;
    for depth in 0.. {
        let mut head = [0; HEAD];
        elf::read_some(&file, 0, &mut head)?;
        let Some(script) = script::parse(&head)? else {
            break;
        };
        if program.path_closes {
            return Err(ENOENT);
        }
        if depth == MAX_SCRIPTS {
            return Err(ELOOP);
        }
        file = (program.open)(&script.interpreter)?;
        let rest = argv.drain(..).skip(1);
        argv = [script.interpreter.clone()]
            .into_iter()
            .chain(script.argument)
            .chain([path])
            .chain(rest)
            .collect();
        path = script.interpreter;
    }
    Ok(Found {
        file,
        argv,
        envp: program.envp,
    })
}

/// Opens and reads what PT_INTERP names.
fn interpreter(elf: &Elf, open: &Opener) -> Result<Option<(Arc<File>, Elf)>, Errno> {
    let Some(path) = &elf.interpreter else {
        return Ok(None);
    };
    let file = open(path)?;
    let mut head = [0; 64];
    // A file too short to be a program cannot be read as one.
    if elf::read_some(&file, 0, &mut head)? < head.len() {
        return Err(EIO);
    }
    if !elf::is_elf(&head) {
        return Err(ELIBBAD);
    }
    let bad = |error| if error == ENOEXEC { ELIBBAD } else { error };
    let elf = Elf::read(&file).map_err(bad)?;
    Ok(Some((file, elf)))
}

fn set_layout(mm: &Mm, loaded: &Loaded, elf: &Elf, role: Role) {
    let mut brk = loaded.end;
    // A program that is its own interpreter lies among the mappings, where a heap would
    // have no room.
    if role == Role::Interpreter && elf.kind == Kind::Movable {
        brk = segments::MOVABLE_BASE;
    }
    brk += random_pages(HEAP_RANDOM_PAGES);
    mm.set_layout(|layout| {
        layout.start_code = loaded.start_code;
        layout.end_code = loaded.end_code;
        layout.start_data = loaded.start_data;
        layout.end_data = loaded.end_data;
        layout.start_brk = brk;
        layout.brk = brk;
    });
}

/// The last component of the path, cut.
fn task_name(path: &[u8]) -> Vec<u8> {
    let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    name.iter().copied().take(MAX_NAME).collect()
}
