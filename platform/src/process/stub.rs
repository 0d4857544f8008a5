//! The code and the constants in every address space's stub region.
//!
//! The code runs beside a hostile application that can write every byte of the address
//! space that is writable at all. So it uses no writable memory: no stack, no data;
//! registers, the read-only command page, and read-only constants only. (The one page
//! that the host writes results to is never read.)
//!
//! Register use: rbx the command page, r12d the number of the last command, r13-r15 and
//! rbp locals; the host preserves all of them. rsp holds the **token** from the template's
//! first moment on: a random number that no memory holds. The filter of these processes
//! (`seccomp::mapper`) lets a privileged call pass only with the token as its sixth
//! argument, so guest tasks, which lose it before they touch memory that an application can
//! write, need no filter of their own. As an address it is non-canonical, and mappers have no
//! other stack: no signal frame is ever written with it.

use std::arch::global_asm;
use std::os::fd::OwnedFd;

use syscalls::errno::EOVERFLOW;
use syscalls::{Errno, PAGE_SIZE};

use super::guest_code;
use super::layout::{
    CODE, CODE_SIZE, COMMAND, COMMAND_FD, CONSTANTS, DONE_FD, GUEST_CODE, NEW_READER_FD,
    NEW_WRITER_FD, REPORT_FD, SCRATCH, TASK_END, THREADS, command, constants, thread,
};
use crate::host::mapping::Mapping;
use crate::host::memfd;
use crate::usercopy;

global_asm!(
    ".pushsection .rodata.runsk_stub, \"a\", @progbits",
    ".balign 64",
    ".globl runsk_stub_start, runsk_stub_parked, runsk_stub_prepare, runsk_stub_end",
    ".hidden runsk_stub_start, runsk_stub_parked, runsk_stub_prepare, runsk_stub_end",
    // A mapper begins by answering that it is ready.
    "runsk_stub_start:",
    "movabs rbx, {command}",
    "xor r12d, r12d",
    "xor eax, eax",
    "jmp 50f",

    // The next command: wait until its number changes.
    "15:",
    "mov eax, [rbx + {sequence}]",
    "cmp eax, r12d",
    "jne 20f",
    "mov eax, {futex}",
    "mov rdi, rbx",
    "mov esi, {futex_wait}",
    "mov edx, r12d",
    "xor r10d, r10d",
    "syscall",
    "jmp 15b",
    "20:",
    "mov r12d, eax",

    // Its operations, until one fails.
    "mov r13d, [rbx + {count}]",
    "lea r14, [rbx + {operations}]",
    "test r13d, r13d",
    "jz 40f",
    "30:",
    "mov rax, [r14]",
    "mov rdi, [r14 + 8]",
    "mov rsi, [r14 + 16]",
    "mov rdx, [r14 + 24]",
    "mov r10, [r14 + 32]",
    "mov r8, [r14 + 40]",
    "mov r9, [r14 + 48]",
    // Only mmap has a sixth argument of its own.
    "cmp eax, {mmap}",
    "cmovne r9, rsp",
    "syscall",
    "cmp rax, -4095",
    "jae 50f",
    "add r14, {operation}",
    "dec r13d",
    "jnz 30b",
    "40:",
    "mov eax, [rbx + {kind}]",
    "cmp eax, {kind_fork}",
    "je 60f",
    "cmp eax, {kind_batch}",
    "jne 80f",
    "xor eax, eax",

    // Answer rax: a status (rax = 0 or -errno).
    "50:",
    "neg rax",
    "mov edx, 2",
    // Answer: rdx bytes from entry rax of the table on.
    "55:",
    "movabs rsi, {constants}",
    "lea rsi, [rsi + rax * 2]",
    "mov edi, {done_fd}",
    "mov eax, {write}",
    "mov r15, rdx",
    "mov r9, rsp",
    "syscall",
    "cmp rax, r15",
    "je 15b",
    // The Sentry is gone.
    "58:",
    "mov eax, {exit_group}",
    "mov edi, 1",
    "mov r9, rsp",
    "syscall",
    "ud2",

    // Answer rax: a process id or -errno.
    "59:",
    "cmp rax, -4095",
    "jae 50b",
    "mov edx, eax",
    "shr edx, {pid_low_bits}",
    "lea edx, [rdx * 2 + 2]",
    "and eax, {pid_low_mask}",
    "add eax, {pid}",
    "jmp 55b",

    // Fork: a pipe for the child's answers, its reading end to the Sentry, the child.
    "60:",
    "mov r15, [rbx + {subject}]",
    "mov eax, {pipe2}",
    "movabs rdi, {scratch}",
    "xor esi, esi",
    "mov r9, rsp",
    "syscall",
    "cmp rax, -4095",
    "jae 50b",
    "mov eax, {sendmsg}",
    "mov edi, {report_fd}",
    "movabs rsi, {message}",
    "mov edx, {msg_nosignal}",
    "mov r9, rsp",
    "syscall",
    "cmp rax, -4095",
    "jae 65f",
    "mov eax, {clone}",
    "mov edi, {clone_parent}",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "mov r9, rsp",
    "syscall",
    "test rax, rax",
    "jz 70f",
    "65:",
    "mov rbp, rax",
    "mov eax, {close_range}",
    "mov edi, {new_reader_fd}",
    "mov esi, -1",
    "xor edx, edx",
    "mov r9, rsp",
    "syscall",
    "mov rax, rbp",
    "jmp 59b",

    // The child: no thread's pages, its own pipe, its own command page (at r15 of the
    // command file).
    "70:",
    "mov eax, {munmap}",
    "movabs rdi, {threads}",
    "movabs rsi, {task_end} - {threads}",
    "mov r9, rsp",
    "syscall",
    "test rax, rax",
    "jnz 58b",
    "mov eax, {dup2}",
    "mov edi, {new_writer_fd}",
    "mov esi, {done_fd}",
    "mov r9, rsp",
    "syscall",
    "mov eax, {close_range}",
    "mov edi, {new_reader_fd}",
    "mov esi, -1",
    "xor edx, edx",
    "mov r9, rsp",
    "syscall",
    "mov eax, {mmap}",
    "mov rdi, rbx",
    "mov esi, {page}",
    "mov edx, {prot_read}",
    "mov r10d, {map_flags}",
    "mov r8d, {command_fd}",
    "mov r9, r15",
    "syscall",
    "cmp rax, rbx",
    "jne 58b",
    "mov eax, {mmap}",
    "movabs rdi, {scratch}",
    "mov rbp, rdi",
    "mov esi, {page}",
    "mov edx, {prot_read_write}",
    "mov r10d, {map_flags}",
    "mov r8d, {command_fd}",
    "lea r9, [r15 + {page}]",
    "syscall",
    "cmp rax, rbp",
    "jne 58b",
    "mov eax, {prctl}",
    "mov edi, {set_pdeathsig}",
    "mov esi, {sigkill}",
    "mov r9, rsp",
    "syscall",
    // The Sentry may have died before the request to die with it.
    "mov eax, {getppid}",
    "mov r9, rsp",
    "syscall",
    "cmp rax, [rbx + {sentry}]",
    "jne 58b",
    "jmp runsk_stub_start",

    // A task for a guest thread. One that runs by itself is known to have ended when its
    // word says so: the host clears it.
    "80:",
    "mov r13d, eax",
    "mov r15, [rbx + {subject}]",
    "mov edi, {clone_traced}",
    "mov eax, {clone_run}",
    "cmp r13d, {kind_run}",
    "cmove edi, eax",
    "lea r10, [r15 + {turn}]",
    "mov eax, {clone}",
    "xor esi, esi",
    "xor edx, edx",
    "xor r8d, r8d",
    "xor ebp, ebp",
    "mov r9, rsp",
    "syscall",
    "test rax, rax",
    "jnz 59b",
    // The task: it dies with the Sentry, and has no descriptors. Then it starts to run, or
    // it waits for its tracer; it traps if rbp says that the tracer is there already.
    "runsk_stub_prepare:",
    "movabs rbx, {command}",
    "mov eax, {prctl}",
    "mov edi, {set_pdeathsig}",
    "mov esi, {sigkill}",
    "mov r9, rsp",
    "syscall",
    "mov eax, {getppid}",
    "mov r9, rsp",
    "syscall",
    "cmp rax, [rbx + {sentry}]",
    "jne 58b",
    "mov eax, {close_range}",
    "xor edi, edi",
    "mov esi, -1",
    "xor edx, edx",
    "mov r9, rsp",
    "syscall",
    "test rax, rax",
    "jnz 58b",
    "cmp r13d, {kind_run}",
    "je 95f",
    // Signals are how a tracer's kick arrives.
    "mov eax, {rt_sigprocmask}",
    "mov edi, {sig_setmask}",
    "movabs rsi, {zeros}",
    "xor edx, edx",
    "mov r10d, 8",
    "mov r9, rsp",
    "syscall",
    "test ebp, ebp",
    "jz 90f",
    "int3",
    "90:",
    "mov eax, {pause}",
    "mov r9, rsp",
    "syscall",
    "runsk_stub_parked:",
    "jmp 90b",

    // Signals arrive on the thread's own pages.
    "95:",
    "mov eax, {sigaltstack}",
    "lea rdi, [r15 + {signal_stack}]",
    "xor esi, esi",
    "mov r9, rsp",
    "syscall",
    "test rax, rax",
    "jnz 58b",
    "mov rbx, r15",
    // From here on it touches memory that the application can write: it may be made to
    // fault, and the frame of that signal shows every register. None holds the token.
    "xor esp, esp",
    "xor r9d, r9d",
    "movabs rax, {run}",
    "jmp rax",
    "runsk_stub_end:",
    ".popsection",
    command = const COMMAND,
    constants = const CONSTANTS,
    scratch = const SCRATCH,
    message = const CONSTANTS + MESSAGE as u64,
    sequence = const command::SEQUENCE,
    count = const command::COUNT,
    kind = const command::KIND,
    subject = const command::SUBJECT,
    sentry = const command::SENTRY,
    operations = const command::OPERATIONS,
    operation = const command::OPERATION,
    kind_fork = const command::KIND_FORK,
    kind_batch = const command::KIND_BATCH,
    kind_run = const command::KIND_RUN,
    turn = const thread::TURN,
    signal_stack = const thread::SIGNAL_STACK,
    threads = const THREADS,
    task_end = const TASK_END,
    run = const GUEST_CODE,
    zeros = const address(ZEROS),
    pid = const constants::PID,
    pid_low_bits = const constants::PID_LOW_BITS,
    pid_low_mask = const (1 << constants::PID_LOW_BITS) - 1,
    page = const PAGE_SIZE,
    prot_read = const libc::PROT_READ,
    prot_read_write = const libc::PROT_READ | libc::PROT_WRITE,
    map_flags = const libc::MAP_SHARED | libc::MAP_FIXED,
    command_fd = const COMMAND_FD,
    done_fd = const DONE_FD,
    report_fd = const REPORT_FD,
    new_reader_fd = const NEW_READER_FD,
    new_writer_fd = const NEW_WRITER_FD,
    clone_parent = const libc::CLONE_PARENT,
    clone_traced = const CLONE_TRACED,
    clone_run = const CLONE_RUN,
    set_pdeathsig = const libc::PR_SET_PDEATHSIG,
    sigkill = const libc::SIGKILL,
    msg_nosignal = const libc::MSG_NOSIGNAL,
    futex_wait = const libc::FUTEX_WAIT,
    futex = const libc::SYS_futex,
    write = const libc::SYS_write,
    exit_group = const libc::SYS_exit_group,
    pipe2 = const libc::SYS_pipe2,
    sendmsg = const libc::SYS_sendmsg,
    clone = const libc::SYS_clone,
    close_range = const libc::SYS_close_range,
    dup2 = const libc::SYS_dup2,
    mmap = const libc::SYS_mmap,
    prctl = const libc::SYS_prctl,
    getppid = const libc::SYS_getppid,
    pause = const libc::SYS_pause,
    munmap = const libc::SYS_munmap,
    rt_sigprocmask = const libc::SYS_rt_sigprocmask,
    sig_setmask = const libc::SIG_SETMASK,
    sigaltstack = const libc::SYS_sigaltstack,
);

/// A task that its tracer runs.
pub(crate) const CLONE_TRACED: i32 = libc::CLONE_PARENT | libc::CLONE_VM | libc::CLONE_FS;
/// A task that runs by itself.
pub(crate) const CLONE_RUN: i32 = CLONE_TRACED | libc::CLONE_CHILD_CLEARTID;

unsafe extern "C" {
    static runsk_stub_start: u8;
    static runsk_stub_parked: u8;
    static runsk_stub_prepare: u8;
    static runsk_stub_end: u8;
}

/// Addresses in a stub region's code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries {
    /// Where a mapper begins.
    pub(crate) mapper: u64,
    /// Where a task that waits for its tracer is found: behind the pause call.
    pub(crate) parked: u64,
    /// Where a task is sent with rbp = 1 to prepare itself; it then traps.
    pub(crate) prepare: u64,
}

/// The addresses.
pub(crate) fn entries() -> Entries {
    let start = (&raw const runsk_stub_start).addr();
    let at = |symbol: *const u8| CODE + (symbol.addr() - start) as u64;
    Entries {
        mapper: CODE,
        parked: at(&raw const runsk_stub_parked),
        prepare: at(&raw const runsk_stub_prepare),
    }
}

/// Places among the constants behind the table of answers, bytes from [`CONSTANTS`] on.
const MESSAGE: usize = constants::OTHERS;
const VECTOR: usize = MESSAGE + 64;
const CONTROL: usize = VECTOR + 16;
/// An empty signal mask.
const ZEROS: usize = CONTROL + 32;

/// A constant's address in an address space.
const fn address(place: usize) -> u64 {
    CONSTANTS + place as u64
}

/// A file with the code (a page of the mapper's, one of guest tasks') and, behind it, the
/// constants.
pub(super) fn file() -> Result<OwnedFd, Errno> {
    usercopy::install();
    let page = usize::try_from(PAGE_SIZE).map_err(|_| EOVERFLOW)?;
    let code = usize::try_from(CODE_SIZE).map_err(|_| EOVERFLOW)?;
    let size = code + constants::SIZE;
    let file = memfd::create(c"runsk-stub", size as u64)?;
    let map = Mapping::shared(&file, 0, size)?;
    let mapper = (&raw const runsk_stub_start, &raw const runsk_stub_end);
    for (at, (start, end)) in [(0, mapper), (page, guest_code::bounds())] {
        let len = end.addr() - start.addr();
        if len > page {
            return Err(EOVERFLOW);
        }
        // SAFETY: the symbols bound the code, which lies in our own read-only data.
        unsafe { usercopy::copy(map.at(at, len)?, start, len) }?;
    }
    let constants = constants()?;
    let place = map.at(code, constants.len())?;
    // SAFETY: a place in the mapping of that length, from our own vector.
    unsafe { usercopy::copy(place, constants.as_ptr(), constants.len()) }?;
    Ok(file)
}

fn constants() -> Result<Vec<u8>, Errno> {
    let mut bytes: Vec<u8> = (0..constants::ENTRIES)
        .flat_map(|entry| u16::try_from(entry).unwrap_or_default().to_ne_bytes())
        .collect();
    bytes.resize(constants::SIZE, 0);
    let mut put = |place: usize, value: &[u8]| {
        let place = bytes.get_mut(place..place + value.len());
        place
            .ok_or(EOVERFLOW)
            .map(|place| place.copy_from_slice(value))
    };
    // struct msghdr, iovec, cmsghdr: one byte of data, and the pipe's reading end.
    put(MESSAGE + 16, &address(VECTOR).to_ne_bytes())?;
    put(MESSAGE + 24, &1_u64.to_ne_bytes())?;
    put(MESSAGE + 32, &address(CONTROL).to_ne_bytes())?;
    put(MESSAGE + 40, &24_u64.to_ne_bytes())?;
    put(VECTOR, &CONSTANTS.to_ne_bytes())?;
    put(VECTOR + 8, &1_u64.to_ne_bytes())?;
    put(CONTROL, &20_u64.to_ne_bytes())?;
    put(CONTROL + 8, &libc::SOL_SOCKET.to_ne_bytes())?;
    put(CONTROL + 12, &libc::SCM_RIGHTS.to_ne_bytes())?;
    put(CONTROL + 16, &NEW_READER_FD.to_ne_bytes())?;
    Ok(bytes)
}
