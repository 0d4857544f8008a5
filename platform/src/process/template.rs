//! The first process: a fork of the Sentry that unmaps everything but the stub.
//!
//! The Sentry makes a helper with `CLONE_VM | CLONE_VFORK`, and the helper forks the
//! template and exits. The detour is for rseq(2): glibc registers a thread's memory with
//! the kernel, which writes to it whenever the thread is scheduled; a plain fork inherits
//! that, and the template would be killed as soon as the memory is unmapped. A task with
//! `CLONE_VM` starts without, and so does its fork.
//!
//! Both run assembly that uses registers and the operations it is given, nothing else: no
//! lock, no allocation, no stack. It does not matter what other threads of the Sentry do
//! at that moment.

use std::arch::global_asm;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};
use syscalls::errno::{EIO, EMFILE, EOVERFLOW};
use syscalls::{Errno, PAGE_SIZE};

use super::commands::{CommandFile, Slot};
use super::layout::{
    CODE, CODE_SIZE, COMMAND, COMMAND_FD, CONSTANTS, DONE_FD, MEMORY_FD, REPORT_FD, SCRATCH, STUB,
    STUB_END, TASK_END, constants,
};
use super::mapped::Mapped;
use super::mapper::Mapper;
use super::near::Place;
use super::operation::Operation;
use super::pool::Pool;
use super::reaper::Reaper;
use super::report::Reports;
use super::{Common, ProcessSpace, guest_code, stub};
use crate::MemoryFile;
use crate::arch::xsave_area;
use crate::host::{errno, random};
use crate::seccomp::mapper;

// rdi: the operations, rsi: how many (at least 1), rdx: where to go when they are done,
// rcx: where to store the process id, r8: the token, r9: an XSAVE area to load, or 0. Returns
// the helper's process id or -errno. The helper exits with 0 or the error number of the fork;
// the template with the error number of the operation that failed.
global_asm!(
    ".pushsection .text.runsk_template, \"ax\", @progbits",
    ".globl runsk_start_template",
    ".hidden runsk_start_template",
    "runsk_start_template:",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rbp",
    "mov r12, rdi",
    "mov r13, rsi",
    "mov r14, rdx",
    "mov r15, rcx",
    "mov rbx, r8",
    "mov rbp, r9",
    "mov eax, {clone}",
    "mov edi, {clone_helper}",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "syscall",
    "test rax, rax",
    "jz 20f",
    "pop rbp",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "ret",

    // The helper: in our memory and on our stack, while our thread is suspended.
    "20:",
    "mov eax, {clone}",
    "mov edi, {clone_template}",
    "xor esi, esi",
    "mov rdx, r15",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "syscall",
    "test rax, rax",
    "jz 30f",
    "xor edi, edi",
    "neg rax",
    "js 25f",
    "mov edi, eax",
    "25:",
    "mov eax, {exit_group}",
    "syscall",
    "ud2",

    // The template: in a copy of our memory.
    "30:",
    "test rbp, rbp",
    "jz 35f",
    "mov eax, -1",
    "mov edx, -1",
    "xrstor64 [rbp]",
    "35:",
    "mov rax, [r12]",
    "mov rdi, [r12 + 8]",
    "mov rsi, [r12 + 16]",
    "mov rdx, [r12 + 24]",
    "mov r10, [r12 + 32]",
    "mov r8, [r12 + 40]",
    "mov r9, [r12 + 48]",
    "syscall",
    "cmp rax, -4095",
    "jae 40f",
    "add r12, 56",
    "dec r13",
    "jnz 35b",
    "mov rsp, rbx",
    "xor ebx, ebx",
    "jmp r14",
    "40:",
    "neg rax",
    "mov edi, eax",
    "mov eax, {exit_group}",
    "syscall",
    "ud2",
    ".popsection",
    clone = const libc::SYS_clone,
    exit_group = const libc::SYS_exit_group,
    clone_helper = const libc::CLONE_VM | libc::CLONE_VFORK,
    clone_template = const libc::CLONE_PARENT | libc::CLONE_PARENT_SETTID,
);

unsafe extern "C" {
    fn runsk_start_template(
        operations: *const [u64; 7],
        count: usize,
        entry: u64,
        pid: *mut i32,
        token: u64,
        vectors: *const Line,
    ) -> libc::c_long;
}

/// Starts the template.
pub(super) fn start(memory: &MemoryFile) -> Result<ProcessSpace, Errno> {
    let stub = stub::file()?;
    let commands = Arc::new(CommandFile::new()?);
    let (reports, report) = Reports::new()?;
    let (done, answer) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(errno)?;
    let slot = commands.take()?;
    let inherited = Inherited {
        stub: stub.as_fd(),
        fds: [
            (memory.as_fd(), MEMORY_FD),
            (commands.as_fd(), COMMAND_FD),
            (answer.as_fd(), DONE_FD),
            (report.as_fd(), REPORT_FD),
        ],
    };
    let token = token()?;
    let seal = Seal::new(token)?;
    let operations = [inherited.operations(&slot)?, seal.operations()].concat();
    let pid = fork(&operations, token)?;
    // Ours would keep the pipe open after the mapper's end.
    drop(answer);
    let reaper = Arc::new(Reaper::new());
    let mut mapper = Mapper::new(pid, slot, done, Place::default());
    // We need not wait: nothing is forked from it before this was done.
    mapper.post(&forget())?;
    let common = Common {
        token,
        commands,
        reports,
        reaper,
        pool: Arc::new(Pool::new()),
        _memory: memory.clone(),
    };
    let nothing = Mapped::default();
    Ok(ProcessSpace::new(Arc::new(common), mapper, nothing))
}

/// See `process::stub`. Half of the addresses that are neither the user's nor the host
/// kernel's.
fn token() -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    random::fill(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes) >> 2 | 1 << 62)
}

/// An XSAVE area in which every component is in its initial state: what our vector registers
/// happen to hold is nothing for a guest task to show.
struct Vectors(Vec<Line>);

/// As an XSAVE area is aligned.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Vectors {
    fn initial() -> Option<Self> {
        let lines = xsave_area()?.div_ceil(size_of::<Line>());
        Some(Vectors(vec![Line([0; 64]); lines]))
    }

    /// Its address, or null for none.
    fn address(of: Option<&Self>) -> *const Line {
        of.map_or(std::ptr::null(), |vectors| vectors.0.as_ptr())
    }
}

fn fork(operations: &[Operation], token: u64) -> Result<Pid, Errno> {
    let words: Vec<[u64; 7]> = operations.iter().map(|operation| operation.0).collect();
    let mut pid = 0;
    let entry = stub::entries().mapper;
    let (first, count) = (words.as_ptr(), words.len());
    let vectors = Vectors::initial();
    let area = Vectors::address(vectors.as_ref());
    // SAFETY: `words`, what they point to, `vectors` and `pid` are valid for the call. The
    // helper changes only `pid`; the template runs in a copy of our memory, with vector
    // registers of its own, and never returns here.
    let helper = unsafe { runsk_start_template(first, count, entry, &raw mut pid, token, area) };
    // Not through `check_long`: the assembly returns -errno and leaves errno(3) alone.
    let helper = i32::try_from(helper).map_err(|_| EIO)?;
    if helper < 0 {
        return Err(Errno::from_raw(-helper));
    }
    match wait(Pid::from_raw(helper))? {
        WaitStatus::Exited(_, 0) => Ok(Pid::from_raw(pid)),
        WaitStatus::Exited(_, error) => Err(Errno::from_raw(error)),
        _ => Err(EIO),
    }
}

fn wait(pid: Pid) -> Result<WaitStatus, Errno> {
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL)) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return other.map_err(errno),
        }
    }
}

/// What the template keeps of our descriptors.
struct Inherited<'a> {
    stub: BorrowedFd<'a>,
    /// Each with its number there.
    fds: [(BorrowedFd<'a>, RawFd); 4],
}

impl Inherited<'_> {
    /// What the template does before it becomes a mapper: the stub in place, the
    /// descriptors under their numbers and nothing else open.
    fn operations(&self, slot: &Slot) -> Result<Vec<Operation>, Errno> {
        const READ: i32 = libc::PROT_READ;
        let number = |fd: RawFd| u64::try_from(fd).map_err(|_| EMFILE);
        let stub = number(self.stub.as_raw_fd())?;
        let commands = number(self.fds[1].0.as_raw_fd())?;
        let map = |at: u64, len: u64, prot: i32, fd: u64, offset: u64| {
            let prot = u64::from(prot.cast_unsigned());
            let flags = u64::from((libc::MAP_SHARED | libc::MAP_FIXED).cast_unsigned());
            Operation::new(libc::SYS_mmap, &[at, len, prot, flags, fd, offset])
        };
        let scratch = slot.offset() + PAGE_SIZE;
        let mut operations = vec![
            map(CODE, CODE_SIZE, READ | libc::PROT_EXEC, stub, 0),
            map(CONSTANTS, constants::SIZE as u64, READ, stub, CODE_SIZE),
            map(COMMAND, PAGE_SIZE, READ, commands, slot.offset()),
            map(
                SCRATCH,
                PAGE_SIZE,
                READ | libc::PROT_WRITE,
                commands,
                scratch,
            ),
        ];
        // First out of the way of all the old and the new numbers, then into place.
        let old = self.fds.iter().map(|(fd, _)| fd.as_raw_fd()).max();
        let above = number(old.unwrap_or(0).max(REPORT_FD))? + 1;
        for (fd, new) in &self.fds {
            let args = [number(fd.as_raw_fd())?, above + number(*new)?, 0];
            operations.push(Operation::new(libc::SYS_dup3, &args));
        }
        operations.push(close_range(0, above - 1));
        for (_, new) in &self.fds {
            let args = [above + number(*new)?, number(*new)?];
            operations.push(Operation::new(libc::SYS_dup2, &args));
        }
        operations.push(close_range(number(REPORT_FD)? + 1, u64::from(u32::MAX)));
        Ok(operations)
    }
}

fn close_range(first: u64, last: u64) -> Operation {
    Operation::new(libc::SYS_close_range, &[first, last, 0])
}

/// What makes a copy of the Sentry a mapper without privilege, and without a way to get
/// one. Done while the Sentry's memory is still there, to which the operations point.
struct Seal {
    filter: Vec<libc::sock_filter>,
    program: Box<libc::sock_fprog>,
    /// `struct kernel_sigaction`: handler, flags, restorer, mask.
    action: Box<[u64; 4]>,
    /// Header and sets of capset(2): this process, nothing.
    capabilities: Box<[u32; 8]>,
    /// SIGURG, with which guest tasks are kicked once they are ready.
    mask: Box<u64>,
    nothing: Box<[u64; 2]>,
    /// `stack_t`: none. Ours lies where applications will have memory of their own; a
    /// mapper's frame, with the token, is not to be written there.
    no_stack: Box<[u64; 3]>,
}

/// Name that `ps` shows.
const NAME: &CStr = c"runsk-app";
/// Exceptions, calls that the filter traps, and the kick.
const HANDLED: [i32; 7] = [
    libc::SIGSYS,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGURG,
];

impl Seal {
    fn new(token: u64) -> Result<Self, Errno> {
        const SA_RESTORER: u64 = 0x0400_0000;
        const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
        let mut filter = mapper::program(token)?;
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len()).map_err(|_| EOVERFLOW)?,
            filter: filter.as_mut_ptr(),
        };
        let flags = (libc::SA_SIGINFO | libc::SA_ONSTACK).cast_unsigned();
        let handler = guest_code::entries().signal;
        // Never returned to: the handler makes the call itself.
        let restorer = handler;
        let all = u64::MAX;
        Ok(Seal {
            filter,
            program: Box::new(program),
            action: Box::new([handler, u64::from(flags) | SA_RESTORER, restorer, all]),
            capabilities: Box::new([CAPABILITY_VERSION_3, 0, 0, 0, 0, 0, 0, 0]),
            mask: Box::new(1 << (libc::SIGURG - 1)),
            nothing: Box::new([0; 2]),
            no_stack: Box::new([0, u64::from(libc::SS_DISABLE.cast_unsigned()), 0]),
        })
    }

    fn operations(&self) -> Vec<Operation> {
        /// Of <asm/prctl.h>.
        const ARCH_SET_FS: u64 = 0x1002;
        let prctl = |option: i32, arg: u64| {
            Operation::new(libc::SYS_prctl, &[u64::from(option.cast_unsigned()), arg])
        };
        let unsigned = |value: i32| u64::from(value.cast_unsigned());
        let mut operations = vec![
            prctl(libc::PR_SET_PDEATHSIG, unsigned(libc::SIGKILL)),
            // Out of the job that the Sentry is part of: a Ctrl-C on the host's terminal is
            // not for guests' processes.
            Operation::new(libc::SYS_setsid, &[]),
            prctl(libc::PR_SET_NAME, address(NAME.as_ptr())),
            Operation::new(
                libc::SYS_rt_sigprocmask,
                &[
                    unsigned(libc::SIG_SETMASK),
                    address(&raw const *self.mask),
                    0,
                    8,
                ],
            ),
            // No core dumps of a guest's memory on the host.
            Operation::new(
                libc::SYS_setrlimit,
                &[
                    u64::from(libc::RLIMIT_CORE),
                    address(&raw const *self.nothing),
                ],
            ),
        ];
        operations.extend([
            Operation::new(libc::SYS_sigaltstack, &[address(&raw const *self.no_stack)]),
            // No address of ours for a guest task that is made to fault before it has its own.
            Operation::new(libc::SYS_arch_prctl, &[ARCH_SET_FS, 0]),
        ]);
        operations.extend(HANDLED.map(|signal| {
            let action = address(&raw const *self.action);
            Operation::new(libc::SYS_rt_sigaction, &[unsigned(signal), action, 0, 8])
        }));
        let capabilities = address(&raw const *self.capabilities);
        let empty = capabilities + 8;
        operations.extend([
            Operation::new(libc::SYS_capset, &[capabilities, empty]),
            // The Sentry is to trace tasks with this memory, which will hold nothing of the
            // Sentry's any more; after a change of identity that would be forbidden.
            prctl(libc::PR_SET_DUMPABLE, 1),
            prctl(libc::PR_SET_NO_NEW_PRIVS, 1),
            Operation::new(
                libc::SYS_seccomp,
                &[
                    u64::from(libc::SECCOMP_SET_MODE_FILTER),
                    0,
                    address(&raw const *self.program),
                ],
            ),
        ]);
        debug_assert_eq!(self.program.filter.cast_const(), self.filter.as_ptr());
        operations
    }
}

fn address<T>(of: *const T) -> u64 {
    of.addr() as u64
}

/// What removes everything but the stub: the Sentry's memory, with the filter and its token,
/// or an application's.
pub(super) fn forget() -> Vec<Operation> {
    let munmap = |start: u64, end: u64| Operation::new(libc::SYS_munmap, &[start, end - start]);
    vec![
        munmap(0, STUB),
        // The Sentry's stack may have been between the pages of the stub.
        munmap(CODE + CODE_SIZE, CONSTANTS),
        munmap(CONSTANTS + constants::SIZE as u64, COMMAND),
        munmap(STUB_END, TASK_END),
    ]
}
