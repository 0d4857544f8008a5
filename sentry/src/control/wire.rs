//! Messages on a stream socket: the length and the number of descriptors, four bytes each,
//! then JSON. The descriptors come with the first byte.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use platform::host::fdpass;
use serde::Serialize;
use serde::de::DeserializeOwned;
use syscalls::Errno;
use syscalls::errno::{EBADMSG, ECONNRESET, EINTR, EMSGSIZE};

/// The longest message, bytes: arguments and environment of a process fit.
const MAX: usize = 8 << 20;
/// Length of the two numbers.
const HEADER: usize = 8;
/// Read at once, bytes.
const CHUNK: usize = 64 << 10;

/// One side of a connection.
pub struct Connection {
    socket: OwnedFd,
    /// Read of the message that is on its way; never more, so that another process can go
    /// on with the socket.
    read: Vec<u8>,
    fds: VecDeque<OwnedFd>,
}

impl Connection {
    /// Over a connected stream socket.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Connection {
            socket,
            read: Vec::new(),
            fds: VecDeque::new(),
        }
    }

    /// The socket: readable when a message, or the end, has come.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The socket, for another process to go on with.
    #[must_use]
    pub fn into_socket(self) -> OwnedFd {
        self.socket
    }

    /// Sends a message. `EMSGSIZE` if it is too long, `EPIPE` if the peer is gone.
    pub fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let text = serde_json::to_vec(message).map_err(|_| EBADMSG)?;
        let len = u32::try_from(text.len()).ok().filter(|_| text.len() <= MAX);
        let mut bytes = len.ok_or(EMSGSIZE)?.to_le_bytes().to_vec();
        let count = u32::try_from(fds.len()).map_err(|_| EMSGSIZE)?;
        bytes.extend(count.to_le_bytes());
        bytes.extend(text);
        let (mut left, mut fds) = (bytes.as_slice(), fds);
        while !left.is_empty() {
            match fdpass::send(&self.socket, left, fds) {
                Ok(sent) => {
                    left = left.get(sent..).unwrap_or_default();
                    fds = &[];
                }
                Err(EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Receives a message and its descriptors; `None` at the end of the
    /// stream. `ECONNRESET` if it ends within a message, `EBADMSG` and `EMSGSIZE` for what
    /// is none: the connection is of no use then.
    pub fn receive<M: DeserializeOwned>(&mut self) -> Result<Option<(M, Vec<OwnedFd>)>, Errno> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let missing = match self.length()? {
                Some((len, count)) if self.read.len() >= len => return self.take(count).map(Some),
                Some((len, _)) => len.saturating_sub(self.read.len()),
                None => HEADER.saturating_sub(self.read.len()),
            };
            let room = chunk.get_mut(..missing.min(CHUNK)).unwrap_or_default();
            let received = match fdpass::receive(&self.socket, room) {
                Err(EINTR) => continue,
                result => result?,
            };
            if received.len == 0 {
                return if self.read.is_empty() {
                    Ok(None)
                } else {
                    Err(ECONNRESET)
                };
            }
            self.read.extend(chunk.iter().take(received.len));
            self.fds.extend(received.fds);
            if self.fds.len() > fdpass::MAX_FDS {
                return Err(EMSGSIZE);
            }
        }
    }

    /// Length of the message with its header, and the number of its descriptors, once the
    /// header is there.
    fn length(&self) -> Result<Option<(usize, usize)>, Errno> {
        let Some(&[a, b, c, d, e, f, g, h]) = self.read.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let number = |bytes| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        let (len, count) = (number([a, b, c, d]), number([e, f, g, h]));
        if len > MAX {
            return Err(EMSGSIZE);
        }
        Ok(Some((HEADER.saturating_add(len), count)))
    }

    /// Takes the message that is there, with `count` descriptors.
    fn take<M: DeserializeOwned>(&mut self, count: usize) -> Result<(M, Vec<OwnedFd>), Errno> {
        let read = std::mem::take(&mut self.read);
        let text = read.get(HEADER..).unwrap_or_default();
        let message = serde_json::from_slice(text).map_err(|_| EBADMSG)?;
        if count > self.fds.len() {
            return Err(EBADMSG);
        }
        Ok((message, self.fds.drain(..count).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::net::UnixStream;

    use nix::unistd::{pipe, write};
    use syscalls::errno::{EBADMSG, ECONNRESET, EMSGSIZE};

    use super::Connection;
    use crate::control::{Answer, Request, Target};

    fn pair() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        (Connection::new(OwnedFd::from(ours)), theirs)
    }

    #[test]
    fn messages_that_arrive_together_are_told_apart() {
        let (mut ours, theirs) = pair();
        let theirs = Connection::new(theirs.into());
        let (reader, _writer) = pipe().expect("pipe");
        theirs.send(&Request::Start, &[]).expect("sent");
        let signal = Request::Signal(Target::All, 15);
        theirs.send(&signal, &[reader.as_fd()]).expect("sent");
        let (first, fds) = ours.receive::<Request>().expect("whole").expect("there");
        assert!(matches!(first, Request::Start) && fds.is_empty());
        let (second, fds) = ours.receive::<Request>().expect("whole").expect("there");
        assert!(matches!(second, Request::Signal(Target::All, 15)));
        assert_eq!(fds.len(), 1);
        drop(theirs);
        assert!(ours.receive::<Request>().expect("an end").is_none());
    }

    #[test]
    fn a_long_message_arrives_whole() {
        let (mut ours, theirs) = pair();
        let theirs = Connection::new(theirs.into());
        let long = "x".repeat(3 << 20);
        let sent = long.clone();
        let sender = std::thread::spawn(move || theirs.send(&Answer::Failed(sent), &[]));
        let got = ours.receive::<Answer>().expect("whole").expect("there").0;
        sender.join().expect("thread").expect("sent");
        assert!(matches!(got, Answer::Failed(text) if text == long));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (bytes, expected) in [
            (&b"\xff\xff\xff\xff\0\0\0\0"[..], EMSGSIZE),
            (b"\x02\0\0\0\0\0\0\0{]", EBADMSG),
            (b"\x07\0\0\0\x01\0\0\0\"Start\"", EBADMSG),
            (b"\x06\0\0\0\0\0\0\0\"Frob\"", EBADMSG),
            (b"\x09\0\0\0\0\0\0\0\"St", ECONNRESET),
            (b"\x09", ECONNRESET),
        ] {
            let (mut ours, theirs) = pair();
            write(&theirs, bytes).expect("sent");
            drop(theirs);
            assert_eq!(ours.receive::<Request>().err(), Some(expected), "{bytes:?}");
        }
    }
}
