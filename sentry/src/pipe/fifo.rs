//! Named pipes, fifo(7).

use std::sync::Arc;

use syscalls::Stop;
use syscalls::errno::{EAGAIN, EINVAL, ENXIO};

use super::{End, Pipe, PipeEnd};
use crate::task::Current;
use crate::vfs::{InodeRef, OpenMode};
use crate::wait::Ready;

/// Opens a FIFO. Waits for the other side unless `mode` is non-blocking or both ways;
/// `ENXIO` for a non-blocking writer without a reader, `EINVAL` for
/// access mode 3.
pub fn open_fifo(task: &Current, inode: &InodeRef, mode: OpenMode) -> Result<PipeEnd, Stop> {
    let pipe: Arc<Pipe> = inode.attachments().get_or(Pipe::default);
    let end = End::of(mode).ok_or(EINVAL)?;
    let nonblocking = mode.contains(OpenMode::NONBLOCK);
    if end == End::Write && nonblocking && pipe.state.lock().readers == 0 {
        return Err(ENXIO.into());
    }
    let (opened, met) = PipeEnd::meeting(pipe.clone(), end);
    if met.present || end == End::Both || nonblocking {
        return Ok(opened);
    }
    // A peer that opened and closed in between counts: it was there.
    task.block_on(&pipe.queue, Ready::all(), None, || {
        let now = pipe.state.lock().peers(end);
        if now.present || now.ever != met.ever {
            Ok(())
        } else {
            Err(EAGAIN.into())
        }
    })?;
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{End, Pipe, PipeEnd};

    #[test]
    fn a_peer_that_was_there_counts_though_it_left_at_once() {
        let pipe = Arc::new(Pipe::default());
        let writer = PipeEnd::new(pipe.clone(), End::Write);
        let (reader, met) = PipeEnd::meeting(pipe.clone(), End::Read);
        drop(writer);
        assert!(met.present);
        drop(reader);
        let (_reader, met) = PipeEnd::meeting(pipe, End::Read);
        assert!(!met.present);
    }
}
