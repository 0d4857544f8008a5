//! setsockopt(2) and getsockopt(2), socket(7). What is only a number stands in
//! `option_table.rs`.

use std::sync::atomic::Ordering;

use syscalls::abi::net::{
    AF_INET, AF_INET6, AF_UNIX, IPPROTO_TCP, Linger, SO_ACCEPTCONN, SO_ATTACH_FILTER,
    SO_BINDTODEVICE, SO_BINDTOIFINDEX, SO_BUF_LOCK, SO_BUSY_POLL_BUDGET, SO_COOKIE, SO_DEBUG,
    SO_DETACH_FILTER, SO_DETACH_REUSEPORT_BPF, SO_DOMAIN, SO_ERROR, SO_LINGER, SO_LOCK_FILTER,
    SO_MARK, SO_MEMINFO, SO_NETNS_COOKIE, SO_PEERCRED, SO_PEERGROUPS, SO_PEERNAME, SO_PEERPIDFD,
    SO_PREFER_BUSY_POLL, SO_PRIORITY, SO_PROTOCOL, SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT,
    SO_RCVMARK, SO_RCVTIMEO, SO_RCVTIMEO_NEW, SO_RESERVE_MEM, SO_REUSEPORT, SO_SNDBUF,
    SO_SNDBUFFORCE, SO_SNDTIMEO, SO_SNDTIMEO_NEW, SO_TIMESTAMP, SO_TIMESTAMP_NEW, SO_TIMESTAMPING,
    SO_TIMESTAMPING_NEW, SO_TIMESTAMPNS, SO_TIMESTAMPNS_NEW, SO_TXTIME, SO_TYPE, SOL_SOCKET, Ucred,
};
use syscalls::abi::time::Timeval;
use syscalls::errno::{
    EACCES, EDOM, EINVAL, ENODATA, ENODEV, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM, ERANGE,
};
use syscalls::{Errno, Run, SysResult, call};
use zerocopy::{FromBytes, IntoBytes};

use super::file::lookup;
use super::given::{Asked, Given};
use super::option_table::{Known, find};
use super::options::Buffer;
use super::{Kind, Socket, timestamp};
use crate::task::{Capabilities, Current};

/// Bytes of an interface's name, IFNAMSIZ.
const NAME: usize = 16;

fn timeval(value: [u8; 16]) -> Result<u64, Errno> {
    let time = Timeval::read_from_bytes(&value).map_err(|_| EINVAL)?;
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

fn timeval_of(ns: u64) -> Vec<u8> {
    let sec = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
    let usec = i64::try_from(ns % 1_000_000_000 / 1000).unwrap_or(0);
    Timeval { sec, usec }.as_bytes().to_vec()
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

fn bind_to_device(task: &Current, socket: &dyn Socket, value: Given<'_>) -> Result<(), Errno> {
    let value = value.bytes()?;
    let name = value.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = name.get(..NAME - 1).unwrap_or(name);
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
fn check_number(task: &Current, socket: &dyn Socket, name: i32, number: i32) -> Result<(), Errno> {
    let creds = task.creds.get();
    let (admin, raw) = (
        creds.has(Capabilities::NET_ADMIN),
        creds.has(Capabilities::NET_RAW),
    );
    let allowed = match name {
        SO_MARK | SO_RCVMARK => admin || raw,
        SO_PRIORITY => (0..=6).contains(&number) || admin || raw,
        SO_RCVBUFFORCE | SO_SNDBUFFORCE => admin,
        SO_DEBUG | SO_PREFER_BUSY_POLL => number == 0 || admin,
        SO_BUSY_POLL_BUDGET => number <= socket.options().kept(name) || admin,
        _ => true,
    };
    match (allowed, name) {
        (true, _) => Ok(()),
        (false, SO_DEBUG) => Err(EACCES),
        (false, _) => Err(EPERM),
    }
}

/// An option that is only a number.
fn set_number(task: &Current, socket: &dyn Socket, name: i32, number: i32) -> Result<(), Errno> {
    let row = find(name).filter(|row| row.known != Known::Get && !row.is_unknown_to(socket));
    let row = row.ok_or_else(|| ENOPROTOOPT.why("socket option"))?;
    if !row.fits(socket) {
        return Err(EOPNOTSUPP);
    }
    if name == SO_BUSY_POLL_BUDGET {
        check_number(task, socket, name, number)?;
    }
    let options = socket.options();
    let inet = matches!(socket.family(), AF_INET | AF_INET6);
    let kept = match name {
        SO_REUSEPORT if number != 0 && !inet => return Err(EOPNOTSUPP),
        SO_RCVLOWAT => {
            let wanted = if number < 0 { i32::MAX } else { number.max(1) };
            // TCP waits for no more than its buffer can hold.
            let tcp = inet && socket.kind() == Kind::Stream;
            if tcp {
                wanted.min(options.half_window())
            } else {
                wanted
            }
        }
        SO_TIMESTAMPING | SO_TIMESTAMPING_NEW => timestamp::check_flags(number)?,
        SO_TIMESTAMP | SO_TIMESTAMPNS | SO_TIMESTAMP_NEW | SO_TIMESTAMPNS_NEW => {
            // They exclude each other.
            for other in [
                SO_TIMESTAMP,
                SO_TIMESTAMPNS,
                SO_TIMESTAMP_NEW,
                SO_TIMESTAMPNS_NEW,
            ] {
                options.keep(other, 0);
            }
            i32::from(number != 0)
        }
        // Nothing comes of it.
        syscalls::abi::net::SO_BSDCOMPAT => 0,
        _ => row.takes.admit(number, row.default)?,
    };
    check_number(task, socket, name, number)?;
    options.keep(name, kept);
    Ok(())
}

fn set_socket_option(
    task: &Current,
    socket: &dyn Socket,
    name: i32,
    value: Given<'_>,
) -> Result<(), Errno> {
    let options = socket.options();
    if name == SO_BINDTODEVICE {
        return bind_to_device(task, socket, value);
    }
    // As Linux, whatever the option is.
    let number = value.number()?;
    match name {
        SO_SNDTIMEO | SO_SNDTIMEO_NEW => options
            .send_timeout
            .store(timeval(value.prefix()?)?, Ordering::Relaxed),
        SO_RCVTIMEO | SO_RCVTIMEO_NEW => options
            .receive_timeout
            .store(timeval(value.prefix()?)?, Ordering::Relaxed),
        SO_LINGER => {
            let linger = value.prefix::<{ size_of::<Linger>() }>()?;
            let linger = Linger::read_from_bytes(&linger).map_err(|_| EINVAL)?;
            *options.linger.lock() = (i32::from(linger.onoff != 0), linger.linger);
        }
        SO_SNDBUF | SO_SNDBUFFORCE => {
            check_number(task, socket, name, number)?;
            options.set_buffer(Buffer::Send, number, name == SO_SNDBUFFORCE);
        }
        SO_RCVBUF | SO_RCVBUFFORCE => {
            check_number(task, socket, name, number)?;
            options.set_buffer(Buffer::Receive, number, name == SO_RCVBUFFORCE);
        }
        SO_BINDTOIFINDEX => {
            let index = u32::try_from(number).map_err(|_| EINVAL)?;
            set_device(task, socket, index)?;
        }
        SO_BUF_LOCK if (0..=3).contains(&number) => options.locked.store(number, Ordering::Relaxed),
        SO_BUF_LOCK | SO_DETACH_REUSEPORT_BPF => return Err(EINVAL),
        SO_TXTIME if value.len() != 8 => return Err(EINVAL),
        SO_RESERVE_MEM if number < 0 => return Err(EINVAL),
        SO_TXTIME | SO_RESERVE_MEM => return Err(EOPNOTSUPP.why("socket option")),
        SO_ATTACH_FILTER => {
            // Streams that lose parts are no streams any more.
            let tcp = (socket.protocol(), socket.kind()) == (IPPROTO_TCP, Kind::Stream);
            if tcp && !task.creds.get().has(Capabilities::NET_ADMIN) {
                return Err(EPERM);
            }
            options.attach_filter(task, value)?;
        }
        SO_DETACH_FILTER => options.detach_filter()?,
        SO_LOCK_FILTER => options.lock_filter(number != 0)?,
        _ => set_number(task, socket, name, number)?,
    }
    socket.option_changed(name);
    Ok(())
}

impl Run<Current> for call::Setsockopt {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        let value = Given::new(task, self.optval, self.optlen)?;
        if socket.has_own(self.level, self.optname) {
            socket.set_option(task, self.level, self.optname, value)?;
        } else {
            set_socket_option(task, &*socket, self.optname, value)?;
        }
        Ok(0)
    }
}

fn device_name(task: &Current, socket: &dyn Socket, room: usize) -> Result<Vec<u8>, Errno> {
    let network = task.net.get().internet.links.get();
    let link = network.link(socket.options().device());
    let mut name = link.map_or_else(Vec::new, |link| link.name.clone().into_bytes());
    if !name.is_empty() {
        name.push(0);
        if room < NAME {
            return Err(EINVAL);
        }
    }
    Ok(name)
}

fn peer_name(socket: &dyn Socket, room: usize) -> Result<Vec<u8>, Errno> {
    let name = socket.peer().map_err(|_| ENOTCONN)?.to_bytes();
    if name.len() < room {
        return Err(EINVAL);
    }
    Ok(name)
}

fn socket_option(
    task: &Current,
    socket: &dyn Socket,
    name: i32,
    asked: Asked,
) -> Result<Vec<u8>, Errno> {
    let options = socket.options();
    let room = asked.room()?;
    let number = match name {
        SO_TYPE => socket.kind().raw(),
        SO_DOMAIN => socket.family(),
        SO_PROTOCOL => socket.protocol(),
        SO_ERROR => socket.take_error().map_or(0, |error| error.raw().into()),
        SO_SNDBUF => options.send_buffer.load(Ordering::Relaxed),
        SO_RCVBUF => options.receive_buffer.load(Ordering::Relaxed),
        SO_ACCEPTCONN => i32::from(socket.is_listening()),
        SO_RCVLOWAT => options.kept(name).max(1),
        SO_BINDTOIFINDEX => i32::try_from(options.device()).unwrap_or(0),
        SO_BUF_LOCK => options.locked.load(Ordering::Relaxed),
        SO_SNDTIMEO | SO_SNDTIMEO_NEW => {
            return Ok(timeval_of(options.send_timeout.load(Ordering::Relaxed)));
        }
        SO_RCVTIMEO | SO_RCVTIMEO_NEW => {
            return Ok(timeval_of(options.receive_timeout.load(Ordering::Relaxed)));
        }
        SO_COOKIE if room < 8 => return Err(EINVAL),
        SO_COOKIE => return Ok(options.cookie().to_ne_bytes().to_vec()),
        SO_NETNS_COOKIE if room < 8 => return Err(EINVAL),
        SO_NETNS_COOKIE => return Ok(task.net.get().id.ino().to_ne_bytes().to_vec()),
        SO_BINDTODEVICE => return device_name(task, socket, room),
        SO_PEERNAME => return peer_name(socket, room),
        SO_LINGER => {
            let (onoff, linger) = *options.linger.lock();
            return Ok(Linger { onoff, linger }.as_bytes().to_vec());
        }
        SO_PEERCRED => {
            let nobody = Ucred {
                pid: 0,
                uid: u32::MAX,
                gid: u32::MAX,
            };
            let peer = socket.peer_identity();
            let peer = peer.map_or(nobody, |peer| peer.seen_by(task));
            return Ok(peer.as_bytes().to_vec());
        }
        SO_MEMINFO => return Ok(options.memory(socket.readable_bytes().unwrap_or(0))),
        SO_TXTIME => return Ok(vec![0; 8]),
        SO_RESERVE_MEM => 0,
        _ => match find(name) {
            Some(row) if row.known == Known::Set || row.is_unknown_to(socket) => {
                return Err(ENOPROTOOPT);
            }
            Some(row) if !row.fits(socket) && name != syscalls::abi::net::SO_ZEROCOPY => {
                return Err(EOPNOTSUPP);
            }
            Some(row) => options.kept_or(name, row.default),
            None => {
                let own = socket.get_option(task, SOL_SOCKET, name, asked);
                return match own {
                    Err(ENOPROTOOPT | EOPNOTSUPP)
                        if matches!(name, SO_PEERGROUPS | SO_PEERPIDFD) =>
                    {
                        Err(ENODATA)
                    }
                    Err(EOPNOTSUPP) => Err(ENOPROTOOPT),
                    own => own,
                };
            }
        },
    };
    Ok(number.to_ne_bytes().to_vec())
}

impl Run<Current> for call::Getsockopt {
    fn run(self, task: &mut Current) -> SysResult {
        let (_, socket) = lookup(task, self.sockfd)?;
        // There is nothing to ask on other levels.
        if socket.family() == AF_UNIX && self.level != SOL_SOCKET {
            return Err(EOPNOTSUPP.into());
        }
        let asked = Asked {
            len: task.mem().read(self.optlen)?,
            at: self.optval,
        };
        if (self.level, self.optname) == (SOL_SOCKET, SO_ATTACH_FILTER) {
            let (count, code) = socket.options().filter_code(asked.room()?)?;
            task.mem().write_slice(self.optval, &code)?;
            let count = i32::try_from(count).map_err(|_| EINVAL)?;
            task.mem().write(self.optlen, &count)?;
            return Ok(0);
        }
        let value = if socket.has_own(self.level, self.optname) {
            socket.get_option(task, self.level, self.optname, asked)?
        } else {
            socket_option(task, &*socket, self.optname, asked)?
        };
        if (self.level, self.optname) == (SOL_SOCKET, SO_PEERGROUPS) && asked.room()? < value.len()
        {
            let len = i32::try_from(value.len()).map_err(|_| EINVAL)?;
            task.mem().write(self.optlen, &len)?;
            return Err(ERANGE.into());
        }
        // Some options take a negative length for a large one.
        let room = asked.room().unwrap_or(value.len());
        let value = value.get(..room.min(value.len())).unwrap_or(&value);
        task.mem().write_slice(self.optval, value)?;
        task.mem().write(
            self.optlen,
            &i32::try_from(value.len()).map_err(|_| EINVAL)?,
        )?;
        Ok(0)
    }
}
