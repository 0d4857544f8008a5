//! Waits under another signal mask: ppoll(2), pselect(2), epoll_pwait(2).

use syscalls::errno::EINVAL;
use syscalls::{Errno, Stop, UserPtr};

use crate::signal::SigSet;
use crate::task::Current;

/// Bytes of a signal set, as these calls are told.
const SIGSET_SIZE: usize = 8;

impl Current {
    /// The mask at `at`, none for NULL; `EINVAL` unless `size` is that of a set.
    pub(crate) fn read_mask(&self, at: UserPtr<u64>, size: usize) -> Result<Option<u64>, Errno> {
        let Some(at) = at.non_null() else {
            return Ok(None);
        };
        if size != SIGSET_SIZE {
            return Err(EINVAL);
        }
        self.mem().read(at).map(Some)
    }

    /// Performs `wait` with `mask` in place of the task's own. If it is interrupted, the
    /// mask stays until the handler's frame is built, which puts the old one back.
    pub(crate) fn with_mask<R>(
        &mut self,
        mask: Option<u64>,
        wait: impl FnOnce(&mut Self) -> Result<R, Stop>,
    ) -> Result<R, Stop> {
        if let Some(mask) = mask {
            self.set_blocked_during_call(SigSet::from_bits(mask));
        }
        wait(self)
    }
}
