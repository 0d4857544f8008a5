//! Named pipes, fifo(7).

use std::sync::Arc;

use syscalls::Stop;
use syscalls::errno::{EAGAIN, ENXIO};

use super::{End, Pipe, PipeEnd};
use crate::task::Current;
use crate::vfs::{InodeRef, OpenMode};
use crate::wait::Ready;

/// Opens a FIFO. Waits for the other side unless `mode` is non-blocking or both ways;
/// `ENXIO` for a non-blocking writer without a reader.
pub fn open_fifo(task: &Current, inode: &InodeRef, mode: OpenMode) -> Result<PipeEnd, Stop> {
    let pipe: Arc<Pipe> = inode.attachments().get_or(Pipe::default);
    let end = match (mode.reads(), mode.writes()) {
        (true, true) => End::Both,
        (false, true) => End::Write,
        _ => End::Read,
    };
    let nonblocking = mode.contains(OpenMode::NONBLOCK);
    if end == End::Write && nonblocking && pipe.state.lock().readers == 0 {
        return Err(ENXIO.into());
    }
    let before = ever(&pipe, end);
    let opened = PipeEnd::new(pipe.clone(), end);
    if end == End::Both || nonblocking {
        return Ok(opened);
    }
    // A peer that opened and closed in between counts: it was there.
    task.block_on(&pipe.queue, Ready::all(), None, || {
        let present = {
            let state = pipe.state.lock();
            if end == End::Read {
                state.writers > 0
            } else {
                state.readers > 0
            }
        };
        if present || ever(&pipe, end) != before {
            Ok(())
        } else {
            Err(EAGAIN.into())
        }
    })?;
    Ok(opened)
}

/// How often the other end was opened.
fn ever(pipe: &Pipe, end: End) -> u64 {
    let state = pipe.state.lock();
    if end == End::Read {
        state.writers_ever
    } else {
        state.readers_ever
    }
}
