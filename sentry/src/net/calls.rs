//! socket(2), bind(2), connect(2) and what else names and joins sockets; options.

use std::sync::atomic::Ordering;

use syscalls::abi::net::{
    Linger, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_ACCEPTCONN, SO_BROADCAST, SO_DEBUG, SO_DOMAIN,
    SO_DONTROUTE, SO_ERROR, SO_KEEPALIVE, SO_LINGER, SO_MARK, SO_OOBINLINE, SO_PASSCRED,
    SO_PASSSEC, SO_PEEK_OFF, SO_PRIORITY, SO_PROTOCOL, SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT,
    SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT, SO_SNDBUF, SO_SNDBUFFORCE, SO_SNDLOWAT, SO_SNDTIMEO,
    SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TYPE, SOCK_TYPE_MASK, SOL_SOCKET, SocketFlags,
};
use syscalls::abi::time::Timeval;
use syscalls::errno::{EDOM, EINVAL, ENOPROTOOPT, EOPNOTSUPP, EPERM};
use syscalls::{Arg, Errno, Run, SysResult, UserPtr, call};
use zerocopy::{FromBytes, IntoBytes};

use super::file::lookup;
use super::options::{MIN_RECEIVE, MIN_SEND};
use super::{Address, Kind, Shutdown, Socket, SocketFile, create, unix};
use crate::fd::CloseOnExec;
use crate::task::{Capabilities, Current};
use crate::vfs::OpenMode;
use crate::wait::{Deadline, Ready};

/// The type argument: semantics and flags.
fn kind_and_flags(raw: i32) -> Result<(Kind, SocketFlags), Errno> {
    let raw_flags = u32::from_ne_bytes((raw & !SOCK_TYPE_MASK).to_ne_bytes());
    let flags = SocketFlags::decode(raw_flags.into())?;
    Ok((Kind::new(raw & SOCK_TYPE_MASK)?, flags))
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
        let (kind, flags) = kind_and_flags(self.kind)?;
        let socket = create(task, self.domain, kind, self.protocol)?;
        let fd = task.reserve_fd()?;
        let file = SocketFile::open(task, socket, status(flags));
        fd.fill(file, close(flags)).to_result()
    }
}

impl Run<Current> for call::Socketpair {
    fn run(self, task: &mut Current) -> SysResult {
        let (kind, flags) = kind_and_flags(self.kind)?;
        create(task, self.domain, kind, self.protocol)?;
        let (a, b) = unix::UnixSocket::pair(task, kind);
        let (fd_a, fd_b) = (task.reserve_fd()?, task.reserve_fd()?);
        let (a, b) = (
            SocketFile::open(task, a, status(flags)),
            SocketFile::open(task, b, status(flags)),
        );
        task.mem().write(self.sv, &[fd_a.fd(), fd_b.fd()])?;
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
        let (file, socket) = lookup(task, self.sockfd)?;
        let address = Address::read(task.mem(), self.addr, self.addrlen)?;
        socket.connect(task, &address, file.nonblocking())?;
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
        task.block_on(socket.queue(), Ready::READABLE, deadline, || {
            Ok(socket.accept()?)
        })?
    };
    if let Some(at) = address.non_null() {
        accepted
            .peer()
            .unwrap_or_else(|_| Address::unnamed())
            .write(task.mem(), at, len)?;
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
        let flags = self.flags.check()?;
        accept(task, self.sockfd, self.addr, self.addrlen, flags)
    }
}

impl Run<Current> for call::Shutdown {
    fn run(self, task: &mut Current) -> SysResult {
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
        lookup(task, self.sockfd)?.1.shutdown(how)?;
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

/// Options whose value is a number that Linux keeps and that changes nothing here.
const KEPT: [i32; 13] = [
    SO_DEBUG,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_PRIORITY,
    SO_MARK,
    SO_PASSSEC,
    SO_TIMESTAMP,
    SO_TIMESTAMPNS,
    SO_RCVLOWAT,
];

fn timeval(value: &[u8]) -> Result<u64, Errno> {
    let (time, _) = Timeval::read_from_prefix(value).map_err(|_| EINVAL)?;
    let usec = u64::try_from(time.usec)
        .ok()
        .filter(|&usec| usec < 1_000_000)
        .ok_or(EDOM)?;
    // A negative time means not to wait for ever: Linux takes it as none.
    let sec = u64::try_from(time.sec).unwrap_or(0);
    Ok(sec
        .saturating_mul(1_000_000_000)
        .saturating_add(usec * 1000))
}

fn set_socket_option(
    task: &Current,
    socket: &dyn Socket,
    name: i32,
    value: &[u8],
) -> Result<(), Errno> {
    let options = socket.options();
    match name {
        SO_SNDTIMEO => options
            .send_timeout
            .store(timeval(value)?, Ordering::Relaxed),
        SO_RCVTIMEO => options
            .receive_timeout
            .store(timeval(value)?, Ordering::Relaxed),
        SO_LINGER => {
            let (linger, _) = Linger::read_from_prefix(value).map_err(|_| EINVAL)?;
            *options.linger.lock() = (i32::from(linger.onoff != 0), linger.linger);
        }
        _ => {
            let (number, _) = i32::read_from_prefix(value).map_err(|_| EINVAL)?;
            match name {
                SO_SNDBUF | SO_SNDBUFFORCE | SO_RCVBUF | SO_RCVBUFFORCE => {
                    let forced = matches!(name, SO_SNDBUFFORCE | SO_RCVBUFFORCE);
                    if forced && !task.creds.get().has(Capabilities::NET_ADMIN) {
                        return Err(EPERM);
                    }
                    let max = if forced {
                        i32::MAX / 2
                    } else {
                        super::options::DEFAULT_BUFFER
                    };
                    let doubled = number.clamp(0, max) * 2;
                    if matches!(name, SO_SNDBUF | SO_SNDBUFFORCE) {
                        options
                            .send_buffer
                            .store(doubled.max(MIN_SEND), Ordering::Relaxed);
                    } else {
                        options
                            .receive_buffer
                            .store(doubled.max(MIN_RECEIVE), Ordering::Relaxed);
                    }
                }
                SO_PASSCRED => options
                    .pass_credentials
                    .store(i32::from(number != 0), Ordering::Relaxed),
                SO_TYPE | SO_PROTOCOL | SO_DOMAIN | SO_ERROR | SO_ACCEPTCONN | SO_SNDLOWAT => {
                    return Err(ENOPROTOOPT);
                }
                SO_PEEK_OFF => return Err(EOPNOTSUPP.why("SO_PEEK_OFF")),
                _ if KEPT.contains(&name) => options.keep(name, number),
                _ => return Err(ENOPROTOOPT.why("socket option")),
            }
        }
    }
    Ok(())
}

impl Run<Current> for call::Setsockopt {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        let len = usize::try_from(self.optlen).map_err(|_| EINVAL)?;
        let value = task.mem().read_slice(self.optval, len.min(4096))?;
        if self.level == SOL_SOCKET {
            set_socket_option(task, &*socket, self.optname, &value)?;
        } else {
            socket.set_option(task, self.level, self.optname, &value)?;
        }
        Ok(0)
    }
}

fn timeval_of(ns: u64) -> Vec<u8> {
    let sec = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
    let usec = i64::try_from(ns % 1_000_000_000 / 1000).unwrap_or(0);
    Timeval { sec, usec }.as_bytes().to_vec()
}

fn socket_option(task: &Current, socket: &dyn Socket, name: i32) -> Result<Vec<u8>, Errno> {
    let options = socket.options();
    let number = match name {
        SO_TYPE => socket.kind().raw(),
        SO_DOMAIN => socket.family(),
        SO_PROTOCOL | SO_ERROR => 0,
        SO_SNDBUF | SO_SNDBUFFORCE => options.send_buffer.load(Ordering::Relaxed),
        SO_RCVBUF | SO_RCVBUFFORCE => options.receive_buffer.load(Ordering::Relaxed),
        SO_PASSCRED => options.pass_credentials.load(Ordering::Relaxed),
        SO_ACCEPTCONN => i32::from(socket.is_listening()),
        SO_SNDLOWAT => 1,
        SO_RCVLOWAT => options.kept(name).max(1),
        SO_SNDTIMEO => return Ok(timeval_of(options.send_timeout.load(Ordering::Relaxed))),
        SO_RCVTIMEO => return Ok(timeval_of(options.receive_timeout.load(Ordering::Relaxed))),
        SO_LINGER => {
            let (onoff, linger) = *options.linger.lock();
            return Ok(Linger { onoff, linger }.as_bytes().to_vec());
        }
        _ if KEPT.contains(&name) => options.kept(name),
        _ => return socket.get_option(task, SOL_SOCKET, name),
    };
    Ok(number.to_ne_bytes().to_vec())
}

impl Run<Current> for call::Getsockopt {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        let room = usize::try_from(task.mem().read(self.optlen)?).map_err(|_| EINVAL)?;
        let value = if self.level == SOL_SOCKET {
            socket_option(task, &*socket, self.optname)?
        } else {
            socket.get_option(task, self.level, self.optname)?
        };
        let value = value.get(..room.min(value.len())).unwrap_or(&value);
        task.mem().write_slice(self.optval, value)?;
        task.mem().write(
            self.optlen,
            &i32::try_from(value.len()).map_err(|_| EINVAL)?,
        )?;
        Ok(0)
    }
}
