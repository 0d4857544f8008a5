//! O_ASYNC: SIGIO when a file becomes ready, fcntl(2).

use std::sync::{Arc, Weak};

use syscalls::Fd;

use super::{File, OpenMode, raise};
use crate::wait::{Ready, Wake};

/// Tells the owner of a file.
struct Teller {
    file: Weak<File>,
    fd: Fd,
}

impl Wake for Teller {
    fn wake(&self, ready: Ready) {
        if let Some(file) = self.file.upgrade() {
            raise::io(&file, self.fd, ready);
        }
    }
}

/// O_ASYNC of `file` may have changed through the descriptor `fd`.
pub(crate) fn update(file: &Arc<File>, fd: Fd) {
    let wanted = file.mode().contains(OpenMode::ASYNC);
    let registration = file.ops.wait_queue().filter(|_| wanted).map(|queue| {
        let teller = Teller {
            file: Arc::downgrade(file),
            fd,
        };
        queue.register(Arc::new(teller), Ready::all())
    });
    let old = file.set_async(registration);
    drop(old);
}
