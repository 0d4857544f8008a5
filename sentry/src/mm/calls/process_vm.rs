//! process_vm_readv(2), process_vm_writev(2).

use syscalls::abi::fs::{IOV_MAX, IoVec};
use syscalls::errno::{EFAULT, EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Run, SysResult, UserAddr, UserPtr, call};

use super::super::Mm;
use crate::task::{Current, Task};

/// Bytes copied at once.
const STEP: usize = 64 << 10;

/// `EPERM` unless `task` may look into `target`'s memory: the PTRACE_MODE_ATTACH check of
/// ptrace(2).
pub(super) fn may_access(task: &Current, target: &Task) -> Result<(), Errno> {
    if task.may_inspect(target) {
        Ok(())
    } else {
        Err(EPERM)
    }
}

#[derive(Clone, Copy)]
enum Way {
    FromRemote,
    ToRemote,
}

/// A cursor over the buffers of one side.
struct Buffers {
    vectors: Vec<IoVec>,
    at: usize,
    inside: u64,
}

impl Buffers {
    /// Reads a vector; `EINVAL` for more than IOV_MAX or lengths that cannot be.
    fn read(mm: &Mm, iov: UserPtr<IoVec>, count: usize) -> Result<Self, Errno> {
        if count > IOV_MAX {
            return Err(EINVAL);
        }
        let vectors = mm.read_slice(iov, count)?;
        let sum = vectors
            .iter()
            .try_fold(0i64, |sum, v| sum.checked_add(i64::try_from(v.len).ok()?));
        sum.ok_or(EINVAL)?;
        Ok(Buffers {
            vectors,
            at: 0,
            inside: 0,
        })
    }

    /// The next bytes: where, and how many lie together there.
    fn next(&mut self) -> Option<(UserAddr, u64)> {
        loop {
            let vector = self.vectors.get(self.at)?;
            let left = vector.len - self.inside;
            if left > 0 {
                return Some((vector.base.add(self.inside).ok()?, left));
            }
            self.at += 1;
            self.inside = 0;
        }
    }
}

fn transfer(
    task: &Current,
    way: Way,
    pid: i32,
    (local, local_count): (UserPtr<IoVec>, usize),
    (remote, remote_count): (UserPtr<IoVec>, usize),
) -> Result<u64, Errno> {
    let ours = task.mem().clone();
    let mut local = Buffers::read(&ours, local, local_count)?;
    let mut remote = Buffers::read(&ours, remote, remote_count)?;
    if local.next().is_none() || remote.next().is_none() {
        return Ok(0);
    }
    let target = task.find_task(pid).ok_or(ESRCH)?;
    may_access(task, &target)?;
    let theirs = target.mm.get().ok_or(ESRCH)?;
    let mut buffer = vec![0; STEP];
    let mut total = 0;
    while let (Some((here, here_len)), Some((there, there_len))) = (local.next(), remote.next()) {
        let len = usize::try_from(here_len.min(there_len)).unwrap_or(STEP);
        let part = buffer.get_mut(..len.min(STEP)).unwrap_or_default();
        let copied = match way {
            Way::FromRemote => {
                let read = theirs.read_partial(there, part);
                ours.write_partial(here, part.get(..read).unwrap_or_default())
            }
            Way::ToRemote => {
                let read = ours.read_partial(here, part);
                theirs.write_partial(there, part.get(..read).unwrap_or_default())
            }
        };
        total += copied as u64;
        local.inside += copied as u64;
        remote.inside += copied as u64;
        if copied < part.len() {
            break;
        }
    }
    if total == 0 { Err(EFAULT) } else { Ok(total) }
}

impl Run<Current> for call::ProcessVmReadv {
    fn run(self, task: &mut Current) -> SysResult {
        let local = (self.local_iov, self.liovcnt);
        let remote = (self.remote_iov, self.riovcnt);
        Ok(transfer(task, Way::FromRemote, self.pid, local, remote)?)
    }
}

impl Run<Current> for call::ProcessVmWritev {
    fn run(self, task: &mut Current) -> SysResult {
        let local = (self.local_iov, self.liovcnt);
        let remote = (self.remote_iov, self.riovcnt);
        Ok(transfer(task, Way::ToRemote, self.pid, local, remote)?)
    }
}
