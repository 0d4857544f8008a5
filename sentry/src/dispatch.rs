//! A system call's way: decode, trace, run, result.

use syscalls::{Call, Errno, Restart, Stop, SysResult, TraceMem, UserAddr};

use crate::mm::Mm;
use crate::task::Current;

/// Serves the call in `task`'s registers and sets the result. Interrupted calls leave
/// their [`Restart`] to the signal code, which knows whether a handler will run.
pub(crate) fn syscall(task: &mut Current) -> Option<Restart> {
    let call = Call::decode(task.regs.orig_rax, &task.regs.syscall_args());
    let result = if task.kernel.config.strace {
        traced(task, call)
    } else {
        run(task, call)
    };
    let interrupted = match result {
        Ok(value) => {
            task.regs.rax = value;
            None
        }
        Err(Stop::Errno(errno)) => {
            task.regs.rax = errno.to_result();
            None
        }
        Err(Stop::Restart(restart)) => Some(restart),
        Err(Stop::Registers) => None,
    };
    // A mask for the time of the call holds on if a handler may still run under it.
    if interrupted.is_none()
        && let Some(mask) = task.own.saved_mask.take()
    {
        task.set_blocked(mask);
    }
    interrupted
}

fn run(task: &mut Current, call: Result<Call, Errno>) -> SysResult {
    call?.run(task)
}

/// Runs the call and writes a line about it: after it returned, so that results in guest
/// memory are shown; for calls that do not return or change memory, before.
fn traced(task: &mut Current, call: Result<Call, Errno>) -> SysResult {
    let tid = task.tid();
    let show = |task: &Current| {
        let mut line = String::new();
        let shown = match &call {
            Ok(call) => call.show(&mut line, &Peek(task.mem())),
            Err(_) => std::fmt::Write::write_fmt(
                &mut line,
                format_args!("syscall_{}()", task.regs.orig_rax),
            ),
        };
        // Writing to a String does not fail.
        let _ = shown;
        line
    };
    let early = match call {
        Ok(Call::Execve(_) | Call::Execveat(_)) => Some(show(task)),
        Ok(Call::Exit(_) | Call::ExitGroup(_)) => {
            log::info!(target: "strace", "{tid} {} = ?", show(task));
            return run(task, call);
        }
        _ => None,
    };
    let result = run(task, call);
    let line = early.unwrap_or_else(|| show(task));
    match result {
        Ok(value) => log::info!(target: "strace", "{tid} {line} = {}", Value(value)),
        Err(Stop::Errno(errno)) => log::info!(
            target: "strace",
            "{tid} {line} = -1 {} ({errno})",
            errno.name()
        ),
        Err(Stop::Restart(restart)) => {
            log::info!(target: "strace", "{tid} {line} = ? ({restart:?}, to be restarted)");
        }
        Err(Stop::Registers) => log::info!(target: "strace", "{tid} {line} = 0"),
    }
    result
}

/// A result: small ones in decimal, addresses in hexadecimal.
struct Value(u64);

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1 << 32 {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{:#x}", self.0)
        }
    }
}

/// Guest memory for a trace.
struct Peek<'a>(&'a Mm);

impl TraceMem for Peek<'_> {
    fn peek(&self, addr: UserAddr, buf: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Ok(at) = addr.add(done as u64) else { break };
            let in_page = usize::try_from(syscalls::PAGE_SIZE - at.page_offset()).unwrap_or(1);
            let len = rest.len().min(in_page);
            let Some(piece) = rest.get_mut(..len) else {
                break;
            };
            if self.0.read_bytes(at, piece).is_err() {
                break;
            }
            done += len;
        }
        done
    }
}
