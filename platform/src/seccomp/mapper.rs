//! What the tasks of an address space may ask of the host: its mapper, and guest threads.
//!
//! One filter serves both, as a task inherits it and one more for each would cost some
//! microseconds at its birth. What tells them apart:
//! - Calls are allowed only from the stub's own code, so every call of an application traps.
//!   The application can jump there, though:
//! - A privileged call must have the **token** as its sixth argument, a random number that
//!   only the mapper knows; it holds it in a register and never in memory.
//!
//! What an application gains by a jump is a futex(2) on memory that it has anyway, a
//! sigreturn to registers that it can load anyway, and an mmap(2) of a descriptor that
//! guest tasks do not have.
//!
//! Under ptrace none of a guest task's calls is executed at all; there it is a second line.

use libc::sock_filter;

use super::list::{Allow, Arg, Test};
use crate::process::layout::{CODE, CODE_SIZE, DONE_FD, MEMORY_FD, REPORT_FD};
use crate::process::{CLONE_RUN, CLONE_TRACED};
use syscalls::Errno;
use syscalls::errno::EINVAL;

const CLONE_FORK: i32 = libc::CLONE_PARENT;
const SHARED_FIXED: u64 = 0x11;
/// MAP_SHARED_VALIDATE, MAP_FIXED, MAP_ANONYMOUS: the kinds of mapping.
const MAP_KIND: u64 = 0x33;

/// What the code may do for whoever runs it.
pub(crate) const ANYBODY: &[Allow] = &[
    Allow("rt_sigreturn", "back to the application"),
    Allow(
        "futex",
        "sleep until the next command, or the Sentry's answer",
    )
    .when(&[Arg(1).is(libc::FUTEX_WAIT)]),
    Allow("futex", "wake the Sentry").when(&[Arg(1).is(libc::FUTEX_WAKE)]),
    Allow("mmap", "map pages of the memory file")
        .when(&[Arg(3).masked(MAP_KIND, SHARED_FIXED), Arg(4).is(MEMORY_FD)]),
    Allow("mmap", "map a command page, or pages of a thread").when(&[
        Arg(3).masked(MAP_KIND, SHARED_FIXED),
        Arg(4).is(MEMORY_FD + 1),
    ]),
];

/// What it may do with the token.
pub(crate) const MAPPER: &[Allow] = &[
    Allow("munmap", "unmap"),
    Allow("mprotect", "change rights"),
    Allow("write", "answer").when(&[Arg(0).is(DONE_FD)]),
    Allow("clone", "fork the address space").when(&[Arg(0).is(CLONE_FORK)]),
    Allow("clone", "a task for a tracer").when(&[Arg(0).is(CLONE_TRACED)]),
    Allow("clone", "a task that runs by itself").when(&[Arg(0).is(CLONE_RUN)]),
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
    Allow("sigaltstack", "a guest task's stack for signals"),
    Allow("rt_sigprocmask", "a traced task can be kicked"),
    Allow("pause", "a guest task that waits for its tracer"),
    Allow("exit_group", "end when the Sentry is gone"),
];

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const POINTER: u32 = 8;
const ARGS: u32 = 16;

/// `AUDIT_ARCH_X86_64`
const X86_64: u32 = 0xc000_003e;

/// The filter's instructions. SIGSYS for everything that no row allows: in a guest task it
/// is how a system call becomes known; a mapper, which has no stack for signals, ends.
pub(crate) fn program(token: u64) -> Result<Vec<sock_filter>, Errno> {
    let trap = ret(libc::SECCOMP_RET_TRAP);
    let mut code = vec![
        load(ARCH),
        jump_if(libc::BPF_JEQ, X86_64, 1, 0),
        trap,
        load(POINTER + 4),
        jump_if(libc::BPF_JEQ, high(CODE), 1, 0),
        trap,
        load(POINTER),
        and(low(!(CODE_SIZE - 1))),
        jump_if(libc::BPF_JEQ, low(CODE), 1, 0),
        trap,
    ];
    for row in ANYBODY {
        code.extend(allow(row, &[])?);
    }
    let token = Test {
        arg: 5,
        mask: u64::MAX,
        value: token,
    };
    for row in MAPPER {
        code.extend(allow(row, &[token])?);
    }
    code.push(trap);
    Ok(code)
}

/// A row: allowed if everything holds, else on to what follows.
fn allow(row: &Allow, more: &[Test]) -> Result<Vec<sock_filter>, Errno> {
    let number = row.number().and_then(|number| u32::try_from(number).ok());
    let number = number.ok_or_else(|| EINVAL.why(row.call))?;
    // Each comparison, and what the loaded word is compared with.
    let mut words = vec![(NUMBER, u32::MAX, number)];
    for test in row.tests.iter().chain(more) {
        let at = ARGS + 8 * u32::from(test.arg);
        words.push((at, low(test.mask), low(test.value)));
        words.push((at + 4, high(test.mask), high(test.value)));
    }
    let mut code = vec![ret(libc::SECCOMP_RET_ALLOW)];
    for (at, mask, value) in words.into_iter().rev().filter(|(_, mask, _)| *mask != 0) {
        let rest = u8::try_from(code.len()).map_err(|_| EINVAL.why(row.reason))?;
        code.insert(0, jump_if(libc::BPF_JEQ, value, 0, rest));
        if mask != u32::MAX {
            code.insert(0, and(mask));
        }
        code.insert(0, load(at));
    }
    Ok(code)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the lower half of a number"
)]
const fn low(value: u64) -> u32 {
    value as u32
}

const fn high(value: u64) -> u32 {
    low(value >> 32)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    // Instruction codes have 16 bits.
    let code = u16::try_from(code).unwrap_or_default();
    sock_filter { code, jt, jf, k }
}

fn load(at: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0)
}

fn and(mask: u32) -> sock_filter {
    instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, mask, 0, 0)
}

fn jump_if(comparison: u32, value: u32, then: u8, otherwise: u8) -> sock_filter {
    let code = libc::BPF_JMP | comparison | libc::BPF_K;
    instruction(code, value, then, otherwise)
}

fn ret(action: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, action, 0, 0)
}
