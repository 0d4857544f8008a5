//! What shmctl(2) changes of a segment.

use syscalls::Errno;
use syscalls::abi::ipc::IpcPerm;
use syscalls::errno::EPERM;

use super::{DEST, LOCKED, Segment};
use crate::task::{Capabilities, Credentials, Resource, Task};

impl Segment {
    /// IPC_SET.
    pub(super) fn set(&self, creds: &Credentials, new: &IpcPerm) -> Result<(), Errno> {
        let mut state = self.state.lock();
        state.perm.permit_change(creds)?;
        state.perm.set(creds, new)?;
        state.changed_at = crate::ipc::now();
        Ok(())
    }

    /// IPC_RMID: the mode says so as long as somebody is attached.
    pub(super) fn mark_removed(&self, creds: &Credentials) -> Result<(), Errno> {
        let mut state = self.state.lock();
        state.perm.permit_change(creds)?;
        state.perm.mode |= DEST;
        Ok(())
    }

    /// SHM_LOCK and SHM_UNLOCK. Nothing is swapped out here: the mode shows it.
    pub(super) fn lock(&self, task: &Task, on: bool) -> Result<(), Errno> {
        let creds = task.creds.get();
        let mut state = self.state.lock();
        if !state.perm.gives(&creds, Capabilities::IPC_LOCK) {
            let owner = [state.perm.uid, state.perm.cuid].contains(&creds.uid.effective);
            if !owner || (on && task.group.limits.soft(Resource::Memlock) == 0) {
                return Err(EPERM);
            }
        }
        if on {
            state.perm.mode |= LOCKED;
        } else {
            state.perm.mode &= !LOCKED;
        }
        Ok(())
    }
}
