//! The descriptor of a socket.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use syscalls::abi::fs::FIONREAD;
use syscalls::abi::net::MessageFlags;
use syscalls::abi::tty::TIOCOUTQ;
use syscalls::errno::ENOTSOCK;
use syscalls::{Errno, Fd, SysResult, UserAddr};

use super::{Kind, Socket, interface_ioctl, unix};
use crate::task::Current;
use crate::vfs::{AnonKind, File, FileOps, OpenMode, Sink, Source};
use crate::wait::{Deadline, Ready, WaitQueue};

/// An open socket.
pub struct SocketFile(pub(super) Arc<dyn Socket>);

impl SocketFile {
    /// An open file description of `socket`.
    pub(super) fn open(task: &Current, socket: Arc<dyn Socket>, status: OpenMode) -> Arc<File> {
        let place = AnonKind::Socket.place(task);
        socket.note_inode(place.dentry.inode().ino());
        let ops = Box::new(SocketFile(socket));
        File::new(place, ops, status | OpenMode::READ_WRITE)
    }
}

/// The socket behind `fd`; `EBADF`, `ENOTSOCK`.
pub(super) fn lookup(task: &Current, fd: Fd) -> Result<(Arc<File>, Arc<dyn Socket>), Errno> {
    let file = task.fds.get().get(fd)?;
    let socket = file.downcast::<SocketFile>().ok_or(ENOTSOCK)?.0.clone();
    Ok((file, socket))
}

/// The socket alone.
pub(crate) fn socket_at(task: &Current, fd: Fd) -> Result<Arc<dyn Socket>, Errno> {
    lookup(task, fd).map(|(_, socket)| socket)
}

impl FileOps for SocketFile {
    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        self.0
            .receive(dst, MessageFlags::empty())
            .map(|received| received.count)
    }

    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        unix::write(&*self.0, src)
    }

    fn writes_whole(&self) -> bool {
        self.0.kind() == Kind::Stream
    }

    fn poll(&self) -> Ready {
        self.0.poll()
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(self.0.queue()))
    }

    fn wait_limit(&self, ready: Ready) -> Option<Deadline> {
        let options = self.0.options();
        let limit = if ready.intersects(Ready::OUT) {
            options.send_timeout()
        } else {
            options.receive_timeout()
        };
        limit.map(Deadline::after)
    }

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        let count = match command {
            FIONREAD => self.0.readable_bytes()?,
            TIOCOUTQ => self.0.unsent_bytes()?,
            _ => {
                let about_interface =
                    interface_ioctl::interface(task, self.0.family(), command, argument);
                return about_interface.unwrap_or_else(|| self.0.ioctl(task, command, argument));
            }
        };
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        task.mem().write(UserAddr::new(argument).cast(), &count)?;
        Ok(0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
