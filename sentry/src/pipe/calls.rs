//! pipe(2).

use std::sync::Arc;

use syscalls::abi::fs::PipeFlags;
use syscalls::{Errno, Fd, Run, SysResult, UserPtr, call};

use super::{End, Pipe, PipeEnd};
use crate::fd::CloseOnExec;
use crate::task::Current;
use crate::vfs::{AnonKind, File, OpenMode};

fn pipe(task: &Current, to: UserPtr<[Fd; 2]>, flags: PipeFlags) -> Result<u64, Errno> {
    let status = OpenMode::from_bits_retain((flags - PipeFlags::CLOEXEC).bits());
    let close = CloseOnExec::when(flags.contains(PipeFlags::CLOEXEC));
    let pipe = Arc::new(Pipe::default());
    let place = AnonKind::Pipe.place(task);
    place.inode().attachments().put(pipe.clone());
    let open = |end, mode| {
        let ops = Box::new(PipeEnd::new(pipe.clone(), end));
        File::new(place.clone(), ops, mode)
    };
    let (reader, writer) = (
        open(End::Read, status - OpenMode::DIRECT),
        open(End::Write, status | OpenMode::WRITE_ONLY),
    );
    let (r, w) = (task.reserve_fd()?, task.reserve_fd()?);
    task.mem().write(to, &[r.fd(), w.fd()])?;
    r.fill(reader, close);
    w.fill(writer, close);
    Ok(0)
}

impl Run<Current> for call::Pipe {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(pipe(task, self.pipefd, PipeFlags::empty())?)
    }
}

impl Run<Current> for call::Pipe2 {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(pipe(task, self.pipefd, self.flags)?)
    }
}
