//! Sockets of AF_UNIX, unix(7).

mod connection;
mod inbox;
mod list;
mod name;
mod options;
mod socket;

use syscalls::Errno;
use syscalls::abi::net::MessageFlags;

pub use self::connection::UnixSocket;
pub use self::list::Listed;
pub use self::name::AbstractNames;

use super::Socket;
use crate::vfs::Source;

/// write(2) on a socket: a send without anything else.
pub(super) fn write(socket: &dyn Socket, src: &mut Source<'_>) -> Result<usize, Errno> {
    socket.send_plain(src, MessageFlags::empty())
}
