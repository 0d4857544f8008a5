//! kcmp(2).

use std::cmp::Ordering;
use std::sync::Arc;

use syscalls::abi::task::{
    KCMP_EPOLL_TFD, KCMP_FILE, KCMP_FILES, KCMP_FS, KCMP_IO, KCMP_SIGHAND, KCMP_SYSVSEM, KCMP_VM,
};
use syscalls::errno::{EBADF, EINVAL, EOPNOTSUPP, EPERM, ESRCH};
use syscalls::{Errno, Fd, Run, SysResult, call};

use super::{Current, Task};

impl Run<Current> for call::Kcmp {
    fn run(self, task: &mut Current) -> SysResult {
        let a = task.find_task(self.pid1).ok_or(ESRCH)?;
        let b = task.find_task(self.pid2).ok_or(ESRCH)?;
        if !task.may_inspect(&a) || !task.may_inspect(&b) {
            return Err(EPERM.into());
        }
        let order = match self.kind {
            KCMP_FILE => file(&a, self.idx1)?.cmp(&file(&b, self.idx2)?),
            KCMP_VM => compare(a.mm.get().as_ref(), b.mm.get().as_ref()),
            KCMP_FILES => compare(Some(&a.fds.get()), Some(&b.fds.get())),
            KCMP_FS => compare(Some(&a.fs.get()), Some(&b.fs.get())),
            KCMP_SIGHAND => compare(Some(&a.group.handlers.get()), Some(&b.group.handlers.get())),
            // Neither exists: nothing is shared, nothing is different.
            KCMP_IO | KCMP_SYSVSEM => Ordering::Equal,
            KCMP_EPOLL_TFD => return Err(EOPNOTSUPP.into()),
            _ => return Err(EINVAL.into()),
        };
        Ok(match order {
            Ordering::Equal => 0,
            Ordering::Less => 1,
            Ordering::Greater => 2,
        })
    }
}

/// By address: an order that holds as long as the objects live.
fn compare<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> Ordering {
    let address = |object: Option<&Arc<T>>| object.map(|object| Arc::as_ptr(object).addr());
    address(a).cmp(&address(b))
}

fn file(task: &Task, index: u64) -> Result<usize, Errno> {
    let fd = Fd(i32::try_from(index).map_err(|_| EBADF)?);
    let file = task.fds.get().get_any(fd)?;
    Ok(Arc::as_ptr(&file).addr())
}
