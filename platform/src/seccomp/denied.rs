//! The last words of a process whose filter refused a call.
//!
//! Operators search for the line `Sentry syscall denied: name(arguments)`, on stderr and in
//! the log: it goes to whoever passes it on there. Everything here runs in a signal handler, perhaps on a thread that holds the
//! allocator's lock: it uses its own stack and two host calls.
//!
//! The kernel kills a thread that makes such a call while it blocks signals (glibc does so
//! at the start and end of threads) without asking the handler: the process then ends by
//! SIGSYS.

use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, c_void, siginfo_t, ucontext_t};
use syscalls::Errno;

use super::list;
use crate::host::check;

/// Exit status of a process that ended so: as if SIGSYS had killed it.
pub const STATUS: i32 = 128 + libc::SIGSYS;

struct Reporter {
    who: &'static str,
    listener: Option<OwnedFd>,
}

static REPORTER: OnceLock<Reporter> = OnceLock::new();

/// From now on, a refused call ends the process with the line
/// `{who} syscall denied: …`, written at once to `listener`, or to stderr without one. To
/// be called once, before the filter is installed, which must allow write(2).
pub fn report_as(who: &'static str, listener: Option<OwnedFd>) -> Result<(), Errno> {
    if REPORTER.set(Reporter { who, listener }).is_err() {
        return Err(syscalls::errno::EBUSY);
    }
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let place = action.as_mut_ptr();
    // SAFETY: all-zero is a valid sigaction: no flags, an empty mask.
    let action = unsafe { &mut *place };
    action.sa_sigaction = on_denied as extern "C" fn(_, _, _) as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `on_denied` has the signature of SA_SIGINFO and is async-signal-safe.
    check(unsafe { libc::sigaction(libc::SIGSYS, action, std::ptr::null_mut()) }).map(drop)
}

extern "C" fn on_denied(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    static ONCE: AtomicBool = AtomicBool::new(false);
    const SYS_SECCOMP: c_int = 1;
    const A_WHILE: u32 = 100_000_000;
    // SAFETY: the kernel passes a valid siginfo.
    let code = unsafe { (*info).si_code };
    if ONCE.swap(true, Ordering::Relaxed) {
        // Another thread is about to end us all, after its report.
        for _ in 0..A_WHILE {
            std::hint::spin_loop();
        }
    } else if let (SYS_SECCOMP, Some(reporter)) = (code, REPORTER.get()) {
        // SAFETY: the kernel passes a valid ucontext.
        let registers = unsafe { &(*context.cast::<ucontext_t>()).uc_mcontext.gregs };
        reporter.report(registers);
    }
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(STATUS) }
}

impl Reporter {
    fn report(&self, registers: &[libc::greg_t; 23]) {
        let mut buffer = [0; 256];
        let mut rest = &mut buffer[..];
        let room = rest.len();
        // What does not fit is left out.
        let _ = self.line(&mut rest, registers);
        let left = rest.len();
        let line = &buffer[..room - left];
        // SAFETY: stderr's number; a closed one makes the write fail.
        let stderr = unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) };
        let listener = self.listener.as_ref().map_or(stderr, AsFd::as_fd);
        let _ = nix::unistd::write(listener, line);
    }

    fn line(&self, out: &mut dyn Write, registers: &[libc::greg_t; 23]) -> std::io::Result<()> {
        let register = |name: c_int| {
            let index = usize::try_from(name).ok();
            let value = index.and_then(|index| registers.get(index));
            value.copied().unwrap_or_default()
        };
        // The kernel has put the number back where the call had it.
        let number = register(libc::REG_RAX);
        write!(out, "{} syscall denied: ", self.who)?;
        match list::name(number) {
            Some(name) => write!(out, "{name}(")?,
            None => write!(out, "{number}(")?,
        }
        let args = [
            libc::REG_RDI,
            libc::REG_RSI,
            libc::REG_RDX,
            libc::REG_R10,
            libc::REG_R8,
            libc::REG_R9,
        ];
        for (index, name) in args.into_iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(out, "{separator}{:#x}", register(name))?;
        }
        out.write_all(b")\n")
    }
}
