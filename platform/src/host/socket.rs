//! Calls on sockets of the host, socket(7), with addresses, options and ancillary data as the
//! bytes that the ABI has for them. Nothing here waits: sockets are made non-blocking.
//!
//! What is passed was copied before: the host never gets an address of a guest's memory.
//! Options whose values hold addresses are for that reason not set or asked by bytes
//! ([`attach_filter`] is one).

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use syscalls::Errno;
use syscalls::errno::EINVAL;

use super::{check, check_size};

/// The longest address, bytes (`struct sockaddr_storage`).
pub const MAX_ADDRESS: usize = 128;

/// FIONREAD, SIOCINQ: bytes to read.
pub const UNREAD: libc::c_ulong = 0x541b;
/// TIOCOUTQ, SIOCOUTQ: bytes sent and not yet acknowledged.
pub const UNSENT: libc::c_ulong = 0x5411;
/// SIOCOUTQNSD: bytes that were not yet sent.
pub const NOT_SENT: libc::c_ulong = 0x894b;
/// SIOCATMARK: 1 if urgent data come next.
pub const AT_MARK: libc::c_ulong = 0x8905;
/// SIOCGSTAMP, with microseconds.
pub const STAMP: libc::c_ulong = 0x8906;
/// SIOCGSTAMPNS, with nanoseconds.
pub const STAMP_NS: libc::c_ulong = 0x8907;

/// What was received besides data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    /// Bytes of the message; with MSG_TRUNC, of the whole one.
    pub len: usize,
    /// Bytes of the sender's address.
    pub address: usize,
    /// Bytes of ancillary data.
    pub control: usize,
    /// MSG_* that the host tells.
    pub flags: i32,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing<'a> {
    /// The destination; empty for none.
    pub address: &'a [u8],
    /// Ancillary data; cmsg(3).
    pub control: &'a [u8],
    /// MSG_*. Never waits and never raises SIGPIPE, whatever they say.
    pub flags: i32,
}

fn length(bytes: &[u8]) -> libc::socklen_t {
    libc::socklen_t::try_from(bytes.len()).unwrap_or(0)
}

/// socket(2): non-blocking, closed on execve.
pub fn make(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd, Errno> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the arguments are plain numbers.
    let fd = check(unsafe { libc::socket(family, kind, protocol) })?;
    // SAFETY: the call has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// bind(2).
pub fn bind(socket: impl AsFd, address: &[u8]) -> Result<(), Errno> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the call reads as many bytes as the slice has.
    check(unsafe { libc::bind(fd, address.as_ptr().cast(), length(address)) }).map(drop)
}

/// connect(2); `EINPROGRESS`, `EALREADY`.
pub fn connect(socket: impl AsFd, address: &[u8]) -> Result<(), Errno> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the call reads as many bytes as the slice has.
    check(unsafe { libc::connect(fd, address.as_ptr().cast(), length(address)) }).map(drop)
}

/// listen(2).
pub fn listen(socket: impl AsFd, backlog: i32) -> Result<(), Errno> {
    // SAFETY: the arguments are plain numbers.
    check(unsafe { libc::listen(socket.as_fd().as_raw_fd(), backlog) }).map(drop)
}

/// shutdown(2).
pub fn shutdown(socket: impl AsFd, how: i32) -> Result<(), Errno> {
    // SAFETY: the arguments are plain numbers.
    check(unsafe { libc::shutdown(socket.as_fd().as_raw_fd(), how) }).map(drop)
}

/// Has `call` fill in an address.
fn address(
    call: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> i32,
) -> Result<(i32, Vec<u8>), Errno> {
    let mut bytes = vec![0; MAX_ADDRESS];
    let mut len = length(&bytes);
    let result = check(call(bytes.as_mut_ptr().cast(), &raw mut len))?;
    bytes.truncate(usize::try_from(len).unwrap_or(0));
    Ok((result, bytes))
}

/// accept4(2): the new socket and its peer; `EAGAIN`.
pub fn accept(socket: impl AsFd) -> Result<(OwnedFd, Vec<u8>), Errno> {
    let fd = socket.as_fd().as_raw_fd();
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: `at` and `len` are a buffer and its length, which live until the call is over.
    let (fd, peer) = address(|at, len| unsafe { libc::accept4(fd, at, len, flags) })?;
    // SAFETY: the call has just made it, and nobody else has it.
    Ok((unsafe { OwnedFd::from_raw_fd(fd) }, peer))
}

/// getsockname(2).
pub fn local(socket: impl AsFd) -> Result<Vec<u8>, Errno> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: `at` and `len` are a buffer and its length, which live until the call is over.
    address(|at, len| unsafe { libc::getsockname(fd, at, len) }).map(|(_, address)| address)
}

/// getpeername(2).
pub fn peer(socket: impl AsFd) -> Result<Vec<u8>, Errno> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: `at` and `len` are a buffer and its length, which live until the call is over.
    address(|at, len| unsafe { libc::getpeername(fd, at, len) }).map(|(_, address)| address)
}

/// setsockopt(2).
pub fn set_option(socket: impl AsFd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
    let fd = socket.as_fd().as_raw_fd();
    let at = value.as_ptr().cast();
    // SAFETY: the call reads as many bytes as the slice has.
    check(unsafe { libc::setsockopt(fd, level, name, at, length(value)) }).map(drop)
}

/// getsockopt(2): fills `value`, parts of which may be a question; bytes of the answer.
pub fn option(socket: impl AsFd, level: i32, name: i32, value: &mut [u8]) -> Result<usize, Errno> {
    let fd = socket.as_fd().as_raw_fd();
    let mut len = length(value);
    let at = value.as_mut_ptr().cast();
    // SAFETY: the call writes at most `len` bytes, which the slice has.
    check(unsafe { libc::getsockopt(fd, level, name, at, &raw mut len) })?;
    usize::try_from(len).map_err(|_| EINVAL)
}

/// SO_ATTACH_FILTER: a program of `struct sock_filter`s, eight bytes each. `EINVAL` for one
/// that the host refuses.
pub fn attach_filter(socket: impl AsFd, code: &[[u8; 8]]) -> Result<(), Errno> {
    let filter = |&[a, b, jt, jf, k @ ..]: &[u8; 8]| libc::sock_filter {
        code: u16::from_ne_bytes([a, b]),
        jt,
        jf,
        k: u32::from_ne_bytes(k),
    };
    let mut code: Vec<_> = code.iter().map(filter).collect();
    let program = libc::sock_fprog {
        len: u16::try_from(code.len()).map_err(|_| EINVAL)?,
        filter: code.as_mut_ptr(),
    };
    let fd = socket.as_fd().as_raw_fd();
    let len = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or(0);
    // SAFETY: the call copies the program and the instructions that it points to, which live
    // until it returns.
    check(unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            len,
        )
    })
    .map(drop)
}

/// sendmsg(2): bytes that were taken; `EAGAIN`.
pub fn send(socket: impl AsFd, data: &[u8], message: Outgoing<'_>) -> Result<usize, Errno> {
    let mut part = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    let pointer = |bytes: &[u8]| match bytes {
        [] => ptr::null_mut(),
        bytes => bytes.as_ptr().cast_mut(),
    };
    let header = libc::msghdr {
        msg_name: pointer(message.address).cast(),
        msg_namelen: length(message.address),
        msg_iov: &raw mut part,
        msg_iovlen: 1,
        msg_control: pointer(message.control).cast(),
        msg_controllen: message.control.len(),
        msg_flags: 0,
    };
    let flags = message.flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the call reads what the header names with its length: slices that live. It
    // writes to none of it.
    check_size(unsafe { libc::sendmsg(fd, &raw const header, flags) })
}

/// recvmsg(2) into three buffers: data, the sender's address, ancillary data; `EAGAIN`.
pub fn receive(
    socket: impl AsFd,
    data: &mut [u8],
    address: &mut [u8],
    control: &mut [u8],
    flags: i32,
) -> Result<Received, Errno> {
    let mut part = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: data.len(),
    };
    let mut header = libc::msghdr {
        msg_name: address.as_mut_ptr().cast(),
        msg_namelen: length(address),
        msg_iov: &raw mut part,
        msg_iovlen: 1,
        msg_control: control.as_mut_ptr().cast(),
        msg_controllen: control.len(),
        msg_flags: 0,
    };
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the call writes at most the lengths that the header names, into slices that
    // nobody else has.
    let len = check_size(unsafe { libc::recvmsg(fd, &raw mut header, flags) })?;
    Ok(Received {
        len,
        address: usize::try_from(header.msg_namelen).unwrap_or(0),
        control: header.msg_controllen,
        flags: header.msg_flags,
    })
}

/// What of `events` (POLL*) a descriptor is ready for now; poll(2), which does not wait.
pub fn ready(file: impl AsFd, events: i16) -> Result<i16, Errno> {
    let mut asked = libc::pollfd {
        fd: file.as_fd().as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: the call reads and writes one pollfd, which lives.
    check(unsafe { libc::poll(&raw mut asked, 1, 0) })?;
    Ok(asked.revents)
}

/// A request of ioctl(2) that tells a number: [`UNREAD`] and its siblings.
pub fn count(socket: impl AsFd, request: libc::c_ulong) -> Result<i32, Errno> {
    if ![UNREAD, UNSENT, NOT_SENT, AT_MARK].contains(&request) {
        return Err(EINVAL);
    }
    let mut number: libc::c_int = 0;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: these requests fill in an int.
    check(unsafe { libc::ioctl(fd, request, &raw mut number) })?;
    Ok(number)
}

/// When the last packet came that was given to a program: [`STAMP`], [`STAMP_NS`].
pub fn stamp(socket: impl AsFd, request: libc::c_ulong) -> Result<[u8; 16], Errno> {
    if ![STAMP, STAMP_NS].contains(&request) {
        return Err(EINVAL);
    }
    let mut time = [0_u8; 16];
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: these requests fill in two words of 64 bits.
    check(unsafe { libc::ioctl(fd, request, time.as_mut_ptr()) })?;
    Ok(time)
}
