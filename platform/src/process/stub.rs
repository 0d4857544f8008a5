//! The code and the constants in every address space's stub region.
//!
//! The code runs beside a hostile application that can write every byte of the address
//! space that is writable at all. So it uses no writable memory: no stack, no data;
//! registers, the read-only command page, and read-only constants only. (The one page
//! that the host writes results to is never read.)
//!
//! Register use: rbx the command page, r12d the number of the last command, r13-r15 and
//! rbp locals; the host preserves all of them.

use std::arch::global_asm;
use std::os::fd::OwnedFd;

use syscalls::errno::EOVERFLOW;
use syscalls::{Errno, PAGE_SIZE};

use super::layout::{
    CODE, COMMAND, COMMAND_FD, CONSTANTS, DONE_FD, NEW_READER_FD, NEW_WRITER_FD, REPORT_FD,
    SCRATCH, command, constants,
};
use crate::host::mapping::Mapping;
use crate::host::memfd;
use crate::seccomp::mapper;
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
    "cmp eax, {kind_task}",
    "je 80f",
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
    "syscall",
    "cmp rax, r15",
    "je 15b",
    // The Sentry is gone.
    "58:",
    "mov eax, {exit_group}",
    "mov edi, 1",
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
    "mov r15, [rbx + {child}]",
    "mov eax, {pipe2}",
    "movabs rdi, {scratch}",
    "xor esi, esi",
    "syscall",
    "cmp rax, -4095",
    "jae 50b",
    "mov eax, {sendmsg}",
    "mov edi, {report_fd}",
    "movabs rsi, {message}",
    "mov edx, {msg_nosignal}",
    "syscall",
    "cmp rax, -4095",
    "jae 65f",
    "mov eax, {clone}",
    "mov edi, {clone_parent}",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "syscall",
    "test rax, rax",
    "jz 70f",
    "65:",
    "mov rbp, rax",
    "mov eax, {close_range}",
    "mov edi, {new_reader_fd}",
    "mov esi, -1",
    "xor edx, edx",
    "syscall",
    "mov rax, rbp",
    "jmp 59b",

    // The child: its own pipe, its own command page (at r15 of the command file).
    "70:",
    "mov eax, {dup2}",
    "mov edi, {new_writer_fd}",
    "mov esi, {done_fd}",
    "syscall",
    "mov eax, {close_range}",
    "mov edi, {new_reader_fd}",
    "mov esi, -1",
    "xor edx, edx",
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
    "syscall",
    // The Sentry may have died before the request to die with it.
    "mov eax, {getppid}",
    "syscall",
    "cmp rax, [rbx + {sentry}]",
    "jne 58b",
    "jmp runsk_stub_start",

    // A task for a guest thread.
    "80:",
    "mov eax, {clone}",
    "mov edi, {clone_task}",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "xor ebp, ebp",
    "syscall",
    "test rax, rax",
    "jnz 59b",
    // The task: it dies with the Sentry, and has no descriptors. Then it waits, or traps
    // if rbp says that the tracer is there already.
    "runsk_stub_prepare:",
    "movabs rbx, {command}",
    "mov eax, {prctl}",
    "mov edi, {set_pdeathsig}",
    "mov esi, {sigkill}",
    "syscall",
    "mov eax, {getppid}",
    "syscall",
    "cmp rax, [rbx + {sentry}]",
    "jne 58b",
    "mov eax, {close_range}",
    "xor edi, edi",
    "mov esi, -1",
    "xor edx, edx",
    "syscall",
    "test rax, rax",
    "jnz 58b",
    "test ebp, ebp",
    "jz 90f",
    "int3",
    "90:",
    "mov eax, {pause}",
    "syscall",
    "runsk_stub_parked:",
    "jmp 90b",
    "runsk_stub_end:",
    ".popsection",
    command = const COMMAND,
    constants = const CONSTANTS,
    scratch = const SCRATCH,
    message = const CONSTANTS + MESSAGE as u64,
    sequence = const command::SEQUENCE,
    count = const command::COUNT,
    kind = const command::KIND,
    child = const command::CHILD,
    sentry = const command::SENTRY,
    operations = const command::OPERATIONS,
    operation = const command::OPERATION,
    kind_fork = const command::KIND_FORK,
    kind_task = const command::KIND_TASK,
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
    clone_task = const libc::CLONE_PARENT | libc::CLONE_VM | libc::CLONE_FS,
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
);

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
const ZEROS: usize = CONTROL + 32;
const CAP_HEADER: usize = ZEROS + 64;
const NAME: usize = CAP_HEADER + 16;
const FILTER_HEADER: usize = NAME + 16;
const FILTER: usize = FILTER_HEADER + 16;

/// A constant's address in an address space.
const fn address(place: usize) -> u64 {
    CONSTANTS + place as u64
}

/// 64 zero bytes: an empty signal mask, empty capability sets, a limit of nothing.
pub(super) const ZEROS_AT: u64 = address(ZEROS);
/// Header for capset(2).
pub(super) const CAP_HEADER_AT: u64 = address(CAP_HEADER);
/// The name that `ps` shows.
pub(super) const NAME_AT: u64 = address(NAME);
/// `struct sock_fprog` of the mapper's filter.
pub(super) const FILTER_AT: u64 = address(FILTER_HEADER);

/// A file with the code (one page) and, behind it, the constants.
pub(super) fn file() -> Result<OwnedFd, Errno> {
    usercopy::install();
    let page = usize::try_from(PAGE_SIZE).map_err(|_| EOVERFLOW)?;
    let size = page + constants::SIZE;
    let file = memfd::create(c"runsk-stub", size as u64)?;
    let map = Mapping::shared(&file, 0, size)?;
    let start = &raw const runsk_stub_start;
    let len = (&raw const runsk_stub_end).addr() - start.addr();
    if len > page {
        return Err(EOVERFLOW);
    }
    // SAFETY: the symbols bound the code, which lies in our own read-only data.
    unsafe { usercopy::copy(map.at(0, len)?, start, len) }?;
    let constants = constants()?;
    let place = map.at(page, constants.len())?;
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
    // _LINUX_CAPABILITY_VERSION_3, this process.
    put(CAP_HEADER, &0x2008_0522_u32.to_ne_bytes())?;
    put(NAME, b"runsk-app")?;
    let filter = mapper::program()?.bytes();
    let instructions = u16::try_from(filter.len() / 8).map_err(|_| EOVERFLOW)?;
    put(FILTER_HEADER, &instructions.to_ne_bytes())?;
    put(FILTER_HEADER + 8, &address(FILTER).to_ne_bytes())?;
    put(FILTER, &filter)?;
    Ok(bytes)
}
