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
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};
use syscalls::errno::{EIO, EMFILE};
use syscalls::{Errno, PAGE_SIZE};

use super::commands::{CommandFile, Slot};
use super::layout::{
    CODE, COMMAND, COMMAND_FD, CONSTANTS, DONE_FD, MEMORY_FD, REPORT_FD, SCRATCH, STUB, STUB_END,
    TASK_END, constants,
};
use super::mapped::Mapped;
use super::mapper::Mapper;
use super::near::Place;
use super::operation::Operation;
use super::report::Reports;
use super::{Common, ProcessSpace, stub};
use crate::MemoryFile;
use crate::host::errno;

// rdi: the operations, rsi: how many (at least 1), rdx: where to go when they are done,
// rcx: where to store the process id. Returns the helper's process id or -errno. The
// helper exits with 0 or the error number of the fork; the template with the error number
// of the operation that failed.
global_asm!(
    ".pushsection .text.runsk_template, \"ax\", @progbits",
    ".globl runsk_start_template",
    ".hidden runsk_start_template",
    "runsk_start_template:",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov r12, rdi",
    "mov r13, rsi",
    "mov r14, rdx",
    "mov r15, rcx",
    "mov eax, {clone}",
    "mov edi, {clone_helper}",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "syscall",
    "test rax, rax",
    "jz 20f",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
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
    "jnz 30b",
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
    let pid = fork(&inherited.operations(&slot)?)?;
    // Ours would keep the pipe open after the mapper's end.
    drop(answer);
    let mut mapper = Mapper::new(pid, slot, done, Place::default());
    // We need not wait: nothing is forked from it before this was done.
    mapper.post(&seal())?;
    let common = Common {
        commands,
        reports,
        _memory: memory.clone(),
    };
    let nothing = Mapped::default();
    Ok(ProcessSpace::new(Arc::new(common), mapper, nothing))
}

fn fork(operations: &[Operation]) -> Result<Pid, Errno> {
    let words: Vec<[u64; 7]> = operations.iter().map(|operation| operation.0).collect();
    let mut pid = 0;
    let entry = stub::entries().mapper;
    // SAFETY: `words` and `pid` are valid for the call. The helper changes only `pid`; the
    // template runs in a copy of our memory and never returns here.
    let helper = unsafe { runsk_start_template(words.as_ptr(), words.len(), entry, &raw mut pid) };
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
            map(CODE, PAGE_SIZE, READ | libc::PROT_EXEC, stub, 0),
            map(CONSTANTS, constants::SIZE as u64, READ, stub, PAGE_SIZE),
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

/// What makes a copy of the Sentry a bare mapper: nothing of the Sentry's memory, no
/// privilege, no way to get one.
fn seal() -> Vec<Operation> {
    let prctl = |option: i32, arg: u64| {
        Operation::new(libc::SYS_prctl, &[u64::from(option.cast_unsigned()), arg])
    };
    let munmap = |start: u64, end: u64| Operation::new(libc::SYS_munmap, &[start, end - start]);
    let sigkill = u64::from(libc::SIGKILL.cast_unsigned());
    let setmask = u64::from(libc::SIG_SETMASK.cast_unsigned());
    vec![
        prctl(libc::PR_SET_PDEATHSIG, sigkill),
        // Out of the job that the Sentry is part of: a Ctrl-C on the host's terminal is not
        // for guests' processes.
        Operation::new(libc::SYS_setsid, &[]),
        munmap(0, STUB),
        // The Sentry's stack may have been between the pages of the stub.
        munmap(CODE + PAGE_SIZE, CONSTANTS),
        munmap(CONSTANTS + constants::SIZE as u64, COMMAND),
        munmap(STUB_END, TASK_END),
        prctl(libc::PR_SET_NAME, stub::NAME_AT),
        Operation::new(libc::SYS_rt_sigprocmask, &[setmask, stub::ZEROS_AT, 0, 8]),
        // No core dumps of a guest's memory on the host.
        Operation::new(
            libc::SYS_setrlimit,
            &[u64::from(libc::RLIMIT_CORE), stub::ZEROS_AT],
        ),
        Operation::new(libc::SYS_capset, &[stub::CAP_HEADER_AT, stub::ZEROS_AT]),
        // The Sentry is to trace tasks with this memory, which holds nothing of the
        // Sentry's any more; after a change of identity that would be forbidden.
        prctl(libc::PR_SET_DUMPABLE, 1),
        prctl(libc::PR_SET_NO_NEW_PRIVS, 1),
        Operation::new(
            libc::SYS_seccomp,
            &[u64::from(libc::SECCOMP_SET_MODE_FILTER), 0, stub::FILTER_AT],
        ),
    ]
}
