//! getrandom(2).

use platform::host::random;
use syscalls::abi::fs::RandomFlags;
use syscalls::errno::{EFAULT, EINVAL};
use syscalls::{Run, SysResult, UserAddr, call};

use crate::task::Current;

/// Bytes that are made at once.
const PIECE: usize = 4096;

impl Run<Current> for call::Getrandom {
    fn run(self, task: &mut Current) -> SysResult {
        let exclusive = RandomFlags::RANDOM | RandomFlags::INSECURE;
        if self.flags.contains(exclusive) {
            return Err(EINVAL.into());
        }
        let total = self.buflen.min(i32::MAX as usize);
        let mut piece = [0; PIECE];
        let mut done = 0;
        while done < total {
            let len = (total - done).min(PIECE);
            let Some(bytes) = piece.get_mut(..len) else {
                break;
            };
            random::fill(bytes)?;
            let at: UserAddr = self.buf.addr().add(done as u64)?;
            let written = task.mem().write_partial(at, bytes);
            done += written;
            if done == 0 {
                return Err(EFAULT.into());
            }
            // As Linux: large requests can be interrupted.
            if written < len || task.has_work() {
                break;
            }
        }
        Ok(done as u64)
    }
}
