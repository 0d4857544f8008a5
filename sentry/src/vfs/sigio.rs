//! O_ASYNC: SIGIO when a file becomes ready, fcntl(2).

use std::sync::{Arc, Weak};

use syscalls::Fd;

use super::{File, FileKind, OpenMode, raise};
use crate::kernel::Kernel;
use crate::task::{Credentials, Task};
use crate::wait::{Ready, Wake};

/// Tells the owner of a file.
struct Teller {
    kernel: Weak<Kernel>,
    creds: Arc<Credentials>,
    file: Weak<File>,
    fd: Fd,
}

impl Wake for Teller {
    fn wake(&self, ready: Ready) {
        if let (Some(kernel), Some(file)) = (self.kernel.upgrade(), self.file.upgrade()) {
            raise::io(&kernel, &self.creds, &file, self.fd, ready);
        }
    }
}

/// Who only reads does not hear of room, and who only writes not of data: both ends of a
/// pipe are told of at one place.
fn interest(mode: OpenMode) -> Ready {
    let mut interest = Ready::all();
    if !mode.writes() {
        interest -= Ready::WRITABLE | Ready::WRBAND;
    }
    if !mode.reads() {
        interest -= Ready::READABLE | Ready::RDBAND | Ready::PRI;
    }
    interest
}

/// Tells the owner of a socket of urgent data.
struct UrgentTeller {
    kernel: Weak<Kernel>,
    creds: Arc<Credentials>,
    file: Weak<File>,
}

impl Wake for UrgentTeller {
    fn wake(&self, ready: Ready) {
        // Changes of everything are no news of urgent data.
        if ready == Ready::PRI
            && let (Some(kernel), Some(file)) = (self.kernel.upgrade(), self.file.upgrade())
        {
            raise::urgent(&kernel, &self.creds, &file);
        }
    }
}

/// `task` has chosen an owner of `file`.
pub(crate) fn owned(task: &Task, file: &Arc<File>) {
    let is_socket = file.inode().kind() == FileKind::Socket;
    let registration = file.ops.wait_queue().filter(|_| is_socket).map(|queue| {
        let teller = UrgentTeller {
            kernel: Arc::downgrade(&task.kernel),
            creds: task.creds.get(),
            file: Arc::downgrade(file),
        };
        queue.register(Arc::new(teller), Ready::all())
    });
    let old = file.set_urgent(registration);
    drop(old);
    look(file);
}

/// `task` may have changed O_ASYNC of `file` through the descriptor `fd`.
pub(crate) fn update(task: &Task, file: &Arc<File>, fd: Fd) {
    let wanted = file.mode().contains(OpenMode::ASYNC);
    let registration = file.ops.wait_queue().filter(|_| wanted).map(|queue| {
        let teller = Teller {
            kernel: Arc::downgrade(&task.kernel),
            creds: task.creds.get(),
            file: Arc::downgrade(file),
            fd,
        };
        queue.register(Arc::new(teller), interest(file.mode()))
    });
    let old = file.set_async(registration);
    drop(old);
    look(file);
}

/// What is the host's is watched for those who have looked.
fn look(file: &File) {
    file.ops.poll();
}
