//! The SIGSEGV and SIGBUS handler behind the faulting copies.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Once, OnceLock};

use libc::{SIGBUS, SIGSEGV, c_int, c_void, sigaction, siginfo_t, ucontext_t};

use super::resume_point;

static INSTALL: Once = Once::new();
/// What handled SIGSEGV and SIGBUS before (Rust's own stack-overflow report, mostly).
static BEFORE: OnceLock<[sigaction; 2]> = OnceLock::new();

/// Installs the handler; further calls do nothing. Whatever creates a mapping that
/// the copies work on calls this first.
pub(crate) fn install() {
    INSTALL.call_once(|| {
        let before = [current(SIGSEGV), current(SIGBUS)];
        // Set before the handler can run, so that the handler never waits for it.
        let _ = BEFORE.set(before);
        for signal in [SIGSEGV, SIGBUS] {
            set(signal);
        }
    });
}

fn current(signal: c_int) -> sigaction {
    let mut action = MaybeUninit::<sigaction>::zeroed();
    // SAFETY: only reads the current action into `action`. It cannot fail for these signals.
    unsafe { sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all-zero is a valid sigaction, and the call filled it in.
    unsafe { action.assume_init() }
}

fn set(signal: c_int) {
    let mut action = current(signal);
    action.sa_sigaction = on_fault as extern "C" fn(_, _, _) as usize;
    // ONSTACK for the sake of the handler before ours, which may report an overflown stack.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: `on_fault` has the signature of SA_SIGINFO and is async-signal-safe.
    unsafe { sigaction(signal, &raw const action, ptr::null_mut()) };
}

extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let frame = context.cast::<ucontext_t>();
    // SAFETY: the kernel passes a ucontext_t that is ours until we return.
    let registers = unsafe { &mut (*frame).uc_mcontext.gregs };
    let rip = &mut registers[libc::REG_RIP as usize];
    let resume = usize::try_from(*rip).ok().and_then(resume_point);
    match resume.map(libc::greg_t::try_from) {
        Some(Ok(resume)) => *rip = resume,
        _ => pass_on(signal, info, context),
    }
}

/// A fault that is not ours: behaves as if our handler were not there.
fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let before = BEFORE
        .get()
        .map(|[segv, bus]| if signal == SIGSEGV { segv } else { bus });
    match before {
        Some(action) if action.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
            // SAFETY: SA_SIGINFO says that the stored address is such a function.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(action.sa_sigaction) };
            handler(signal, info, context);
        }
        _ => {
            // SAFETY: resets to the default; on return the instruction faults again and
            // the process ends as it would have.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}
