//! A system call's way: decode, trace, run, result.

use syscalls::{Call, Restart, Stop, SysResult};

use crate::task::Current;

/// Serves the call in `task`'s registers and sets the result. Interrupted calls leave
/// their [`Restart`] to the signal code, which knows whether a handler will run.
pub(crate) fn syscall(task: &mut Current) -> Option<Restart> {
    let number = task.regs.orig_rax;
    let result = match Call::decode(number, &task.regs.syscall_args()) {
        Ok(call) => run(task, call),
        Err(errno) => Err(errno.into()),
    };
    match result {
        Ok(value) => task.regs.rax = value,
        Err(Stop::Errno(errno)) => task.regs.rax = errno.to_result(),
        Err(Stop::Restart(restart)) => return Some(restart),
        Err(Stop::Registers) => {}
    }
    None
}

fn run(task: &mut Current, call: Call) -> SysResult {
    call.run(task)
}
