//! The socket between the command line and each process that it starts: packets of JSON.
//! Its end of file tells each side that the other is gone.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Outcome};

/// From a started process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// It ends, for this reason.
    Failed(String),
}

/// To the Sentry.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// The signal goes to the container's first process.
    Signal(i32),
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

/// Receives a packet. `None` at the end, for a packet that means nothing, and, if `wait` is
/// not allowed, where there is none.
pub(super) fn hear<T: DeserializeOwned>(socket: impl AsFd, wait: Wait) -> Option<T> {
    let mut buffer = [0; MAX];
    let flags = match wait {
        Wait::Yes => MsgFlags::empty(),
        Wait::No => MsgFlags::MSG_DONTWAIT,
    };
    loop {
        match recv(socket.as_fd().as_raw_fd(), &mut buffer, flags) {
            Err(Errno::EINTR) => {}
            Err(_) | Ok(0) => return None,
            Ok(len) => return serde_json::from_slice(buffer.get(..len)?).ok(),
        }
    }
}

/// Whether to wait for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Yes,
    No,
}
