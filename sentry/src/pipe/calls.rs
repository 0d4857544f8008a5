//! pipe(2).

use std::sync::Arc;

use syscalls::errno::EINVAL;
use syscalls::{Errno, Fd, Run, SysResult, UserPtr, call};

use super::{End, Pipe, PipeEnd};
use crate::fd::CloseOnExec;
use crate::task::Current;
use crate::vfs::{AnonKind, File, OpenMode};

const O_CLOEXEC: u32 = 0o2_000_000;
/// O_NOTIFICATION_PIPE: a feature that Linux may be built without.
const O_EXCL: u32 = 0o200;

fn pipe(task: &Current, to: UserPtr<[Fd; 2]>, flags: u32) -> Result<u64, Errno> {
    let status = OpenMode::from_bits_retain(flags & !O_CLOEXEC);
    if !(OpenMode::NONBLOCK | OpenMode::DIRECT).contains(status) {
        let why = if flags & O_EXCL != 0 { "no notification pipes" } else { "unknown pipe flags" };
        return Err(EINVAL.why(why));
    }
    let close = if flags & O_CLOEXEC != 0 { CloseOnExec::Yes } else { CloseOnExec::No };
    let pipe = Arc::new(Pipe::default());
    let place = AnonKind::Pipe.place(task);
    place.inode().attachments().put(pipe.clone());
    let open = |end, access| {
        let ops = Box::new(PipeEnd::new(pipe.clone(), end));
        File::new(place.clone(), ops, status | access)
    };
    let (reader, writer) = (open(End::Read, OpenMode::empty()), open(End::Write, OpenMode::WRITE_ONLY));
    let (r, w) = (task.reserve_fd()?, task.reserve_fd()?);
    task.mem().write(to, &[r.fd(), w.fd()])?;
    r.fill(reader, close);
    w.fill(writer, close);
    Ok(0)
}

impl Run<Current> for call::Pipe {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(pipe(task, self.pipefd, 0)?)
    }
}

impl Run<Current> for call::Pipe2 {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(pipe(task, self.pipefd, self.flags)?)
    }
}
