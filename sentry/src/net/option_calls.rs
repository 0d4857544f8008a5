//! setsockopt(2) and getsockopt(2), socket(7).

use std::sync::atomic::Ordering;

use syscalls::abi::net::{
    Linger, SO_ACCEPTCONN, SO_BINDTODEVICE, SO_BINDTOIFINDEX, SO_BROADCAST, SO_BUF_LOCK,
    SO_BUSY_POLL, SO_COOKIE, SO_DEBUG, SO_DOMAIN, SO_DONTROUTE, SO_ERROR, SO_INCOMING_CPU,
    SO_KEEPALIVE, SO_LINGER, SO_LOCK_FILTER, SO_MARK, SO_MAX_PACING_RATE, SO_NO_CHECK,
    SO_OOBINLINE, SO_PASSCRED, SO_PASSPIDFD, SO_PASSSEC, SO_PEEK_OFF, SO_PRIORITY, SO_PROTOCOL,
    SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT, SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT, SO_RXQ_OVFL,
    SO_SNDBUF, SO_SNDBUFFORCE, SO_SNDLOWAT, SO_SNDTIMEO, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TYPE,
    SO_ZEROCOPY, SOL_SOCKET,
};
use syscalls::abi::time::Timeval;
use syscalls::errno::{EDOM, EINVAL, ENODEV, ENOPROTOOPT, EOPNOTSUPP, EPERM};
use syscalls::{Errno, Run, SysResult, call};
use zerocopy::{FromBytes, IntoBytes};

use super::file::lookup;
use super::options::Buffer;
use super::{Asked, Kind, Socket};
use crate::task::{Capabilities, Current};

/// How a number that is only kept is kept.
#[derive(Clone, Copy)]
enum Kept {
    /// 1 for what is not 0.
    Flag,
    /// As it is.
    Number,
}

/// Options whose value is a number that is told again; who obeys one asks for it.
const KEPT: &[(i32, Kept)] = &[
    (SO_DEBUG, Kept::Flag),
    (SO_REUSEADDR, Kept::Flag),
    (SO_REUSEPORT, Kept::Flag),
    (SO_DONTROUTE, Kept::Flag),
    (SO_BROADCAST, Kept::Flag),
    (SO_KEEPALIVE, Kept::Flag),
    (SO_OOBINLINE, Kept::Flag),
    (SO_NO_CHECK, Kept::Flag),
    (SO_PRIORITY, Kept::Number),
    (SO_MARK, Kept::Number),
    (SO_PASSSEC, Kept::Flag),
    (SO_TIMESTAMP, Kept::Flag),
    (SO_TIMESTAMPNS, Kept::Flag),
    (SO_RCVLOWAT, Kept::Number),
    (SO_RXQ_OVFL, Kept::Flag),
    (SO_LOCK_FILTER, Kept::Flag),
    (SO_BUSY_POLL, Kept::Number),
    (SO_ZEROCOPY, Kept::Flag),
];

fn kept(name: i32) -> Option<Kept> {
    let mut all = KEPT.iter();
    all.find(|(kept, _)| *kept == name).map(|(_, how)| *how)
}

fn timeval(value: &[u8]) -> Result<u64, Errno> {
    let (time, _) = Timeval::read_from_prefix(value).map_err(|_| EINVAL)?;
    let usec = u64::try_from(time.usec)
        .ok()
        .filter(|&usec| usec < 1_000_000)
        .ok_or(EDOM)?;
    // A negative time means not to wait at all. The shortest wait is as good.
    let Ok(sec) = u64::try_from(time.sec) else {
        return Ok(1);
    };
    Ok(sec
        .saturating_mul(1_000_000_000)
        .saturating_add(usec * 1000))
}

fn set_device(task: &Current, socket: &dyn Socket, index: u32) -> Result<(), Errno> {
    let options = socket.options();
    if options.device() != 0 && !task.creds.get().has(Capabilities::NET_RAW) {
        return Err(EPERM);
    }
    options.device.store(index, Ordering::Relaxed);
    socket.option_changed(SO_BINDTODEVICE);
    Ok(())
}

fn bind_to_device(task: &Current, socket: &dyn Socket, value: &[u8]) -> Result<(), Errno> {
    let name = value.split(|&byte| byte == 0).next().unwrap_or_default();
    if name.is_empty() {
        return set_device(task, socket, 0);
    }
    let network = task.net.get().internet.links.get();
    let link = std::str::from_utf8(name)
        .ok()
        .and_then(|n| network.named(n));
    set_device(task, socket, link.ok_or(ENODEV)?.index)
}

/// What only the privileged may set.
fn check_number(task: &Current, name: i32, number: i32) -> Result<(), Errno> {
    let creds = task.creds.get();
    let allowed = match name {
        SO_MARK => creds.has(Capabilities::NET_ADMIN) || creds.has(Capabilities::NET_RAW),
        SO_PRIORITY => {
            (0..=6).contains(&number)
                || creds.has(Capabilities::NET_ADMIN)
                || creds.has(Capabilities::NET_RAW)
        }
        SO_DEBUG | SO_RCVBUFFORCE | SO_SNDBUFFORCE => {
            (name == SO_DEBUG && number == 0) || creds.has(Capabilities::NET_ADMIN)
        }
        _ => true,
    };
    if allowed {
        Ok(())
    } else if name == SO_DEBUG {
        Err(syscalls::errno::EACCES)
    } else {
        Err(EPERM)
    }
}

fn set_number(task: &Current, socket: &dyn Socket, name: i32, number: i32) -> Result<(), Errno> {
    let options = socket.options();
    match name {
        SO_SNDBUF | SO_SNDBUFFORCE => options.set_buffer(Buffer::Send, number, name != SO_SNDBUF),
        SO_RCVBUF | SO_RCVBUFFORCE => {
            options.set_buffer(Buffer::Receive, number, name != SO_RCVBUF);
        }
        SO_PASSCRED => options
            .pass_credentials
            .store(i32::from(number != 0), Ordering::Relaxed),
        SO_PASSPIDFD if number == 0 => {}
        SO_BINDTOIFINDEX => {
            let index = u32::try_from(number).map_err(|_| EINVAL)?;
            set_device(task, socket, index)?;
        }
        SO_INCOMING_CPU | SO_MAX_PACING_RATE => options.keep(name, number),
        SO_BUF_LOCK if (0..=3).contains(&number) => options.locked.store(number, Ordering::Relaxed),
        SO_BUF_LOCK => return Err(EINVAL),
        SO_PEEK_OFF => return Err(EOPNOTSUPP.why("SO_PEEK_OFF")),
        SO_REUSEPORT if number != 0 && matches!(socket.family(), syscalls::abi::net::AF_UNIX) => {
            return Err(EOPNOTSUPP);
        }
        SO_ZEROCOPY if socket.kind() != Kind::Stream && socket.kind() != Kind::Datagram => {
            return Err(EOPNOTSUPP);
        }
        SO_RCVLOWAT => options.keep(name, if number < 0 { i32::MAX } else { number.max(1) }),
        // The two exclude each other.
        SO_TIMESTAMP | SO_TIMESTAMPNS => {
            options.keep(SO_TIMESTAMP, 0);
            options.keep(SO_TIMESTAMPNS, 0);
            options.keep(name, i32::from(number != 0));
        }
        _ => match kept(name) {
            Some(Kept::Flag) => options.keep(name, i32::from(number != 0)),
            Some(Kept::Number) => options.keep(name, number),
            None => return Err(ENOPROTOOPT.why("socket option")),
        },
    }
    Ok(())
}

fn set_socket_option(
    task: &Current,
    socket: &dyn Socket,
    name: i32,
    value: &[u8],
) -> Result<(), Errno> {
    let options = socket.options();
    match name {
        SO_BINDTODEVICE => return bind_to_device(task, socket, value),
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
            if matches!(
                name,
                SO_TYPE | SO_PROTOCOL | SO_DOMAIN | SO_ERROR | SO_ACCEPTCONN | SO_SNDLOWAT
            ) {
                return Err(ENOPROTOOPT);
            }
            check_number(task, name, number)?;
            set_number(task, socket, name, number)?;
        }
    }
    socket.option_changed(name);
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

fn socket_option(
    task: &Current,
    socket: &dyn Socket,
    name: i32,
    asked: Asked,
) -> Result<Vec<u8>, Errno> {
    let options = socket.options();
    let number = match name {
        SO_TYPE => socket.kind().raw(),
        SO_DOMAIN => socket.family(),
        SO_PROTOCOL => socket.protocol(),
        SO_ERROR => socket.take_error().map_or(0, |error| error.raw().into()),
        SO_SNDBUF | SO_SNDBUFFORCE => options.send_buffer.load(Ordering::Relaxed),
        SO_RCVBUF | SO_RCVBUFFORCE => options.receive_buffer.load(Ordering::Relaxed),
        SO_PASSCRED => options.pass_credentials.load(Ordering::Relaxed),
        SO_PASSPIDFD => 0,
        SO_ACCEPTCONN => i32::from(socket.is_listening()),
        SO_SNDLOWAT => 1,
        SO_RCVLOWAT => options.kept(name).max(1),
        SO_BINDTOIFINDEX => i32::try_from(options.device()).unwrap_or(0),
        SO_BUF_LOCK => options.locked.load(Ordering::Relaxed),
        SO_INCOMING_CPU => options.kept_or(name, -1),
        SO_MAX_PACING_RATE => options.kept_or(name, -1),
        SO_SNDTIMEO => return Ok(timeval_of(options.send_timeout.load(Ordering::Relaxed))),
        SO_RCVTIMEO => return Ok(timeval_of(options.receive_timeout.load(Ordering::Relaxed))),
        SO_COOKIE => return Ok(options.cookie().to_ne_bytes().to_vec()),
        SO_BINDTODEVICE => {
            let network = task.net.get().internet.links.get();
            let link = network.link(options.device());
            let mut name = link.map_or_else(Vec::new, |link| link.name.clone().into_bytes());
            if !name.is_empty() {
                name.push(0);
                if asked.room < NAME {
                    return Err(EINVAL);
                }
            }
            return Ok(name);
        }
        SO_LINGER => {
            let (onoff, linger) = *options.linger.lock();
            return Ok(Linger { onoff, linger }.as_bytes().to_vec());
        }
        _ if kept(name).is_some() => options.kept(name),
        _ => return socket.get_option(task, SOL_SOCKET, name, asked),
    };
    Ok(number.to_ne_bytes().to_vec())
}

/// Bytes of an interface's name, IFNAMSIZ.
const NAME: usize = 16;

impl Run<Current> for call::Getsockopt {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        let room = usize::try_from(task.mem().read(self.optlen)?).map_err(|_| EINVAL)?;
        let asked = Asked {
            room,
            at: self.optval,
        };
        let value = if self.level == SOL_SOCKET {
            socket_option(task, &*socket, self.optname, asked)?
        } else {
            socket.get_option(task, self.level, self.optname, asked)?
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
