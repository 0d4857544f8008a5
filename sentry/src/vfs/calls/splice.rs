//! splice(2), tee(2), vmsplice(2). Data is copied: no pages are moved.

use std::sync::Arc;

use syscalls::abi::fs::{RW_MAX, RwFlags, SpliceFlags};
use syscalls::errno::{EAGAIN, EBADF, EINVAL, ESPIPE};
use syscalls::{Errno, Run, Stop, SysResult, UserPtr, call};

use crate::pipe::PipeEnd;
use crate::task::Current;
use crate::vfs::transfer::At;
use crate::vfs::{File, OpenMode, Sink, Source};
use crate::wait::Ready;

/// Bytes that are in the kernel at a time.
const CHUNK: usize = 64 << 10;

/// Where a side stands: at an offset that the call gave, or its position.
fn at(task: &Current, file: &File, given: UserPtr<i64>) -> Result<At, Errno> {
    let Some(given) = given.non_null() else {
        return Ok(At::Position);
    };
    if file.downcast::<PipeEnd>().is_some() || !file.ops.seekable() {
        return Err(ESPIPE);
    }
    At::offset(task.mem().read(given)?)
}

fn store(task: &Current, given: UserPtr<i64>, at: At, moved: usize) -> Result<(), Errno> {
    match (given.non_null(), at) {
        (Some(given), At::Offset(offset)) => {
            let end = i64::try_from(offset + moved as u64).map_err(|_| EINVAL)?;
            task.mem().write(given, &end)
        }
        _ => Ok(()),
    }
}

/// Reads up to `len` bytes, waiting if that is allowed.
fn take(task: &Current, file: &Arc<File>, at: At, len: usize, wait: bool) -> Result<Vec<u8>, Stop> {
    let mut buffer = vec![0; len.min(CHUNK)];
    let count = task.transfer(file, Ready::READABLE, wait, || {
        file.read_once(&mut Sink::kernel(&mut buffer), at)
    })?;
    buffer.truncate(count);
    Ok(buffer)
}

/// Waits until `pipe` has room; how much. `EAGAIN` if it may not wait.
fn room(task: &Current, file: &Arc<File>, wait: bool) -> Result<usize, Stop> {
    let end = file.downcast::<PipeEnd>().ok_or(EINVAL)?;
    task.transfer(file, Ready::WRITABLE, wait, || match end.pipe().room() {
        0 => Err(EAGAIN),
        room => Ok(room),
    })
}

impl Run<Current> for call::Splice {
    fn run(self, task: &mut Current) -> SysResult {
        if self.len == 0 {
            return Ok(0);
        }
        let flags = self.flags.check()?;
        let (from, to) = (task.file(self.fd_in)?, task.file(self.fd_out)?);
        if !from.mode().reads() || !to.mode().writes() {
            return Err(EBADF.into());
        }
        let (pipe_in, pipe_out) = (from.downcast::<PipeEnd>(), to.downcast::<PipeEnd>());
        if pipe_in.is_none() && pipe_out.is_none() {
            return Err(EINVAL.into());
        }
        if let (Some(a), Some(b)) = (pipe_in, pipe_out)
            && Arc::ptr_eq(a.pipe(), b.pipe())
        {
            return Err(EINVAL.into());
        }
        if from.location.dentry.is_dir() {
            return Err(EINVAL.into());
        }
        let (at_in, at_out) = (at(task, &from, self.off_in)?, at(task, &to, self.off_out)?);
        if pipe_out.is_none() && to.mode().contains(OpenMode::APPEND) {
            return Err(EINVAL.into());
        }
        let patient = !flags.contains(SpliceFlags::NONBLOCK);
        let mut len = self.len.min(RW_MAX);
        if len == 0 {
            return Ok(0);
        }
        if pipe_out.is_some() {
            // What is taken from the other side must find a place.
            len = len.min(room(task, &to, patient && !to.nonblocking())?);
        }
        let data = take(task, &from, at_in, len, patient && !from.nonblocking())?;
        let mut source = Source::kernel(&data);
        let written = match task.write_source(&to, &mut source, at_out, RwFlags::empty()) {
            Ok(written) => usize::try_from(written).unwrap_or(data.len()),
            Err(stop) => {
                give_back(&from, at_in, &data);
                return Err(stop);
            }
        };
        give_back(&from, at_in, data.get(written..).unwrap_or(&[]));
        store(task, self.off_in, at_in, written)?;
        store(task, self.off_out, at_out, written)?;
        Ok(written as u64)
    }
}

/// What was read and could not be written is read again next time.
fn give_back(file: &File, at: At, rest: &[u8]) {
    if rest.is_empty() {
        return;
    }
    if let Some(end) = file.downcast::<PipeEnd>() {
        end.pipe().unread(rest);
    } else if at == At::Position && file.ops.seekable() {
        let back = file
            .position()
            .map(|at| at.saturating_sub(rest.len() as u64));
        // A position that cannot be set was not moved by reading either.
        let _ = back.and_then(|at| file.set_position(at));
    }
}

impl Run<Current> for call::Tee {
    fn run(self, task: &mut Current) -> SysResult {
        if self.len == 0 {
            return Ok(0);
        }
        let (from, to) = (task.file(self.fd_in)?, task.file(self.fd_out)?);
        let input = from.downcast::<PipeEnd>().ok_or(EINVAL)?;
        let output = to.downcast::<PipeEnd>().ok_or(EINVAL)?;
        if Arc::ptr_eq(input.pipe(), output.pipe()) {
            return Err(EINVAL.into());
        }
        if !from.mode().reads() || !to.mode().writes() {
            return Err(EBADF.into());
        }
        let patient = !self.flags.contains(SpliceFlags::NONBLOCK);
        let space = room(task, &to, patient && !to.nonblocking())?;
        let len = self.len.min(space).min(CHUNK);
        let mut data = Vec::new();
        task.transfer(
            &from,
            Ready::READABLE,
            patient && !from.nonblocking(),
            || {
                data = input.pipe().peek(len)?;
                Ok(data.len())
            },
        )?;
        task.write_source(
            &to,
            &mut Source::kernel(&data),
            At::Position,
            RwFlags::empty(),
        )
    }
}

impl Run<Current> for call::Vmsplice {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        if file.downcast::<PipeEnd>().is_none() {
            return Err(EBADF.into());
        }
        let buffers = super::rw::segments(task.mem(), self.iov, self.nr_segs)?;
        let flags = if self.flags.contains(SpliceFlags::NONBLOCK) {
            RwFlags::NOWAIT
        } else {
            RwFlags::empty()
        };
        if file.mode().writes() {
            task.write_file(&file, &buffers, At::Position, flags)
        } else {
            task.read_file(&file, &buffers, At::Position, flags)
        }
    }
}
