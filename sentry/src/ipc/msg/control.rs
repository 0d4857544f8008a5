//! What msgctl(2) changes.

use syscalls::Errno;
use syscalls::abi::ipc::MsqidDs;
use syscalls::errno::{EIDRM, EPERM};

use super::{Queue, wake};
use crate::task::{Capabilities, Credentials};
use crate::wait::Ready;

impl Queue {
    /// IPC_SET; more than `most` bytes take a capability.
    pub(super) fn set(&self, creds: &Credentials, new: &MsqidDs, most: u64) -> Result<(), Errno> {
        {
            let mut state = self.state.lock();
            state.perm.permit_change(creds)?;
            if new.qbytes > most && !creds.has(Capabilities::SYS_RESOURCE) {
                return Err(EPERM);
            }
            state.perm.set(creds, &new.perm)?;
            state.most_bytes = new.qbytes;
            state.changed_at = crate::ipc::now();
        }
        self.senders.notify(Ready::WRITABLE);
        Ok(())
    }

    /// IPC_RMID: whoever waits learns of it.
    pub(super) fn remove(&self) {
        let receivers = {
            let mut state = self.state.lock();
            state.removed = true;
            std::mem::take(&mut state.receivers)
        };
        for receiver in &receivers {
            // Out of the list, it was given no message.
            let _ = receiver.result.set(Err(EIDRM));
        }
        wake(&receivers);
        self.senders.notify(Ready::WRITABLE);
    }

    /// Bytes and number of messages.
    pub(super) fn use_of(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.bytes, state.messages.len() as u64)
    }
}
