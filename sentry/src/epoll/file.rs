//! The descriptor of an epoll.

use std::any::Any;

use super::Epoll;
use crate::vfs::FileOps;
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
    fn poll(&self) -> Ready {
        if self.0.is_ready() {
            Ready::READABLE
        } else {
            Ready::empty()
        }
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(self.0.queue())
    }

    fn fd_info(&self) -> String {
        self.0.describe()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
