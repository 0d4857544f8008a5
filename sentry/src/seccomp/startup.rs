//! The filters of a container's profile.

use syscalls::Errno;
use syscalls::abi::task::{AUDIT_ARCH_X86_64, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO};
use syscalls::abi::task::{SECCOMP_RET_LOG, SeccompData, SockFilter};
use syscalls::errno::{ENOSYS, EPERM};

use super::filters::{ACTION, Filter, Filters};
use crate::bpf::{Dialect, Program};
use crate::config::SeccompConfig;
use crate::task::Task;

/// The number of execve(2).
const EXECVE: i32 = 59;

impl Task {
    /// Puts a process that is about to execute its program under the container's profile,
    /// whatever its rights: whoever made the container asked for it. `EINVAL` for a
    /// program that is none; the error that the profile gives for execve(2) if it refuses
    /// that.
    pub(crate) fn start_under(&self, profile: &SeccompConfig) -> Result<(), Errno> {
        let filter = Filter {
            program: decode(profile)?,
            listener: None,
            log: profile.log,
        };
        let _state = self.group.state();
        let old = self.seccomp.filters();
        let filters = Filters::extend(old.as_deref(), filter)?;
        let execve = SeccompData {
            nr: EXECVE,
            arch: AUDIT_ARCH_X86_64,
            ..SeccompData::default()
        };
        let result = filters.verdict(&execve);
        match result & ACTION {
            SECCOMP_RET_ALLOW | SECCOMP_RET_LOG => {}
            SECCOMP_RET_ERRNO => {
                let errno = i32::try_from(result & !ACTION).unwrap_or(0);
                return Err(if errno == 0 {
                    ENOSYS
                } else {
                    Errno::from_raw(errno)
                });
            }
            _ => return Err(EPERM.why("the profile does not allow execve")),
        }
        self.seccomp.set_filters(Some(filters));
        Ok(())
    }
}

/// Checks a profile as the kernel will; `EINVAL` for a program that is none.
pub fn check(profile: &SeccompConfig) -> Result<(), Errno> {
    decode(profile).map(drop)
}

/// What a profile says of a call; `EINVAL` for a program that is none.
pub fn verdict(profile: &SeccompConfig, call: &SeccompData) -> Result<u32, Errno> {
    let filter = Filter {
        program: decode(profile)?,
        listener: None,
        log: false,
    };
    Ok(Filters::extend(None, filter)?.verdict(call))
}

fn decode(profile: &SeccompConfig) -> Result<Program, Errno> {
    let code: Vec<SockFilter> = profile
        .program
        .iter()
        .map(|&(code, jt, jf, k)| SockFilter { code, jt, jf, k })
        .collect();
    Program::decode(&code, Dialect::Calls)
}
