//! What a stop means.

use syscalls::UserAddr;

use super::layout::{CODE, code};
use crate::process::layout::TASK_END;
use crate::{Error, Event, FpState, Prot, Regs};

/// Where a vCPU stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// In the application, for a reason that is not the application's.
    Application,
    /// Behind SYSCALL.
    Syscall,
    /// At the gate of an exception.
    Vector(u64),
}

/// An exception, as the processor tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exception {
    pub(super) vector: u64,
    /// Only of some vectors.
    pub(super) error: u64,
    /// CR2; only of a page fault.
    pub(super) address: u64,
}

/// What else there is to know of an application.
pub(super) struct Application<'a> {
    /// Its vector state.
    pub(super) state: &'a dyn Fn() -> Result<FpState, Error>,
    /// The byte at an address, if it is mapped.
    pub(super) byte: &'a dyn Fn(u64) -> Option<u8>,
    /// Its exceptions are delivered by the host's kernel, as that understands them.
    pub(super) is_emulated: bool,
}

mod vector {
    pub(super) const DIVIDE: u64 = 0;
    pub(super) const DEBUG: u64 = 1;
    pub(super) const NMI: u64 = 2;
    pub(super) const BREAKPOINT: u64 = 3;
    pub(super) const INVALID_OPCODE: u64 = 6;
    pub(super) const NOT_AVAILABLE: u64 = 7;
    pub(super) const DOUBLE: u64 = 8;
    pub(super) const NOT_PRESENT: u64 = 11;
    pub(super) const STACK: u64 = 12;
    pub(super) const PAGE_FAULT: u64 = 14;
    pub(super) const FLOAT: u64 = 16;
    pub(super) const ALIGNMENT: u64 = 17;
    pub(super) const MACHINE_CHECK: u64 = 18;
    pub(super) const SIMD: u64 = 19;
}

/// `SI_KERNEL`: an exception without an address.
const SI_KERNEL: i32 = 0x80;
const FPE_INTDIV: i32 = 1;
const ILL_ILLOPN: i32 = 2;
const BUS_ADRALN: i32 = 1;
const TRAP_BRKPT: i32 = 1;
const TRAP_TRACE: i32 = 2;
const SEGV_PKUERR: i32 = 4;
const TRAP_FLAG: u64 = 0x100;
const RESUME_FLAG: u64 = 0x1_0000;

/// Exceptions with a stack of their own.
pub(super) fn is_anytime(vector: u64) -> bool {
    use vector::{DEBUG, DOUBLE, MACHINE_CHECK, NMI};
    matches!(vector, DEBUG | NMI | DOUBLE | MACHINE_CHECK)
}

/// What becomes of registers with which the supervisor cannot be left: the instruction
/// pointer is no address.
pub(super) fn cannot_run(regs: &Regs) -> Option<Event> {
    (regs.rip >= TASK_END).then(general_protection)
}

/// Whether this is where SYSCALL leads. Where ring 0 is emulated, an application gets there.
pub(super) fn is_at_entry(rip: u64) -> bool {
    rip == CODE + code::SYSCALL
}

/// A call: what SYSCALL leaves in rcx and r11 is where it was made.
pub(super) fn syscall(regs: &mut Regs) -> Event {
    regs.rip = regs.rcx;
    regs.eflags = regs.r11;
    regs.orig_rax = regs.rax;
    Event::Syscall
}

/// What an exception in the application means.
pub(super) fn event(
    exception: &Exception,
    regs: &mut Regs,
    application: &Application<'_>,
) -> Result<Event, Error> {
    let rip = regs.rip;
    // That it was set is the exception's doing.
    regs.eflags &= !RESUME_FLAG;
    Ok(match exception.vector {
        vector::PAGE_FAULT => return Ok(page_fault(exception, regs, application)),
        vector::DIVIDE => signal(libc::SIGFPE, FPE_INTDIV, rip),
        vector::DEBUG if regs.eflags & TRAP_FLAG != 0 => signal(libc::SIGTRAP, TRAP_TRACE, rip),
        vector::DEBUG => signal(libc::SIGTRAP, TRAP_BRKPT, rip),
        vector::BREAKPOINT => signal(libc::SIGTRAP, SI_KERNEL, 0),
        vector::INVALID_OPCODE if is_closed_entry(rip, application) => general_protection(),
        vector::INVALID_OPCODE => signal(libc::SIGILL, ILL_ILLOPN, rip),
        vector::ALIGNMENT => signal(libc::SIGBUS, BUS_ADRALN, 0),
        vector::NOT_PRESENT | vector::STACK => signal(libc::SIGBUS, SI_KERNEL, 0),
        vector::FLOAT => signal(
            libc::SIGFPE,
            float_code(&(application.state)()?, Unit::X87),
            rip,
        ),
        vector::SIMD => signal(
            libc::SIGFPE,
            float_code(&(application.state)()?, Unit::Simd),
            rip,
        ),
        // A part of the vector state that the application has not asked for.
        vector::NOT_AVAILABLE => signal(libc::SIGILL, ILL_ILLOPN, rip),
        // General protection, and what an application may have made up by INT n.
        _ => general_protection(),
    })
}

/// Whether the instruction is an entry of 32-bit code, INT 0x80 or SYSENTER. Processors say
/// that it may not be used; a host that runs applications natively may have another opinion.
fn is_closed_entry(rip: u64, application: &Application<'_>) -> bool {
    let byte = |ahead| (application.byte)(rip.wrapping_add(ahead));
    let entries = [(0xcd, 0x80), (0x0f, 0x34)];
    let is_entry = |(first, second)| byte(0) == Some(first) && byte(1) == Some(second);
    application.is_emulated && entries.into_iter().any(is_entry)
}

/// A call of the vsyscall page, which is not there: it returns to its caller with the result,
/// as where Linux emulates it.
fn vsyscall(regs: &mut Regs, application: &Application<'_>) -> Option<Event> {
    /// gettimeofday, time, getcpu.
    const ENTRIES: [(u64, u64); 3] = [
        (0xffff_ffff_ff60_0000, 96),
        (0xffff_ffff_ff60_0400, 201),
        (0xffff_ffff_ff60_0800, 309),
    ];
    let (_, number) = ENTRIES.into_iter().find(|(at, _)| *at == regs.rip)?;
    let mut caller = [0; 8];
    for (byte, at) in caller.iter_mut().zip(regs.rsp..) {
        *byte = (application.byte)(at)?;
    }
    regs.rip = u64::from_le_bytes(caller);
    regs.rsp = regs.rsp.wrapping_add(8);
    regs.rax = number;
    regs.orig_rax = number;
    Some(Event::Syscall)
}

fn general_protection() -> Event {
    signal(libc::SIGSEGV, SI_KERNEL, 0)
}

fn page_fault(exception: &Exception, regs: &mut Regs, application: &Application<'_>) -> Event {
    const WRITE: u64 = 2;
    const FETCH: u64 = 16;
    const KEY: u64 = 32;
    let (error, address) = (exception.error, exception.address);
    // A jump there is a call, too.
    if is_at_entry(address) && is_at_entry(regs.rip) && error & FETCH != 0 {
        return syscall(regs);
    }
    if address == regs.rip
        && error & FETCH != 0
        && let Some(call) = vsyscall(regs, application)
    {
        return call;
    }
    if error & KEY != 0 {
        return signal(libc::SIGSEGV, SEGV_PKUERR, address);
    }
    let access = match error {
        error if error & FETCH != 0 => Prot::EXEC,
        error if error & WRITE != 0 => Prot::WRITE,
        _ => Prot::READ,
    };
    Event::Fault {
        addr: UserAddr::new(address),
        access,
    }
}

#[derive(Clone, Copy)]
enum Unit {
    X87,
    Simd,
}

/// `si_code` of a floating-point exception: the first that is set and not masked, as
/// Linux's fpu__exception_code() has it.
fn float_code(state: &FpState, unit: Unit) -> i32 {
    let byte = |at: usize| u32::from(state.as_bytes().get(at).copied().unwrap_or_default());
    let half = |at: usize| byte(at) | byte(at + 1) << 8;
    let raised = match unit {
        // Status and control words.
        Unit::X87 => half(2) & !half(0),
        // MXCSR: flags, and masks seven bits above.
        Unit::Simd => half(24) & !(half(24) >> 7),
    };
    const CODES: [(u32, i32); 4] = [
        // Invalid operation: FPE_FLTINV. Division by zero: FPE_FLTDIV.
        (0x01, 7),
        (0x04, 3),
        // Overflow: FPE_FLTOVF. Denormal or underflow: FPE_FLTUND.
        (0x08, 4),
        (0x12, 5),
    ];
    const INEXACT: (u32, i32) = (0x20, 6);
    let found = CODES.into_iter().chain([INEXACT]);
    let mut found = found.filter(|(bits, _)| raised & bits != 0);
    found.next().map_or(0, |(_, code)| code)
}

fn signal(signal: i32, code: i32, addr: u64) -> Event {
    let addr = UserAddr::new(addr);
    Event::Exception { signal, code, addr }
}
