//! What semctl(2) asks and changes.

use syscalls::Errno;
use syscalls::abi::ipc::{GETNCNT, GETPID, GETVAL, IpcPerm};
use syscalls::errno::{EIDRM, EINVAL};

use super::{SemSet, State, wake};
use crate::task::{Credentials, Pid};

/// Whether a waiter waits for a zero or for more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Zero,
    More,
}

impl State {
    /// Whose operation on semaphore `number` cannot be performed yet.
    fn waiters(&self, number: usize, what: For) -> i32 {
        let waits = |waiting: &&super::Waiting| {
            let operation = waiting.waiter.operations.list.get(waiting.blocked);
            operation.is_some_and(|operation| {
                usize::from(operation.num) == number && (operation.op == 0) == (what == For::Zero)
            })
        };
        i32::try_from(self.waiting.iter().filter(waits).count()).unwrap_or(i32::MAX)
    }
}

impl SemSet {
    pub(super) fn values(&self) -> Vec<u16> {
        let state = self.0.lock();
        let values = state.semaphores.iter().map(|semaphore| semaphore.value);
        values
            .map(|value| u16::try_from(value).unwrap_or(0))
            .collect()
    }

    /// GETVAL, GETPID, GETNCNT, GETZCNT; `EINVAL`.
    pub(super) fn get(&self, command: i32, number: i32) -> Result<i32, Errno> {
        let number = usize::try_from(number).map_err(|_| EINVAL)?;
        let state = self.0.lock();
        let semaphore = state.semaphores.get(number).ok_or(EINVAL)?;
        Ok(match command {
            GETVAL => semaphore.value,
            GETPID => semaphore.pid,
            GETNCNT => state.waiters(number, For::More),
            _ => state.waiters(number, For::Zero),
        })
    }

    /// SETVAL; nobody undoes anything of that semaphore any more.
    pub(super) fn set_value(&self, number: i32, value: i32, pid: Pid) -> Result<(), Errno> {
        let number = usize::try_from(number).map_err(|_| EINVAL)?;
        let served = {
            let mut state = self.0.lock();
            if state.removed {
                return Err(EIDRM);
            }
            let semaphore = state.semaphores.get_mut(number).ok_or(EINVAL)?;
            (semaphore.value, semaphore.pid) = (value, pid);
            for undo in state.undo.values_mut().filter_map(|u| u.get_mut(number)) {
                *undo = 0;
            }
            state.changed_at = crate::ipc::now();
            state.serve_waiting()
        };
        wake(&served);
        Ok(())
    }

    /// SETALL.
    pub(super) fn set_values(&self, values: &[u16], pid: Pid) -> Result<(), Errno> {
        let served = {
            let mut state = self.0.lock();
            if state.removed {
                return Err(EIDRM);
            }
            for (semaphore, value) in state.semaphores.iter_mut().zip(values) {
                (semaphore.value, semaphore.pid) = (i32::from(*value), pid);
            }
            for undo in state.undo.values_mut() {
                undo.fill(0);
            }
            state.changed_at = crate::ipc::now();
            state.serve_waiting()
        };
        wake(&served);
        Ok(())
    }

    /// IPC_SET.
    pub(super) fn set_perm(&self, creds: &Credentials, new: &IpcPerm) -> Result<(), Errno> {
        let mut state = self.0.lock();
        state.perm.permit_change(creds)?;
        state.perm.set(creds, new)?;
        state.changed_at = crate::ipc::now();
        Ok(())
    }

    /// IPC_RMID: whoever waits learns of it.
    pub(super) fn remove(&self) {
        let waiters = self.0.lock().remove();
        wake(&waiters);
    }
}
