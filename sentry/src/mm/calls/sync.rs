//! msync(2).

use syscalls::abi::mm::MsyncFlags;
use syscalls::errno::{EINVAL, ENOMEM};
use syscalls::{Run, SysResult, call};

use crate::task::Current;

impl Run<Current> for call::Msync {
    fn run(self, task: &mut Current) -> SysResult {
        let both = MsyncFlags::SYNC | MsyncFlags::ASYNC;
        if self.flags.contains(both) || !self.addr.is_page_aligned() {
            return Err(EINVAL.into());
        }
        // A length that goes round is none, here as there.
        let len = self.length.checked_next_multiple_of(4096).unwrap_or(0);
        let start = self.addr.get();
        let end = start.checked_add(len).ok_or(ENOMEM)?;
        if start == end {
            return Ok(0);
        }
        let invalidate = self.flags.contains(MsyncFlags::INVALIDATE);
        let (files, gaps) = task.mem().shared_files((start, end), invalidate)?;
        if self.flags.contains(MsyncFlags::SYNC) {
            for file in files {
                file.ops.sync(&file, true)?;
            }
        }
        if gaps { Err(ENOMEM.into()) } else { Ok(0) }
    }
}
