//! A service manager's socket inside, sd_notify(3): what the container says on it is heard by
//! whoever has started it.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::abi::net::{AF_UNIX, MessageFlags};
use syscalls::errno::EINVAL;

use crate::net::unix::UnixSocket;
use crate::net::{Address, Kind, Socket};
use crate::task::Current;
use crate::vfs::{Mode, MountFlags, SetAttr, Sink, Walking};
use crate::wait::{Ready, Registration, Wake};

/// What the first word of a line is that says so.
const READY: &[u8] = b"READY=";
/// Longer messages are cut, bytes.
const MAX: usize = 4096;

/// The end that hears.
pub struct Ear(Arc<UnixSocket>);

impl Ear {
    /// Makes a socket of that name, which everybody may send to, in a file system that is
    /// mounted for it alone. `task` acts with all rights of the kernel.
    pub(super) fn open(task: &Current, path: &[u8]) -> Result<Self, Errno> {
        let socket = UnixSocket::new(task, Kind::Datagram);
        let address = Address {
            family: u16::try_from(AF_UNIX).map_err(|_| EINVAL)?,
            data: path.to_vec(),
        };
        socket.bind(task, &address)?;
        let node = task.walk(path, Walking::empty())?;
        let mount = &node.mount;
        node.inode().set_attr(&SetAttr {
            mode: Some(Mode::from_raw(0o777)),
            ..SetAttr::default()
        })?;
        mount.set_flags(mount.flags() | MountFlags::READ_ONLY);
        Ok(Ear(socket))
    }

    /// The line that says that the service is ready, once it has come.
    #[must_use]
    pub fn ready(&self) -> Option<Vec<u8>> {
        let mut message = vec![0; MAX];
        // Descriptors that come along are dropped: their sender may wait for just that.
        while let Ok(received) = self
            .0
            .receive(&mut Sink::kernel(&mut message), MessageFlags::DONTWAIT)
        {
            let message = message.get(..received.count).unwrap_or_default();
            let mut lines = message.split(|&byte| byte == b'\n');
            if let Some(line) = lines.find(|line| line.starts_with(READY)) {
                return Some(line.to_vec());
            }
        }
        None
    }

    /// Has `waker` told of messages.
    pub fn tell(&self, waker: Arc<dyn Wake>) -> Registration {
        self.0.queue().register(waker, Ready::READABLE)
    }
}
