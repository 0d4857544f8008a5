//! socket(2), bind(2), connect(2) and what else names and joins sockets.

use syscalls::abi::net::{AF_UNIX, SHUT_RD, SHUT_RDWR, SHUT_WR, SOCK_TYPE_MASK, SocketFlags};
use syscalls::errno::{EAFNOSUPPORT, EAGAIN, EINVAL, EOPNOTSUPP, ESOCKTNOSUPPORT, ETIMEDOUT};
use syscalls::{Arg, Errno, Run, Stop, SysResult, UserPtr, call};

use super::file::lookup;
use super::{Address, Kind, Shutdown, SocketFile, create, is_family, unix};
use crate::fd::CloseOnExec;
use crate::task::Current;
use crate::vfs::OpenMode;
use crate::wait::{Deadline, Ready};

/// The flags in a type argument.
fn flags(raw: i32) -> Result<SocketFlags, Errno> {
    let raw_flags = u32::from_ne_bytes((raw & !SOCK_TYPE_MASK).to_ne_bytes());
    SocketFlags::decode(raw_flags.into())
}

/// The semantics in a type argument; `EAFNOSUPPORT` before anything that is wrong with them.
fn kind(domain: i32, raw: i32) -> Result<Kind, Errno> {
    match Kind::new(raw & SOCK_TYPE_MASK) {
        Err(ESOCKTNOSUPPORT) if !is_family(domain) => Err(EAFNOSUPPORT),
        kind => kind,
    }
}

fn status(flags: SocketFlags) -> OpenMode {
    if flags.contains(SocketFlags::NONBLOCK) {
        OpenMode::NONBLOCK
    } else {
        OpenMode::empty()
    }
}

fn close(flags: SocketFlags) -> CloseOnExec {
    CloseOnExec::when(flags.contains(SocketFlags::CLOEXEC))
}

impl Run<Current> for call::Socket {
    fn run(self, task: &mut Current) -> SysResult {
        let flags = flags(self.kind)?;
        let kind = kind(self.domain, self.kind)?;
        let socket = create(task, self.domain, kind, self.protocol)?;
        let fd = task.reserve_fd()?;
        let file = SocketFile::open(task, socket, status(flags));
        fd.fill(file, close(flags)).to_result()
    }
}

impl Run<Current> for call::Socketpair {
    fn run(self, task: &mut Current) -> SysResult {
        let flags = flags(self.kind)?;
        let (fd_a, fd_b) = (task.reserve_fd()?, task.reserve_fd()?);
        task.mem().write(self.sv, &[fd_a.fd(), fd_b.fd()])?;
        let kind = kind(self.domain, self.kind)?;
        let socket = create(task, self.domain, kind, self.protocol)?;
        if socket.family() != AF_UNIX {
            return Err(EOPNOTSUPP.into());
        }
        let (a, b) = unix::UnixSocket::pair(task, kind);
        let (a, b) = (
            SocketFile::open(task, a, status(flags)),
            SocketFile::open(task, b, status(flags)),
        );
        fd_a.fill(a, close(flags));
        fd_b.fill(b, close(flags));
        Ok(0)
    }
}

impl Run<Current> for call::Bind {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        let address = Address::read(task.mem(), self.addr, self.addrlen)?;
        socket.bind(task, &address)?;
        Ok(0)
    }
}

impl Run<Current> for call::Connect {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.sockfd)?;
        let address = Address::read(task.mem(), self.addr, self.addrlen);
        // Whether it is a socket is looked at before an address that is only too short.
        let short = address == Err(EINVAL) && matches!(self.addrlen, 0 | 1);
        if !short && let Err(errno) = address {
            return Err(errno.into());
        }
        let (_, socket) = lookup(task, self.sockfd)?;
        socket.connect(task, &address?, file.nonblocking())?;
        Ok(0)
    }
}

impl Run<Current> for call::Listen {
    fn run(self, task: &mut Current) -> SysResult {
        lookup(task, self.sockfd)?.1.listen(task, self.backlog)?;
        Ok(0)
    }
}

fn accept(
    task: &Current,
    fd: syscalls::Fd,
    address: UserPtr<u8>,
    len: UserPtr<i32>,
    flags: SocketFlags,
) -> SysResult {
    let (file, socket) = lookup(task, fd)?;
    let new_fd = task.reserve_fd()?;
    let accepted = if file.nonblocking() {
        socket.accept()?
    } else {
        let deadline = socket.options().receive_timeout().map(Deadline::after);
        let attempt = || Ok(socket.accept()?);
        match task.block_on(socket.queue(), Ready::READABLE, deadline, attempt) {
            Err(Stop::Errno(ETIMEDOUT)) if deadline.is_some() => return Err(EAGAIN.into()),
            accepted => accepted?,
        }
    };
    if let Some(at) = address.non_null() {
        accepted.accepted_from().write(task.mem(), at, len)?;
    }
    let file = SocketFile::open(task, accepted, status(flags));
    new_fd.fill(file, close(flags)).to_result()
}

impl Run<Current> for call::Accept {
    fn run(self, task: &mut Current) -> SysResult {
        accept(
            task,
            self.sockfd,
            self.addr,
            self.addrlen,
            SocketFlags::empty(),
        )
    }
}

impl Run<Current> for call::Accept4 {
    fn run(self, task: &mut Current) -> SysResult {
        task.file(self.sockfd)?;
        let flags = self.flags.check()?;
        accept(task, self.sockfd, self.addr, self.addrlen, flags)
    }
}

impl Run<Current> for call::Shutdown {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        let how = match self.how {
            SHUT_RD => Shutdown {
                read: true,
                write: false,
            },
            SHUT_WR => Shutdown {
                read: false,
                write: true,
            },
            SHUT_RDWR => Shutdown {
                read: true,
                write: true,
            },
            _ => return Err(EINVAL.into()),
        };
        socket.shutdown(how)?;
        Ok(0)
    }
}

impl Run<Current> for call::Getsockname {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        socket.local().write(task.mem(), self.addr, self.addrlen)?;
        Ok(0)
    }
}

impl Run<Current> for call::Getpeername {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        socket.peer()?.write(task.mem(), self.addr, self.addrlen)?;
        Ok(0)
    }
}
