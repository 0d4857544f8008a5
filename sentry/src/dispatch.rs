//! A system call's way: decode, trace, filters, run, result.

use std::sync::Arc;

use syscalls::errno::{EFAULT, ENOMEM};
use syscalls::trace::Line;
use syscalls::{Call, Errno, Restart, Stop, SysResult, TraceMem, UserAddr};

use crate::mm::Mm;
use crate::ptrace::Watch;
use crate::task::Current;

/// Serves the call in `task`'s registers and sets the result. Interrupted calls leave
/// their [`Restart`] to the signal code, which knows whether a handler will run.
pub(crate) fn syscall(task: &mut Current) -> Option<Restart> {
    // What an earlier call could do without is none of this one's business.
    let _ = platform::memfile::take_refusal();
    let result = if task.is_to_perform() {
        serve(task)
    } else {
        Err(Stop::Registers)
    };
    let result = match result {
        // Made again: it did nothing that another try would do twice.
        Err(Stop::Errno(ENOMEM | EFAULT)) if task.found_memory() => {
            Err(Stop::Restart(Restart::NoIntr))
        }
        result => result,
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
        Err(Stop::Restart(restart)) => {
            task.regs.rax = restart.to_result();
            Some(restart)
        }
        Err(Stop::Registers) => None,
    };
    if task.own.watch != Watch::default() {
        task.stop_at_exit();
    }
    if std::mem::take(&mut task.own.look_later) {
        task.mark_work();
    }
    // A mask for the time of the call holds on if a handler may still run under it.
    if interrupted.is_none()
        && let Some(mask) = task.own.saved_mask.take()
    {
        task.set_blocked(mask);
    }
    interrupted
}

fn serve(task: &mut Current) -> SysResult {
    let call = Call::decode(task.regs.orig_rax, &task.regs.syscall_args());
    if task.kernel.strace {
        traced(task, call)
    } else {
        run(task, call)
    }
}

fn run(task: &mut Current, call: Result<Call, Errno>) -> SysResult {
    match task.check_seccomp() {
        Some(refused) => refused,
        None => call?.run(task),
    }
}

/// Runs the call and writes a line about it: once it has returned, or before if it does
/// not return.
fn traced(task: &mut Current, call: Result<Call, Errno>) -> SysResult {
    let tid = task.tid();
    let mem = Peek(task.mem().clone());
    let line = match &call {
        Ok(call) => Line::enter(call, &mem),
        Err(_) => Line::enter_raw(task.regs.orig_rax, &task.regs.syscall_args(), &mem),
    };
    if matches!(call, Ok(Call::Exit(_) | Call::ExitGroup(_))) {
        log::info!(target: "strace", "{tid} {}", line.unfinished());
        return run(task, call);
    }
    let result = run(task, call);
    log::info!(target: "strace", "{tid} {}", line.leave(&result));
    result
}

/// Guest memory for a trace.
struct Peek(Arc<Mm>);

impl TraceMem for Peek {
    fn peek(&self, addr: UserAddr, buf: &mut [u8]) -> usize {
        self.0.read_partial(addr, buf)
    }
}
