//! The descriptor of an epoll.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use syscalls::SysResult;
use syscalls::errno::EINVAL;

use super::Epoll;
use crate::task::{Current, PidNamespace};
use crate::vfs::{File, FileOps};
use crate::wait::{Ready, WaitQueue};

/// An open epoll.
#[derive(Default)]
pub struct EpollFile(Epoll);

impl EpollFile {
    /// The instance.
    #[must_use]
    pub fn epoll(&self) -> &Epoll {
        &self.0
    }
}

impl FileOps for EpollFile {
    fn is_the_same_anywhere(&self) -> bool {
        true
    }

    fn poll(&self) -> Ready {
        if self.0.is_ready() {
            Ready::READABLE
        } else {
            Ready::empty()
        }
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(self.0.queue()))
    }

    /// Nothing that all files know; busy polling is not there.
    fn ioctl(&self, _: &mut Current, _: &Arc<File>, _: u32, _: u64) -> SysResult {
        Err(EINVAL.into())
    }

    fn fd_info(&self, _: &PidNamespace) -> String {
        self.0.describe()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
