//! What a guest task runs besides the application, on systrap.
//!
//! It is entered in two ways, and both end in a wait for the Sentry's answer:
//! - **`signal`**, by a signal: a system call that the filter trapped, an exception, the
//!   Sentry's kick. The host has saved all registers in a frame on the thread's pages, where
//!   the Sentry reads and edits them, and a sigreturn loads them.
//! - **`call`**, by a jump from a trampoline in rewritten code (`systrap::trampoline`): a
//!   system call without a signal. Registers are stored in the control page; vector
//!   registers stay where they are. If the Sentry wants those, or wants to change more than
//!   the result, it has the task **promote** the call: a call that the filter traps makes
//!   the host save everything in a frame.
//!
//! A call whose answer is the thread's own business, and known (`ThreadPages::set_answer`),
//! goes no further than here. The application may write what it likes there: it is its own
//! answer.
//!
//! A kick that arrives in this code does nothing by itself, since an event is on its way to
//! the Sentry. Only between the answer, or the decision to answer here, and the application
//! it would be lost: there the handler sends the task back to look at the kick's flag once
//! more.
//!
//! The application shares all memory and can jump anywhere here. Nothing here protects the
//! Sentry from it: that is the filter's work, and the Sentry's own, which checks what it
//! reads.
//!
//! A trampoline comes with its own address in r11 and finds rcx used, as after SYSCALL. The
//! base of GS is the thread's pages, unless the application has set one of its own: such a
//! call, and one of a thread that never had pages, goes on to the instruction SYSCALL at
//! [`SLOW`] in the trampoline. (Differs from Linux: flags are not kept over a call.)

use std::arch::global_asm;

use super::layout::thread::{
    ANSWER_COUNT, ANSWERS, EVENT, EVENT_CALL, EVENT_SIGNAL, FRAME, FS_BASE, GS_BASE, KICK, R8, R9,
    R10, R12, R13, R14, R15, RAX, RBP, RBX, RDI, RDX, RIP, RSI, RSP, SENTRY_SLEEPS, SPIN,
    TASK_SLEEPS, TRAMPOLINE, TURN, TURN_PROMOTE, TURN_SENTRY,
};
use super::layout::{GUEST_CODE, THREAD_SIZE, THREADS, THREADS_SHIFT};

/// In a trampoline: the address that SYSCALL would leave in rcx, 8 bytes.
pub(crate) const RETURN: usize = 0x18;
/// In a trampoline: the instruction SYSCALL, and what follows it.
pub(crate) const SLOW: usize = 0x20;
/// Bytes of SYSCALL.
pub(crate) const SYSCALL_SIZE: usize = 2;

/// Offsets of registers in `ucontext_t`.
const UC_RBX: usize = 128;
/// See [`UC_RBX`].
const UC_RIP: usize = 168;

global_asm!(
    ".pushsection .rodata.runsk_guest_code, \"a\", @progbits",
    ".balign 64",
    ".globl runsk_guest_start, runsk_guest_end, runsk_guest_signal, runsk_guest_call",
    ".globl runsk_guest_promoted",
    ".hidden runsk_guest_start, runsk_guest_end, runsk_guest_signal, runsk_guest_call",
    ".hidden runsk_guest_promoted",

    // A new task, rbx its pages; and the way back from a signal.
    "runsk_guest_start:",
    "20:",
    "mov rax, [rbx + {fs_base}]",
    "wrfsbase rax",
    "mov rax, [rbx + {gs_base}]",
    "wrgsbase rax",
    "mov rsp, [rbx + {frame}]",
    "add rsp, 8",
    "mov eax, {rt_sigreturn}",
    "syscall",
    "ud2",

    // A signal: edi its number, rdx the context. The frame holds all registers, so any may
    // be used.
    "runsk_guest_signal:",
    "cmp edi, {kick_signal}",
    "jne 35f",
    "mov rax, [rdx + {uc_rip}]",
    "lea rcx, [rip + runsk_guest_start]",
    "sub rax, rcx",
    "cmp rax, {page}",
    "jae 35f",
    // In this code. Where it waits, or was made to believe so by a jump with another rbx?
    "mov rax, [rdx + {uc_rip}]",
    "lea rcx, [rip + 40f]",
    "cmp rax, rcx",
    "jb 30f",
    "mov rsi, rsp",
    "and rsi, -{thread_size}",
    "lea rcx, [rip + 60f]",
    "cmp rax, rcx",
    "jae 25f",
    "cmp [rdx + {uc_rbx}], rsi",
    "jne 35f",
    "jmp 30f",
    // Between the answer and the application.
    "25:",
    "lea rsi, [rip + 65f]",
    "cmp rax, rsi",
    "jb 27f",
    "lea rcx, [rip + 80f]",
    "cmp rax, rcx",
    "jb 30f",
    "lea rsi, [rip + 85f]",
    "cmp rax, rsi",
    "jae 30f",
    "27:",
    "mov [rdx + {uc_rip}], rcx",
    "30:",
    "add rsp, 8",
    "mov eax, {rt_sigreturn}",
    "syscall",
    "ud2",
    "35:",
    "mov rbx, rsp",
    "and rbx, -{thread_size}",
    "rdfsbase rax",
    "mov [rbx + {fs_base}], rax",
    "rdgsbase rax",
    "mov [rbx + {gs_base}], rax",
    "mov [rbx + {frame}], rsp",
    "mov dword ptr [rbx + {event}], {event_signal}",
    "jmp 40f",

    // A call: r11 the trampoline.
    "runsk_guest_call:",
    "rdgsbase rcx",
    "shr rcx, {threads_shift}",
    "cmp ecx, {threads_upper}",
    "jne 38f",
    "mov gs:[{rax}], rax",
    "cmp rax, {answer_count}",
    "jb 80f",
    "36:",
    "mov gs:[{rdi}], rdi",
    "mov gs:[{rsi}], rsi",
    "mov gs:[{rdx}], rdx",
    "mov gs:[{r10}], r10",
    "mov gs:[{r8}], r8",
    "mov gs:[{r9}], r9",
    "mov rcx, [r11 + {return_at}]",
    "mov gs:[{rip}], rcx",
    "mov gs:[{rsp}], rsp",
    "mov gs:[{rbx}], rbx",
    "mov gs:[{rbp}], rbp",
    "mov gs:[{r12}], r12",
    "mov gs:[{r13}], r13",
    "mov gs:[{r14}], r14",
    "mov gs:[{r15}], r15",
    "rdfsbase rcx",
    "mov gs:[{fs_base}], rcx",
    "mov gs:[{trampoline}], r11",
    "rdgsbase rbx",
    "mov dword ptr [rbx + {event}], {event_call}",
    "jmp 40f",
    "38:",
    "add r11, {slow}",
    "jmp r11",

    // Over to the Sentry. rbx: the thread's pages.
    "40:",
    "mov eax, {turn_sentry}",
    "xchg [rbx + {turn}], eax",
    "cmp dword ptr [rbx + {sentry_sleeps}], 0",
    "jne 50f",
    "42:",
    "mov ecx, [rbx + {spin}]",
    "44:",
    "mov eax, [rbx + {turn}]",
    "cmp eax, {turn_sentry}",
    "jne 55f",
    "test ecx, ecx",
    "jz 52f",
    "dec ecx",
    "pause",
    "jmp 44b",
    "50:",
    "mov esi, {futex_wake}",
    "mov edx, 1",
    "lea rdi, [rbx + {turn}]",
    "mov eax, {futex}",
    "syscall",
    "jmp 42b",
    "52:",
    "mov eax, 1",
    "xchg [rbx + {task_sleeps}], eax",
    "cmp dword ptr [rbx + {turn}], {turn_sentry}",
    "jne 54f",
    "lea rdi, [rbx + {turn}]",
    "mov esi, {futex_wait}",
    "mov edx, {turn_sentry}",
    "xor r10d, r10d",
    "mov eax, {futex}",
    "syscall",
    "54:",
    "mov dword ptr [rbx + {task_sleeps}], 0",
    "xor ecx, ecx",
    "jmp 44b",
    // Answered.
    "55:",
    "cmp eax, {turn_promote}",
    "je 70f",
    "cmp dword ptr [rbx + {event}], {event_call}",
    "jne 20b",

    // Back from a call. A kick in these lines leads to their beginning.
    "60:",
    "rdgsbase rbx",
    "cmp dword ptr [rbx + {kick}], 0",
    "jne 70f",
    "mov rdi, [rbx + {rdi}]",
    "mov rsi, [rbx + {rsi}]",
    "mov rdx, [rbx + {rdx}]",
    "mov r10, [rbx + {r10}]",
    "mov rcx, [rbx + {rip}]",
    "mov rax, [rbx + {rax}]",
    "mov r11, [rbx + {trampoline}]",
    "mov rbx, [rbx + {rbx}]",
    "add r11, {tail}",
    "jmp r11",
    "65:",

    // All registers into a frame.
    "70:",
    "mov eax, -1",
    "syscall",
    "runsk_guest_promoted:",
    "ud2",

    // A call that may be answered here, r11 the trampoline. A kick in these lines leads to
    // their beginning.
    "80:",
    "mov rax, gs:[{rax}]",
    "cmp dword ptr gs:[{kick}], 0",
    "jne 36b",
    "mov rcx, gs:[{answers} + rax * 8]",
    "test rcx, rcx",
    "jns 36b",
    "mov eax, ecx",
    "lea rcx, [r11 + {tail}]",
    "jmp rcx",
    "85:",
    "runsk_guest_end:",
    ".popsection",
    fs_base = const FS_BASE,
    gs_base = const GS_BASE,
    frame = const FRAME,
    event = const EVENT,
    event_signal = const EVENT_SIGNAL,
    event_call = const EVENT_CALL,
    turn = const TURN,
    turn_sentry = const TURN_SENTRY,
    turn_promote = const TURN_PROMOTE,
    sentry_sleeps = const SENTRY_SLEEPS,
    task_sleeps = const TASK_SLEEPS,
    kick = const KICK,
    answers = const ANSWERS,
    answer_count = const ANSWER_COUNT,
    spin = const SPIN,
    trampoline = const TRAMPOLINE,
    rax = const RAX,
    rdi = const RDI,
    rsi = const RSI,
    rdx = const RDX,
    r10 = const R10,
    r8 = const R8,
    r9 = const R9,
    rip = const RIP,
    rsp = const RSP,
    rbx = const RBX,
    rbp = const RBP,
    r12 = const R12,
    r13 = const R13,
    r14 = const R14,
    r15 = const R15,
    return_at = const RETURN,
    slow = const SLOW,
    tail = const SLOW + SYSCALL_SIZE,
    uc_rbx = const UC_RBX,
    uc_rip = const UC_RIP,
    page = const syscalls::PAGE_SIZE,
    thread_size = const THREAD_SIZE,
    threads_shift = const THREADS_SHIFT,
    threads_upper = const THREADS >> THREADS_SHIFT,
    kick_signal = const libc::SIGURG,
    futex_wait = const libc::FUTEX_WAIT,
    futex_wake = const libc::FUTEX_WAKE,
    futex = const libc::SYS_futex,
    rt_sigreturn = const libc::SYS_rt_sigreturn,
);

unsafe extern "C" {
    static runsk_guest_start: u8;
    static runsk_guest_signal: u8;
    static runsk_guest_call: u8;
    static runsk_guest_promoted: u8;
    static runsk_guest_end: u8;
}

/// Addresses in an address space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries {
    /// The handler of signals.
    pub(crate) signal: u64,
    /// Where trampolines jump to.
    pub(crate) call: u64,
    /// What a promoted call's frame has as its instruction pointer.
    pub(crate) promoted: u64,
}

/// The addresses.
pub(crate) fn entries() -> Entries {
    let start = (&raw const runsk_guest_start).addr();
    let at = |symbol: *const u8| GUEST_CODE + (symbol.addr() - start) as u64;
    Entries {
        signal: at(&raw const runsk_guest_signal),
        call: at(&raw const runsk_guest_call),
        promoted: at(&raw const runsk_guest_promoted),
    }
}

/// The code in our own read-only data: start and end.
pub(super) fn bounds() -> (*const u8, *const u8) {
    (&raw const runsk_guest_start, &raw const runsk_guest_end)
}
