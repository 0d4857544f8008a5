//! seccomp(2), and its older form in prctl(2).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::abi::task::{
    SECCOMP_ACTIONS, SECCOMP_GET_ACTION_AVAIL, SECCOMP_GET_NOTIF_SIZES, SECCOMP_SET_MODE_FILTER,
    SECCOMP_SET_MODE_STRICT, SeccompFlags, SeccompNotifSizes, SockFilter, SockFprog,
};
use syscalls::errno::{EACCES, EBUSY, EINVAL, EOPNOTSUPP, ESRCH};
use syscalls::{Arg, Errno, Run, SysResult, UserAddr, UserPtr, call};

use super::filters::{Filter, Filters};
use super::listener::Listener;
use super::{Mode, Seccomp};
use crate::bpf::{Dialect, MAX_LEN, Program};
use crate::fd::CloseOnExec;
use crate::task::{Capabilities, Current, Task};

/// `SECCOMP_MODE_STRICT` and `SECCOMP_MODE_FILTER` of prctl(2).
const MODE_STRICT: u64 = 1;
const MODE_FILTER: u64 = 2;

impl Run<Current> for call::Seccomp {
    fn run(self, task: &mut Current) -> SysResult {
        match self.operation {
            SECCOMP_SET_MODE_STRICT if self.flags == 0 && self.args.is_null() => task.set_strict(),
            SECCOMP_SET_MODE_FILTER => task.set_filter(self.flags, self.args),
            SECCOMP_GET_ACTION_AVAIL if self.flags == 0 => {
                let action: u32 = task.mem().read(self.args.cast())?;
                let known = SECCOMP_ACTIONS.iter().any(|(_, a)| *a == i64::from(action));
                if !known {
                    return Err(EOPNOTSUPP.into());
                }
                Ok(0)
            }
            SECCOMP_GET_NOTIF_SIZES if self.flags == 0 => {
                let sizes = SeccompNotifSizes {
                    notif: 80,
                    notif_resp: 24,
                    data: 64,
                };
                task.mem().write(self.args.cast(), &sizes)?;
                Ok(0)
            }
            _ => Err(EINVAL.into()),
        }
    }
}

impl Current {
    /// prctl(PR_SET_SECCOMP).
    pub(crate) fn prctl_set_seccomp(&mut self, mode: u64, filter: UserAddr) -> SysResult {
        match mode {
            MODE_STRICT => self.set_strict(),
            MODE_FILTER => self.set_filter(0, filter),
            _ => Err(EINVAL.into()),
        }
    }

    fn set_strict(&mut self) -> SysResult {
        let _state = self.group.state();
        if self.seccomp.mode() == Mode::Filter {
            return Err(EINVAL.why("a filter is in place").into());
        }
        let strict = Mode::Strict as u8;
        self.seccomp.mode.store(strict, Ordering::Release);
        self.mark_work();
        Ok(0)
    }

    fn set_filter(&mut self, flags: u32, at: UserAddr) -> SysResult {
        let flags = SeccompFlags::decode(flags.into())?;
        let new_listener = flags.contains(SeccompFlags::NEW_LISTENER);
        let killable = flags.contains(SeccompFlags::WAIT_KILLABLE_RECV);
        // Both would want the result.
        let both = new_listener && flags.contains(SeccompFlags::TSYNC);
        if (both && !flags.contains(SeccompFlags::TSYNC_ESRCH)) || (killable && !new_listener) {
            return Err(EINVAL.into());
        }
        let program = self.read_program(at)?;
        let listener = new_listener.then(|| Listener::new(killable));
        let opened = match &listener {
            Some(listener) => Some((self.reserve_fd()?, listener.open(self))),
            None => None,
        };
        let filter = Filter {
            program,
            log: flags.contains(SeccompFlags::LOG),
            listener,
        };
        let told = self.install_filter(flags, filter)?;
        match opened {
            Some((fd, file)) => fd.fill(file, CloseOnExec::Yes).to_result(),
            None => Ok(told),
        }
    }

    fn install_filter(&self, flags: SeccompFlags, filter: Filter) -> SysResult {
        let state = self.group.state();
        if self.seccomp.mode() == Mode::Strict {
            return Err(EINVAL.into());
        }
        let old = self.seccomp.filters();
        if filter.listener.is_some() && old.as_ref().is_some_and(|old| old.have_listener()) {
            return Err(EBUSY.into());
        }
        let filters = Filters::extend(old.as_deref(), filter)?;
        let others = || {
            state
                .threads
                .iter()
                .filter(|t| !Arc::ptr_eq(t, self.task()))
        };
        if flags.contains(SeccompFlags::TSYNC) {
            let apart = others().find(|t| !t.is_exiting() && !t.seccomp.may_take(old.as_deref()));
            if let Some(apart) = apart {
                return if flags.contains(SeccompFlags::TSYNC_ESRCH) {
                    Err(ESRCH.into())
                } else {
                    Ok(u64::from(apart.own_tid().cast_unsigned()))
                };
            }
        }
        self.seccomp.set_filters(Some(filters.clone()));
        self.mark_work();
        if flags.contains(SeccompFlags::TSYNC) {
            let no_new_privs = self.creds.with(|creds| creds.no_new_privs);
            for thread in others().filter(|thread| !thread.is_exiting()) {
                thread.seccomp.set_filters(Some(filters.clone()));
                thread.kick();
                if no_new_privs {
                    thread.set_no_new_privs();
                }
            }
        }
        Ok(0)
    }

    fn read_program(&self, at: UserAddr) -> Result<Program, Errno> {
        let program: SockFprog = self.mem().read(UserPtr::new(at))?;
        let len = usize::from(program.len);
        if len == 0 || len > MAX_LEN {
            return Err(EINVAL);
        }
        let creds = self.creds.get();
        if !creds.no_new_privs && !creds.has_here(Capabilities::SYS_ADMIN) {
            return Err(EACCES.why("neither no_new_privs nor CAP_SYS_ADMIN"));
        }
        if program.filter.is_null() {
            return Err(EINVAL);
        }
        let code: Vec<SockFilter> = self.mem().read_slice(program.filter, len)?;
        Program::decode(&code, Dialect::Calls)
    }
}

impl Seccomp {
    /// True if a thread that has `filters` may give them to this one: this one has the
    /// same, or some of the oldest of them.
    fn may_take(&self, filters: Option<&Filters>) -> bool {
        match (self.mode(), self.filters(), filters) {
            (Mode::Disabled, ..) => true,
            (Mode::Filter, Some(own), Some(others)) => own.is_ancestor_of(others),
            _ => false,
        }
    }
}

impl Task {
    /// Says of this thread, for another one of its process, that execve(2) gives it
    /// nothing any more.
    fn set_no_new_privs(&self) {
        self.creds.update(|creds| {
            let mut new = crate::task::Credentials::clone(creds);
            new.no_new_privs = true;
            *creds = Arc::new(new);
        });
    }
}
