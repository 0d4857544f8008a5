//! clone(2) in its several shapes, and unshare(2).

use std::sync::Arc;

use syscalls::abi::sched::{CloneArgs, CloneFlags};
use syscalls::errno::{E2BIG, EBADF, EINVAL, EPERM};
use syscalls::{Errno, Fd, Run, SysResult, UserAddr, UserPtr, call};
use zerocopy::IntoBytes;

use super::calls::number;
use super::clone::{CloneRequest, namespaces_owner};
use super::{Credentials, Current, PidNamespace};
use crate::cgroup::Group;
use crate::signal::Signal;
use crate::vfs::{Access, permit};

impl Run<Current> for call::Fork {
    fn run(self, task: &mut Current) -> SysResult {
        let request = CloneRequest {
            exit_signal: Some(Signal::CHLD),
            ..CloneRequest::default()
        };
        number(task.clone_task(&request)?)
    }
}

impl Run<Current> for call::Vfork {
    fn run(self, task: &mut Current) -> SysResult {
        let request = CloneRequest {
            flags: CloneFlags::VM | CloneFlags::VFORK,
            exit_signal: Some(Signal::CHLD),
            ..CloneRequest::default()
        };
        number(task.clone_task(&request)?)
    }
}

impl Run<Current> for call::Clone {
    fn run(self, task: &mut Current) -> SysResult {
        let (flags, signal) = self.flags.split();
        // Both would store to the same place.
        if flags.contains(CloneFlags::PIDFD | CloneFlags::PARENT_SETTID) {
            return Err(EINVAL.into());
        }
        let request = CloneRequest {
            flags,
            // Linux ends such children without a signal.
            exit_signal: Signal::new(i32::from(signal)).ok(),
            stack: Some(self.stack.get()).filter(|&stack| stack != 0),
            tls: self.tls,
            parent_tid: Some(self.parent_tid).filter(|_| flags.contains(CloneFlags::PARENT_SETTID)),
            child_tid: Some(self.child_tid),
            pidfd: Some(self.parent_tid).filter(|_| flags.contains(CloneFlags::PIDFD)),
            tids: Vec::new(),
            cgroup: None,
        };
        number(task.clone_task(&request)?)
    }
}

impl Run<Current> for call::Clone3 {
    fn run(self, task: &mut Current) -> SysResult {
        let args = task.read_clone_args(self.cl_args, self.size)?;
        let request = task.clone_request(&args)?;
        number(task.clone_task(&request)?)
    }
}

impl Current {
    /// The structure, of whatever version: `EINVAL`, `E2BIG` for what is not known here.
    fn read_clone_args(&self, at: UserPtr<CloneArgs>, size: usize) -> Result<CloneArgs, Errno> {
        /// Bytes of the first version.
        const FIRST: usize = 64;
        /// Bytes that no version will have.
        const TOO_MUCH: usize = 4096;
        if size < FIRST {
            return Err(EINVAL);
        }
        if size > TOO_MUCH {
            return Err(E2BIG);
        }
        let mut bytes = vec![0; size];
        self.mem().read_bytes(at.addr(), &mut bytes)?;
        let mut args = CloneArgs::default();
        let known = size_of::<CloneArgs>().min(size);
        let (head, rest) = bytes.split_at(known);
        if rest.iter().any(|&byte| byte != 0) {
            return Err(E2BIG);
        }
        if let Some(target) = args.as_mut_bytes().get_mut(..known) {
            target.copy_from_slice(head);
        }
        Ok(args)
    }

    fn clone_request(&self, args: &CloneArgs) -> Result<CloneRequest, Errno> {
        let flags = CloneFlags::from_bits(args.flags).ok_or(EINVAL)?;
        let detached = flags.contains(CloneFlags::DETACHED);
        let signal = i32::try_from(args.exit_signal).map_err(|_| EINVAL)?;
        let exit_signal = Signal::or_none(signal)?;
        let owned = CloneFlags::THREAD | CloneFlags::PARENT;
        if detached || (flags.intersects(owned) && exit_signal.is_some()) {
            return Err(EINVAL);
        }
        if (args.stack == 0) != (args.stack_size == 0) {
            return Err(EINVAL);
        }
        let pointer = |raw: u64, flag: CloneFlags| {
            Some(UserPtr::new(UserAddr::new(raw))).filter(|_| flags.contains(flag))
        };
        let stack = args.stack.checked_add(args.stack_size).ok_or(EINVAL)?;
        Ok(CloneRequest {
            flags,
            exit_signal,
            stack: Some(stack).filter(|&stack| stack != 0),
            tls: args.tls,
            parent_tid: pointer(args.parent_tid, CloneFlags::PARENT_SETTID),
            child_tid: Some(UserPtr::new(UserAddr::new(args.child_tid))),
            pidfd: pointer(args.pidfd, CloneFlags::PIDFD),
            tids: self.wanted_tids(args)?,
            cgroup: match flags.contains(CloneFlags::INTO_CGROUP) {
                true => Some(self.wanted_cgroup(args)?),
                false => None,
            },
        })
    }

    /// `cgroup`: a descriptor of a group's directory, whose members the caller may add to.
    fn wanted_cgroup(&self, args: &CloneArgs) -> Result<Arc<Group>, Errno> {
        let fd = i32::try_from(args.cgroup).map_err(|_| EINVAL)?;
        let file = self.fds.get().get_any(Fd(fd))?;
        let group = crate::fs::cgroup::group_of(file.inode()).ok_or(EBADF)?;
        permit(&self.creds.get(), file.inode(), Access::WRITE)?;
        Ok(group)
    }

    /// `set_tid`: numbers from the child's own name space outward.
    fn wanted_tids(&self, args: &CloneArgs) -> Result<Vec<super::Pid>, Errno> {
        /// As deep as name spaces lie.
        const MAX: usize = 32;
        let count = usize::try_from(args.set_tid_size).map_err(|_| EINVAL)?;
        if count > MAX || (count == 0) != (args.set_tid == 0) {
            return Err(EINVAL);
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        let at = UserAddr::new(args.set_tid).cast::<i32>();
        let tids = self.mem().read_slice(at, count)?;
        let creds = self.creds.get();
        let children = self.pid_for_children.get();
        if !children
            .and_above()
            .take(count)
            .all(|at| at.lets_choose(&creds))
        {
            return Err(EPERM);
        }
        Ok(tids)
    }
}

impl Run<Current> for call::Unshare {
    fn run(self, task: &mut Current) -> SysResult {
        let mut flags = self.flags;
        let known = CloneFlags::THREAD
            | CloneFlags::FS
            | CloneFlags::SIGHAND
            | CloneFlags::VM
            | CloneFlags::FILES
            | CloneFlags::SYSVSEM
            | CloneFlags::NEWUSER
            | CloneFlags::NEWNS
            | CloneFlags::NEWUTS
            | CloneFlags::NEWIPC
            | CloneFlags::NEWNET
            | CloneFlags::NEWPID
            | CloneFlags::NEWCGROUP
            | CloneFlags::NEWTIME;
        if !known.contains(flags) {
            return Err(EINVAL.into());
        }
        if flags.contains(CloneFlags::NEWUSER) {
            flags |= CloneFlags::THREAD | CloneFlags::FS;
        }
        let alone = CloneFlags::THREAD | CloneFlags::SIGHAND | CloneFlags::VM;
        if flags.intersects(alone) && task.group.thread_count() > 1 {
            return Err(EINVAL.into());
        }
        let creds = namespaces_owner(task, flags)?;
        let pids = if flags.contains(CloneFlags::NEWPID) {
            Some(PidNamespace::new(task.pid_namespace(), &creds.user)?)
        } else {
            None
        };
        if let Some(pids) = pids {
            task.pid_for_children.set(pids);
        }
        if flags.contains(CloneFlags::NEWNS) {
            flags |= CloneFlags::FS;
        }
        if flags.contains(CloneFlags::FS) {
            task.fs.set(task.fs.get().fork());
        }
        if flags.intersects(CloneFlags::SYSVSEM | CloneFlags::NEWIPC) {
            task.leave_undo_list();
        }
        if flags.contains(CloneFlags::FILES) {
            task.fds.set(task.fds.get().fork());
        }
        let cgroup = task.kernel.cgroup_of(&task.group);
        task.take_own_namespaces(flags, &cgroup, &creds.user);
        if flags.contains(CloneFlags::NEWUSER) {
            task.set_credentials(Credentials::clone(&creds));
        }
        Ok(0)
    }
}
