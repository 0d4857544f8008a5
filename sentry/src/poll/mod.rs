//! poll(2) and select(2): waits for many files at once.

mod calls;
mod select;

pub(crate) use calls::read_timeout;

use std::sync::Arc;

use syscalls::errno::{EAGAIN, EINVAL, ETIMEDOUT};
use syscalls::{Errno, Fd, Stop};

use crate::task::Current;
use crate::vfs::File;
use crate::wait::{Deadline, Ready};

/// One file to wait for.
struct Watched {
    /// `None`: not open, or not to be looked at.
    file: Option<Arc<File>>,
    mask: Ready,
    ready: Ready,
}

impl Watched {
    /// A descriptor; negative ones are skipped, those that are not open are `NVAL`.
    fn new(task: &Current, fd: Fd, mask: Ready) -> Self {
        if fd.0 < 0 {
            return Watched {
                file: None,
                mask,
                ready: Ready::empty(),
            };
        }
        match task.fds.get().get(fd) {
            Ok(file) => Watched {
                file: Some(file),
                mask: mask | Ready::ALWAYS,
                ready: Ready::empty(),
            },
            Err(_) => Watched {
                file: None,
                mask,
                ready: Ready::NVAL,
            },
        }
    }

    fn look(&mut self) {
        if let Some(file) = &self.file {
            self.ready = file.ops.poll() & self.mask;
        }
    }
}

/// Waits until one of the files is ready or the deadline has passed; true if one is.
/// Files are kept open while the wait lasts.
fn wait(task: &Current, watched: &mut [Watched], deadline: Option<Deadline>) -> Result<bool, Stop> {
    let queues: Vec<_> = watched
        .iter()
        .filter_map(|w| w.file.clone().map(|file| (file, w.mask)))
        .collect();
    let register = |waker: Arc<dyn crate::wait::Wake>| {
        let queue = |(file, mask): &(Arc<File>, Ready)| {
            Some(file.ops.wait_queue()?.register(waker.clone(), *mask))
        };
        queues.iter().filter_map(queue).collect()
    };
    let waited = task.block_on_with(deadline, register, || {
        watched.iter_mut().for_each(Watched::look);
        if watched.iter().any(|w| !w.ready.is_empty()) {
            Ok(())
        } else {
            Err(EAGAIN.into())
        }
    });
    match waited {
        Ok(()) => Ok(true),
        Err(Stop::Errno(ETIMEDOUT)) => Ok(false),
        Err(stop) => Err(stop),
    }
}

/// `EINVAL` for more files than RLIMIT_NOFILE allows.
fn check_count(task: &Current, count: u32) -> Result<usize, Errno> {
    if u64::from(count) > task.open_files_limit() {
        return Err(EINVAL);
    }
    usize::try_from(count).map_err(|_| EINVAL)
}
