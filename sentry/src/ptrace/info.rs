//! What a tracer is told of a stop, and of signals that wait.

use syscalls::abi::ptrace::{
    PTRACE_SYSCALL_INFO_ENTRY, PTRACE_SYSCALL_INFO_EXIT, PTRACE_SYSCALL_INFO_NONE,
    PTRACE_SYSCALL_INFO_SECCOMP, PeekSiginfo, SyscallInfo,
};
use syscalls::abi::signal::Siginfo;
use syscalls::abi::task::AUDIT_ARCH_X86_64;
use syscalls::errno::EINVAL;
use syscalls::{Errno, UserAddr, UserPtr};
use zerocopy::IntoBytes;

use super::{CallStop, Link, Stopped};
use crate::task::{Current, Task};

/// `PTRACE_PEEKSIGINFO_SHARED`.
const SHARED: u32 = 1;
/// What counts as an error in a result register.
const MAX_ERRNO: u64 = 4095;

/// `PTRACE_GET_SYSCALL_INFO`: the structure, and how much of it is meant.
pub(super) fn syscall_info(link: &Link, stop: &Stopped) -> (SyscallInfo, usize) {
    /// Bytes up to the fields, and of each.
    const HEAD: usize = 24;
    const FIELD: usize = 8;
    let regs = &stop.regs;
    let mut info = SyscallInfo {
        op: PTRACE_SYSCALL_INFO_NONE,
        arch: AUDIT_ARCH_X86_64,
        instruction_pointer: regs.rip,
        stack_pointer: regs.rsp,
        ..SyscallInfo::default()
    };
    let [a, b, c, d, e, f] = regs.syscall_args();
    let nr = regs.orig_rax;
    let len = match stop.call {
        // Known from the mark in the signal, as in Linux.
        CallStop::Entry | CallStop::Exit if stop.code & 0x80 == 0 => HEAD,
        CallStop::None => HEAD,
        CallStop::Entry => {
            info.op = PTRACE_SYSCALL_INFO_ENTRY;
            info.fields = [nr, a, b, c, d, e, f, 0];
            HEAD + 7 * FIELD
        }
        CallStop::Seccomp => {
            info.op = PTRACE_SYSCALL_INFO_SECCOMP;
            info.fields = [nr, a, b, c, d, e, f, link.message & 0xffff];
            // The last is half as wide.
            HEAD + 7 * FIELD + 4
        }
        CallStop::Exit => {
            info.op = PTRACE_SYSCALL_INFO_EXIT;
            let failed = regs.rax > MAX_ERRNO.wrapping_neg() - 1;
            info.fields[0] = regs.rax;
            info.fields[1] = u64::from(failed);
            HEAD + FIELD + 1
        }
    };
    (info, len)
}

impl Current {
    /// Stores as much of the structure as the tracer has room for; returns its size.
    pub(super) fn put_syscall_info(
        &self,
        tracee: &Task,
        room: u64,
        at: UserAddr,
    ) -> Result<u64, Errno> {
        let (info, len) = self.with_stop(tracee, |link, stop| Ok(syscall_info(link, stop)))?;
        let len_shown = usize::try_from(room).unwrap_or(usize::MAX).min(len);
        let bytes = info.as_bytes().get(..len_shown).unwrap_or_default();
        self.mem().write_bytes(at, bytes)?;
        Ok(len as u64)
    }

    /// `PTRACE_PEEKSIGINFO`: signals that wait; how many were stored.
    pub(super) fn peek_siginfo(
        &self,
        tracee: &Task,
        args: UserPtr<PeekSiginfo>,
        to: UserPtr<Siginfo>,
    ) -> Result<u64, Errno> {
        self.with_stop(tracee, |_, _| Ok(()))?;
        let args = self.mem().read(args)?;
        if args.flags & !SHARED != 0 || args.nr < 0 {
            return Err(EINVAL);
        }
        let infos = if args.flags & SHARED == 0 {
            tracee.signals.list()
        } else {
            tracee.group.signals.list()
        };
        let skip = usize::try_from(args.off).unwrap_or(usize::MAX);
        let count = usize::try_from(args.nr).unwrap_or(0);
        let mut stored = 0;
        for info in infos.into_iter().skip(skip).take(count) {
            match self.mem().write(to.at(stored)?, &info) {
                Ok(()) => stored += 1,
                Err(errno) if stored == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(stored)
    }
}
