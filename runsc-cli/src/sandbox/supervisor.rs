//! The socket between the command line and each process that it starts: packets of JSON.
//! Its end of file tells each side that the other is gone. One packet is plain text: the last
//! words of a process whose filter refused a call, written by its signal handler.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Outcome};

/// From a started process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The first process is ready to run its program.
    Ready,
    /// It ends, for this reason.
    Failed(String),
}

/// To the Sentry.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// The signal goes to the container's first process.
    Signal(i32),
    /// The first process runs its program.
    Start,
    /// The sandbox is known to those who will need it: from now on the end of the command
    /// line means nothing.
    Stay,
}

/// The longest packet, bytes.
const MAX: usize = 16 << 10;

/// A new pair: the command line's end first.
pub(super) fn pair() -> Outcome<(OwnedFd, OwnedFd)> {
    socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .context("a pair of sockets")
}

/// Sends a packet; never waits for a peer that does not read.
pub(super) fn tell(socket: impl AsFd, message: &impl Serialize) -> Outcome<()> {
    let mut text = serde_json::to_vec(message).context("a message")?;
    text.truncate(MAX);
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    send(socket.as_fd().as_raw_fd(), &text, flags)
        .map(drop)
        .context("a message")
}

/// Receives an order. `None` at the end, and for a packet that means nothing.
pub(super) fn hear_order(socket: impl AsFd) -> Option<Order> {
    serde_json::from_slice(&receive(socket, MsgFlags::empty())?).ok()
}

/// Receives a failure that was reported, if there is one.
pub(super) fn hear_failure(socket: impl AsFd) -> Option<String> {
    loop {
        match understand(&receive(socket.as_fd(), MsgFlags::MSG_DONTWAIT)?) {
            Report::Ready => {}
            Report::Failed(message) => return Some(message),
        }
    }
}

/// Waits for a report; `None` if the peer ends without one.
pub(super) fn await_report(socket: impl AsFd) -> Option<Report> {
    Some(understand(&receive(socket, MsgFlags::empty())?))
}

fn understand(packet: &[u8]) -> Report {
    let last_words = || Report::Failed(String::from_utf8_lossy(packet).trim_end().to_owned());
    serde_json::from_slice(packet).unwrap_or_else(|_| last_words())
}

fn receive(socket: impl AsFd, flags: MsgFlags) -> Option<Vec<u8>> {
    let mut buffer = vec![0; MAX];
    loop {
        match recv(socket.as_fd().as_raw_fd(), &mut buffer, flags) {
            Err(Errno::EINTR) => {}
            Err(_) | Ok(0) => return None,
            Ok(len) => {
                buffer.truncate(len);
                return Some(buffer);
            }
        }
    }
}
