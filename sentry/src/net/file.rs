//! The descriptor of a socket.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use syscalls::abi::fs::{
    F_GETOWN, F_SETOWN, FIOGETOWN, FIONREAD, FIOSETOWN, SIOCGPGRP, SIOCGSTAMP, SIOCGSTAMPNS,
    SIOCOUTQNSD, SIOCSPGRP,
};
use syscalls::abi::net::{
    AF_INET, AF_INET6, AF_PACKET, IPPROTO_TCP, MessageFlags, SO_TIMESTAMP, SOL_SOCKET,
};
use syscalls::abi::tty::TIOCOUTQ;
use syscalls::errno::ENOTSOCK;
use syscalls::{Errno, Fd, SysResult, UserAddr};

use super::{Kind, Socket, interface_ioctl, timestamp, unix};
use crate::fd;
use crate::mm::Mappable;
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

/// FIOSETOWN, FIOGETOWN and their siblings: fcntl(2)'s owner by another way. `None` for
/// any other request.
fn owner(task: &Current, file: &Arc<File>, command: u32, at: UserAddr) -> Option<SysResult> {
    let set = || -> SysResult {
        let number: i32 = task.mem().read(at.cast())?;
        Ok(fd::owner(
            task,
            file,
            F_SETOWN,
            u64::from(number.cast_unsigned()),
        )?)
    };
    let get = || -> SysResult {
        let number = fd::owner(task, file, F_GETOWN, 0)?.cast_signed();
        let number = i32::try_from(number).unwrap_or(0);
        task.mem().write(at.cast(), &number)?;
        Ok(0)
    };
    match command {
        FIOSETOWN | SIOCSPGRP => Some(set()),
        FIOGETOWN | SIOCGPGRP => Some(get()),
        _ => None,
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
        // As System V has it: nothing is asked for, nothing happens.
        if dst.remaining() == 0 {
            return Ok(0);
        }
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

    fn mappable(&self, _: &File) -> Result<Arc<dyn Mappable>, Errno> {
        self.0.mappable()
    }

    fn linger(&self, task: &Current) {
        self.0.linger(task);
    }

    fn ioctl(
        &self,
        task: &mut Current,
        file: &Arc<File>,
        command: u32,
        argument: u64,
    ) -> SysResult {
        if let Some(done) = owner(task, file, command, UserAddr::new(argument)) {
            return done;
        }
        let count = match command {
            FIONREAD => self.0.readable_bytes()?,
            TIOCOUTQ => self.0.unsent_bytes()?,
            // No request about an interface, though its number is among theirs.
            SIOCOUTQNSD if self.0.protocol() == IPPROTO_TCP && self.writes_whole() => {
                return self.0.ioctl(task, command, argument);
            }
            SIOCGSTAMP | SIOCGSTAMPNS if self.0.has_own(SOL_SOCKET, SO_TIMESTAMP) => {
                return self.0.ioctl(task, command, argument);
            }
            SIOCGSTAMP | SIOCGSTAMPNS
                if matches!(self.0.family(), AF_INET | AF_INET6 | AF_PACKET) =>
            {
                let at = self.0.options().last_stamp()?;
                let time = timestamp::bytes(at, command == SIOCGSTAMPNS);
                task.mem()
                    .write_slice(UserAddr::new(argument).cast::<u8>(), &time)?;
                return Ok(0);
            }
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
