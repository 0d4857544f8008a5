//! The descriptor of an inotify instance.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use syscalls::abi::fs::{FIONREAD, WatchMask};
use syscalls::errno::{EAGAIN, ENOTTY};
use syscalls::{Errno, SysResult, UserAddr};

use super::instance::Instance;
use crate::task::{Current, PidNamespace};
use crate::vfs::{DeviceNumber, File, FileOps, Sink};
use crate::wait::{Ready, WaitQueue};

/// What a mask shows in fdinfo.
const SHOWN: WatchMask = WatchMask::ALL_EVENTS
    .union(WatchMask::ONESHOT)
    .union(WatchMask::EXCL_UNLINK);

pub(super) struct InotifyFile(pub(super) Arc<Instance>);

impl FileOps for InotifyFile {
    fn is_the_same_anywhere(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        let mut done = 0;
        loop {
            let event = match self.0.take(dst.remaining()) {
                Ok(Some(event)) => event,
                Ok(None) if done == 0 => return Err(EAGAIN),
                Err(error) if done == 0 => return Err(error),
                Ok(None) | Err(_) => return Ok(done),
            };
            // Lost if the buffer is bad, as on Linux.
            done += dst.write(&event.bytes())?;
        }
    }

    fn poll(&self) -> Ready {
        if self.0.has_events() {
            Ready::READABLE
        } else {
            Ready::empty()
        }
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.0.readers))
    }

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        if command != FIONREAD {
            return Err(ENOTTY.into());
        }
        let pending = i32::try_from(self.0.pending()).unwrap_or(i32::MAX);
        let to = UserAddr::new(argument).cast();
        task.mem().write(to, &pending)?;
        Ok(0)
    }

    /// Differs from Linux: file handles, for programs that save and restore, are left out.
    fn fd_info(&self, _: &PidNamespace) -> String {
        let mut text = String::new();
        for (wd, inode, mask) in self.0.list() {
            let dev = DeviceNumber::from_raw(inode.super_block().dev);
            let dev = dev.major << 20 | dev.minor;
            let mask = mask & SHOWN;
            let _ = writeln!(
                text,
                "inotify wd:{wd:x} ino:{:x} sdev:{dev:x} mask:{:x} ignored_mask:0 ",
                inode.ino(),
                mask.bits()
            );
        }
        text
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for InotifyFile {
    fn drop(&mut self) {
        self.0.close();
    }
}
