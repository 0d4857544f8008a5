//! From rows to a filter in the kernel.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};
use syscalls::Errno;
use syscalls::errno::EINVAL;

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
    code: BpfProgram,
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
        let arch = TargetArch::x86_64;
        SeccompFilter::new(rules, otherwise, SeccompAction::Allow, arch)
            .and_then(BpfProgram::try_from)
            .map(|code| Program { code })
            .map_err(|error| EINVAL.why(&error.to_string()))
    }

    fn notify() -> Self {
        const RETURN: u16 = 0x06;
        Program {
            code: vec![sock_filter {
                code: RETURN,
                jt: 0,
                jf: 0,
                k: libc::SECCOMP_RET_USER_NOTIF,
            }],
        }
    }

    /// Puts every thread of this process under the filter, for good. Sets no_new_privs.
    pub fn install(&self) -> Result<(), Errno> {
        let flags = libc::SECCOMP_FILTER_FLAG_TSYNC;
        self.load(flags).map(drop)
    }

    /// Loads the filter; returns what the kernel gives for these flags.
    pub(super) fn load(&self, flags: libc::c_ulong) -> Result<i64, Errno> {
        nix::sys::prctl::set_no_new_privs().map_err(crate::host::errno)?;
        let program = libc::sock_fprog {
            len: u16::try_from(self.code.len()).map_err(|_| EINVAL)?,
            filter: self.code.as_ptr().cast::<libc::sock_filter>().cast_mut(),
        };
        let mode = libc::SECCOMP_SET_MODE_FILTER;
        // SAFETY: the kernel copies `program` and the instructions it points to, which
        // have the kernel's layout and live until the call returns.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
        match check_long(result)? {
            // With TSYNC, the number of a thread that could not be synchronised.
            thread if thread > 0 && flags & libc::SECCOMP_FILTER_FLAG_TSYNC != 0 => {
                Err(EINVAL.why("a thread has another filter"))
            }
            result => Ok(result),
        }
    }

    /// The instructions, 8 bytes each, as the kernel takes them.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.code.len() * 8);
        for instruction in &self.code {
            bytes.extend(instruction.code.to_ne_bytes());
            bytes.extend([instruction.jt, instruction.jf]);
            bytes.extend(instruction.k.to_ne_bytes());
        }
        bytes
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
