//! File descriptors over Unix sockets, SCM_RIGHTS in unix(7).

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, sendmsg,
};
use syscalls::Errno;
use syscalls::errno::EMSGSIZE;

use super::errno;

/// The most descriptors in one message, as in the kernel (SCM_MAX_FD).
pub const MAX_FDS: usize = 253;

/// Sends `data` (at least one byte) together with `fds`, at most [`MAX_FDS`]. Never
/// raises SIGPIPE: `EPIPE` says that the peer is gone. Returns bytes sent.
pub fn send(socket: impl AsFd, data: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    if fds.len() > MAX_FDS {
        return Err(EMSGSIZE);
    }
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    let parts = [IoSlice::new(data)];
    let socket = socket.as_fd().as_raw_fd();
    sendmsg::<()>(socket, &parts, control, MsgFlags::MSG_NOSIGNAL, None).map_err(errno)
}

/// What [`receive`] got.
#[derive(Debug)]
pub struct Received {
    /// Bytes written to the buffer; 0 with no descriptors at the end of the stream.
    pub len: usize,
    /// Descriptors, in the order sent, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// The sender's process id as the kernel attests it, where the socket has SO_PASSCRED.
    pub sender: Option<i32>,
}

/// Receives a message. `EMSGSIZE` if it carried, on a packet socket, more bytes than
/// `buffer` holds; nothing of it is kept then.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<Received, Errno> {
    // Room for all that can come: what does not fit would be installed and lost.
    let mut control = nix::cmsg_space!([RawFd; MAX_FDS], UnixCredentials);
    let mut parts = [IoSliceMut::new(buffer)];
    let socket = socket.as_fd().as_raw_fd();
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket, &mut parts, Some(&mut control), flags).map_err(errno)?;
    let mut fds = Vec::new();
    let mut sender = None;
    for part in message.cmsgs().map_err(errno)? {
        match part {
            ControlMessageOwned::ScmRights(received) => {
                // SAFETY: the kernel has just installed these descriptors for us alone.
                let owned = received
                    .into_iter()
                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
                fds.extend(owned);
            }
            ControlMessageOwned::ScmCredentials(credentials) => sender = Some(credentials.pid()),
            _ => {}
        }
    }
    if message.flags.contains(MsgFlags::MSG_TRUNC) {
        return Err(EMSGSIZE);
    }
    Ok(Received {
        len: message.bytes,
        fds,
        sender,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use nix::unistd::{pipe, read, write};

    #[test]
    fn a_pipe_travels() {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        let (reader, writer) = pipe().unwrap();
        send(&ours, b"take", &[writer.as_fd()]).unwrap();
        drop(writer);
        let mut buffer = [0; 16];
        let got = receive(&theirs, &mut buffer).unwrap();
        assert_eq!(&buffer[..got.len], b"take");
        write(&got.fds[0], b"x").unwrap();
        drop(got);
        assert_eq!(read(&reader, &mut buffer), Ok(1));
        assert_eq!(read(&reader, &mut buffer), Ok(0));

        send(&ours, b"too long for it", &[]).unwrap();
        assert_eq!(receive(&theirs, &mut buffer[..4]).err(), Some(EMSGSIZE));
        drop(ours);
        assert_eq!(receive(&theirs, &mut buffer).unwrap().len, 0);
    }
}
