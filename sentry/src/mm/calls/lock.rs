//! mlock(2) and its relatives.

use syscalls::abi::mm::{MlockFlags, MlockallFlags};
use syscalls::errno::{EINVAL, EPERM};
use syscalls::{Errno, Run, SysResult, UserAddr, call};

use super::super::VmaFlags;
use super::lock_limit;
use crate::task::Current;

const ON_FAULT: VmaFlags = VmaFlags::LOCKED.union(VmaFlags::LOCK_ON_FAULT);

fn lock(task: &Current, addr: UserAddr, len: u64, how: VmaFlags) -> Result<u64, Errno> {
    let limit = lock_limit(task);
    if limit == 0 {
        return Err(EPERM);
    }
    task.mem().lock(addr, len, how, limit)?;
    Ok(0)
}

impl Run<Current> for call::Mlock {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(lock(task, self.addr, self.len, VmaFlags::LOCKED)?)
    }
}

impl Run<Current> for call::Mlock2 {
    fn run(self, task: &mut Current) -> SysResult {
        let on_fault = self.flags.contains(MlockFlags::ONFAULT);
        let how = if on_fault { ON_FAULT } else { VmaFlags::LOCKED };
        Ok(lock(task, self.addr, self.len, how)?)
    }
}

impl Run<Current> for call::Munlock {
    fn run(self, task: &mut Current) -> SysResult {
        task.mem().unlock(self.addr, self.len)?;
        Ok(0)
    }
}

impl Run<Current> for call::Mlockall {
    fn run(self, task: &mut Current) -> SysResult {
        let flags = self.flags;
        let now = flags.contains(MlockallFlags::CURRENT);
        let future = flags.contains(MlockallFlags::FUTURE);
        if !now && !future {
            return Err(EINVAL.into());
        }
        let limit = lock_limit(task);
        if limit == 0 {
            return Err(EPERM.into());
        }
        let on_fault = flags.contains(MlockallFlags::ONFAULT);
        let how = if on_fault { ON_FAULT } else { VmaFlags::LOCKED };
        let later = if future { how } else { VmaFlags::empty() };
        task.mem().lock_all(now.then_some(how), later, limit)?;
        Ok(0)
    }
}

impl Run<Current> for call::Munlockall {
    fn run(self, task: &mut Current) -> SysResult {
        task.mem().unlock_all()?;
        Ok(0)
    }
}
