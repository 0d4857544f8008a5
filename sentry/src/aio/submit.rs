//! One request.

use std::sync::Arc;

use syscalls::abi::aio::{
    IOCB_CMD_FDSYNC, IOCB_CMD_FSYNC, IOCB_CMD_POLL, IOCB_CMD_PREAD, IOCB_CMD_PREADV,
    IOCB_CMD_PWRITE, IOCB_CMD_PWRITEV, IOCB_FLAG_RESFD, Iocb,
};
use syscalls::abi::fs::{RW_MAX, RwFlags};
use syscalls::errno::{EBADF, EINTR, EINVAL, EOPNOTSUPP};
use syscalls::{Errno, Fd, Stop, SysResult, UserAddr, UserPtr};

use super::context::{Context, Outcome};
use super::poll::PollRequest;
use crate::eventfd::EventFd;
use crate::task::Current;
use crate::vfs::io::Segment;
use crate::vfs::transfer::At;
use crate::vfs::{File, FileKind, segments};
use crate::wait::Ready;

/// Where `key` stands in a request.
const KEY: u64 = 8;

/// What became of a request.
enum Done {
    /// It has this result.
    Now(SysResult),
    /// It goes on in the background.
    Later,
}

/// Accepts the request at `at` and performs it. An error says that it was not accepted.
pub(super) fn submit(
    task: &Current,
    context: &Arc<Context>,
    at: UserPtr<Iocb>,
) -> Result<(), Errno> {
    let request = task.mem().read(at)?;
    let len = usize::try_from(request.nbytes).map_err(|_| EINVAL)?;
    if request.reserved != 0 || isize::try_from(len).is_err() {
        return Err(EINVAL);
    }
    context.begin()?;
    let result = accept(task, context, at, &request);
    if result.is_err() {
        context.refuse();
    }
    result
}

fn accept(
    task: &Current,
    context: &Arc<Context>,
    at: UserPtr<Iocb>,
    request: &Iocb,
) -> Result<(), Errno> {
    let file = task.file(Fd(request.fd))?;
    let counter = if request.flags & IOCB_FLAG_RESFD != 0 {
        let counter = task.file(Fd(request.resfd))?;
        counter.downcast::<EventFd>().ok_or(EINVAL)?;
        Some(counter)
    } else {
        None
    };
    let key = at.addr().add(KEY)?;
    task.mem().write(key.cast(), &0_u32)?;
    let outcome = Outcome {
        data: request.data,
        request: at.addr().get(),
        counter,
    };
    let done = match request.opcode {
        IOCB_CMD_PREAD | IOCB_CMD_PREADV | IOCB_CMD_PWRITE | IOCB_CMD_PWRITEV => {
            Done::Now(transfer(task, &file, request)?)
        }
        IOCB_CMD_FSYNC | IOCB_CMD_FDSYNC => Done::Now(sync(&file, request)?),
        IOCB_CMD_POLL => {
            poll(context, &outcome, &file, request)?;
            Done::Later
        }
        _ => return Err(EINVAL),
    };
    if let Done::Now(result) = done {
        let result = match result {
            Ok(count) => i64::try_from(count).unwrap_or(i64::MAX),
            Err(Stop::Errno(error)) => -i64::from(error.raw()),
            Err(Stop::Restart(_) | Stop::Registers) => -i64::from(EINTR.raw()),
        };
        context.finish(&outcome, result);
    }
    Ok(())
}

/// Reads or writes. What is wrong with the request itself is an error; what happens to
/// the data is the result.
fn transfer(task: &Current, file: &Arc<File>, request: &Iocb) -> Result<SysResult, Errno> {
    let flags = RwFlags::from_bits(request.rw_flags).ok_or(EOPNOTSUPP)?;
    let reads = matches!(request.opcode, IOCB_CMD_PREAD | IOCB_CMD_PREADV);
    let allowed = if reads {
        file.mode().reads()
    } else {
        file.mode().writes()
    };
    if !allowed {
        return Err(EBADF);
    }
    if file.inode().kind() == FileKind::Directory {
        return Err(EINVAL);
    }
    let buf = UserAddr::new(request.buf);
    let len = usize::try_from(request.nbytes).map_err(|_| EINVAL)?;
    let vectored = matches!(request.opcode, IOCB_CMD_PREADV | IOCB_CMD_PWRITEV);
    let buffers = if vectored {
        segments(task.mem(), buf.cast(), len)?
    } else {
        vec![Segment {
            addr: buf,
            len: len.min(RW_MAX),
        }]
    };
    let at = if file.ops.seekable() {
        At::offset(request.offset)?
    } else {
        At::Position
    };
    Ok(if reads {
        task.read_file(file, &buffers, at, flags)
    } else {
        task.write_file(file, &buffers, at, flags)
    })
}

fn sync(file: &File, request: &Iocb) -> Result<SysResult, Errno> {
    let unused = [
        request.buf,
        request.nbytes,
        request.offset.unsigned_abs(),
        request.rw_flags.into(),
    ];
    if unused.iter().any(|&field| field != 0) {
        return Err(EINVAL);
    }
    let data_only = request.opcode == IOCB_CMD_FDSYNC;
    match file.ops.sync(file, data_only) {
        // A file that cannot be synchronised at all.
        Err(EINVAL) => Err(EINVAL),
        result => Ok(result.map(|()| 0).map_err(Stop::Errno)),
    }
}

fn poll(
    context: &Arc<Context>,
    outcome: &Outcome,
    file: &Arc<File>,
    request: &Iocb,
) -> Result<(), Errno> {
    let wanted = u16::try_from(request.buf).map_err(|_| EINVAL)?;
    if request.offset != 0 || request.nbytes != 0 || request.rw_flags != 0 {
        return Err(EINVAL);
    }
    let wanted = Ready::from_bits_truncate(wanted.into());
    PollRequest::start(context, outcome.clone(), file.clone(), wanted);
    Ok(())
}
