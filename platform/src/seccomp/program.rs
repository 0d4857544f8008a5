//! From rows to a filter in the kernel.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};
use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL, ENOSYS};

use super::list::{Allow, Test};
use crate::host::check_long;

/// What happens to a call that no row allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Otherwise {
    /// SIGSYS, see [`denied`](super::denied).
    Trap,
    /// The process is killed on the spot.
    Kill,
    /// Everything is passed to a listener, allowed or not, see [`audit`](super::audit).
    Notify,
}

/// A filter that the kernel understands.
#[derive(Clone, Debug)]
pub struct Program {
    /// Usually one. The kernel asks all, and takes the strictest answer.
    codes: Vec<BpfProgram>,
}

impl Program {
    /// Compiles rows; `EINVAL` for a call that Linux has not, or too long a list.
    pub fn compile(rows: &[Allow], otherwise: Otherwise) -> Result<Self, Errno> {
        let otherwise = match otherwise {
            Otherwise::Trap => SeccompAction::Trap,
            Otherwise::Kill => SeccompAction::KillProcess,
            Otherwise::Notify => return Ok(Self::notify()),
        };
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for row in rows {
            let number = row.number().ok_or_else(|| EINVAL.why(row.call))?;
            let rules = rules.entry(number).or_default();
            if !row.tests.is_empty() {
                rules.push(rule(row.tests).ok_or_else(|| EINVAL.why(row.reason))?);
            }
        }
        // For seccompiler a call without rules is allowed whatever its arguments, so one
        // row without tests makes the others for the same call moot.
        for row in rows.iter().filter(|row| row.tests.is_empty()) {
            if let Some(rules) = row.number().and_then(|number| rules.get_mut(&number)) {
                rules.clear();
            }
        }
        let code = build(rules, otherwise, SeccompAction::Allow)?;
        Ok(Program { codes: vec![code] })
    }

    /// As [`Self::compile`], for a process with threads that can open nothing. What glibc
    /// does then without need is answered, not allowed:
    /// - clone3(2), whose flags lie in memory where a filter cannot see them, with
    ///   `ENOSYS`: glibc goes on with clone(2), for which there is a row;
    /// - openat(2) with `EACCES`: the allocator asks `/proc/sys/vm/overcommit_memory`
    ///   before it shrinks a thread's heap, and does without the answer.
    pub fn compile_with_threads(rows: &[Allow], otherwise: Otherwise) -> Result<Self, Errno> {
        let answered = [
            (Allow("clone3", "answered by another filter"), ENOSYS),
            (Allow("openat", "answered by another filter"), EACCES),
        ];
        let calls: Vec<Allow> = answered.iter().map(|(call, _)| *call).collect();
        let mut program = Self::compile(&[rows, &calls].concat(), otherwise)?;
        for (call, errno) in answered {
            let rules = BTreeMap::from([(call.number().ok_or(EINVAL)?, Vec::new())]);
            let answer = SeccompAction::Errno(u32::from(errno.raw()));
            program
                .codes
                .push(build(rules, SeccompAction::Allow, answer)?);
        }
        Ok(program)
    }

    fn notify() -> Self {
        const RETURN: u16 = 0x06;
        let notify = sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_USER_NOTIF,
        };
        Program {
            codes: vec![vec![notify]],
        }
    }

    /// Puts every thread of this process under the filter, for good. Sets no_new_privs.
    pub fn install(&self) -> Result<(), Errno> {
        self.load(libc::SECCOMP_FILTER_FLAG_TSYNC).map(drop)
    }

    /// Loads the filter; returns what the kernel gives for these flags.
    pub(super) fn load(&self, flags: libc::c_ulong) -> Result<i64, Errno> {
        nix::sys::prctl::set_no_new_privs().map_err(crate::host::errno)?;
        let mut result = 0;
        // The first is the one that may forbid loading more.
        for code in self.codes.iter().rev() {
            result = load(code, flags)?;
        }
        Ok(result)
    }
}

fn build(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    then: SeccompAction,
) -> Result<BpfProgram, Errno> {
    SeccompFilter::new(rules, otherwise, then, TargetArch::x86_64)
        .and_then(BpfProgram::try_from)
        .map_err(|error| EINVAL.why(&error.to_string()))
}

fn load(code: &BpfProgram, flags: libc::c_ulong) -> Result<i64, Errno> {
    let program = libc::sock_fprog {
        len: u16::try_from(code.len()).map_err(|_| EINVAL)?,
        filter: code.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the kernel copies `program` and the instructions it points to, which have
    // the kernel's layout and live until the call returns.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    match check_long(result)? {
        // With TSYNC, the number of a thread that could not be synchronised.
        thread if thread > 0 && flags & libc::SECCOMP_FILTER_FLAG_TSYNC != 0 => {
            Err(EINVAL.why("a thread has another filter"))
        }
        result => Ok(result),
    }
}

fn rule(tests: &[Test]) -> Option<SeccompRule> {
    let conditions = tests.iter().map(condition).collect::<Option<Vec<_>>>()?;
    SeccompRule::new(conditions).ok()
}

fn condition(test: &Test) -> Option<SeccompCondition> {
    let low = u64::from(u32::MAX);
    let len = if test.mask <= low {
        SeccompCmpArgLen::Dword
    } else {
        SeccompCmpArgLen::Qword
    };
    let operation = if test.mask == low || test.mask == u64::MAX {
        SeccompCmpOp::Eq
    } else {
        SeccompCmpOp::MaskedEq(test.mask)
    };
    SeccompCondition::new(test.arg, len, operation, test.value).ok()
}
