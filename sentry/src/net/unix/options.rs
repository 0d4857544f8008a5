//! Options that ask who is at the other end, unix(7).

use syscalls::Errno;
use syscalls::abi::net::{SO_PEERGROUPS, SO_PEERPIDFD, SO_PEERSEC, SOL_SOCKET};
use syscalls::errno::{ENODATA, ENOPROTOOPT, EOPNOTSUPP};

use super::UnixSocket;
use crate::fd::CloseOnExec;
use crate::net::{Asked, Socket as _};
use crate::task::Current;

impl UnixSocket {
    pub(super) fn own_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        if level != SOL_SOCKET {
            return Err(EOPNOTSUPP);
        }
        match name {
            SO_PEERGROUPS => {
                let peer = self.peer_identity().ok_or(ENODATA)?;
                let groups = peer.groups_seen_by(task);
                let bytes = groups.iter().flat_map(|group| group.to_ne_bytes());
                Ok(bytes.collect())
            }
            SO_PEERPIDFD => {
                asked.room()?;
                let peer = self.peer_identity().ok_or(ENODATA)?;
                let file = peer.pidfd(task)?;
                let fd = task.reserve_fd()?.fill(file, CloseOnExec::Yes);
                Ok(fd.0.to_ne_bytes().to_vec())
            }
            // Without a security module there is no label.
            SO_PEERSEC => Err(ENOPROTOOPT),
            _ => Err(ENOPROTOOPT),
        }
    }
}
