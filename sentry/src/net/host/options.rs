//! Options of the host's sockets: those of one list are set and asked there.

use std::os::fd::AsFd;

use platform::host::socket as calls;
use platform::seccomp::sockets::{SocketOption, option};
use syscalls::Errno;
use syscalls::abi::net::{
    IP_MSFILTER, IPV6_FLOWLABEL_MGR, MCAST_MSFILTER, SO_ATTACH_FILTER, SO_DETACH_FILTER,
    SO_LOCK_FILTER, SO_ZEROCOPY, SOL_IP, SOL_IPV6, SOL_SOCKET,
};
use syscalls::abi::task::{SockFilter, SockFprog};
use syscalls::errno::{EINVAL, ENOPROTOOPT, EOPNOTSUPP, EPERM};
use zerocopy::{FromBytes, IntoBytes};

use super::maker::PRIVILEGED;
use super::socket::HostSocket;
use crate::net::inet::Family;
use crate::net::{Asked, Given, Kind};
use crate::task::{Capabilities, Current};

/// The most bytes of a value.
const MAX: usize = 4096;

/// True for an option of SOL_SOCKET that the Sentry does not keep itself.
pub(super) fn is_the_hosts(name: i32) -> bool {
    matches!(name, SO_ATTACH_FILTER | SO_ZEROCOPY) || option(SOL_SOCKET, name).is_some()
}

fn find(level: i32, name: i32) -> Result<SocketOption, Errno> {
    option(level, name).ok_or_else(|| ENOPROTOOPT.why("an option of the host's sockets"))
}

/// Part of the question stands where the answer goes.
fn asks_by_value(level: i32, name: i32) -> bool {
    matches!(
        (level, name),
        (SOL_IP, IP_MSFILTER | MCAST_MSFILTER) | (SOL_IPV6, MCAST_MSFILTER | IPV6_FLOWLABEL_MGR)
    )
}

impl HostSocket {
    /// An option that is a number.
    pub(super) fn number(&self, level: i32, name: i32) -> Result<i32, Errno> {
        let mut value = [0; 4];
        calls::option(self.descriptor.fd(), level, name, &mut value)?;
        Ok(i32::from_ne_bytes(value))
    }

    pub(super) fn own_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        if (level, name) == (SOL_SOCKET, SO_ZEROCOPY) {
            return Ok(vec![0; 4]);
        }
        let known = find(level, name).map_err(|error| match (level, self.family) {
            (SOL_IPV6, Family::V4) => EOPNOTSUPP,
            _ => error,
        })?;
        let room = asked.room()?.min(known.max.max(4));
        let mut value = vec![0; room];
        if asks_by_value(level, name) {
            value = task.mem().read_slice(asked.at, room)?;
        }
        let len = calls::option(self.descriptor.fd(), level, name, &mut value)?;
        value.truncate(len);
        Ok(value)
    }

    pub(super) fn change_own_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        match (level, name) {
            (SOL_SOCKET, SO_ATTACH_FILTER) => return self.attach_filter(task, value),
            (SOL_SOCKET, SO_DETACH_FILTER) => {
                value.number()?;
                self.options.detach_filter()?;
            }
            (SOL_SOCKET, SO_LOCK_FILTER) => self.options.lock_filter(value.number()? != 0)?,
            (SOL_SOCKET, SO_ZEROCOPY) => return Err(EOPNOTSUPP.why("SO_ZEROCOPY")),
            _ => {}
        }
        let known = find(level, name)?;
        // The host hears how long the value is, and is given what it looks at.
        let len = value.len().min(MAX);
        let mut bytes = match known.max.min(len) {
            0 => Vec::new(),
            _ if value.is_null() && level == SOL_IPV6 => Vec::new(),
            count => value.first(count)?,
        };
        bytes.resize(len, 0);
        let fd = self.descriptor.fd();
        match calls::set_option(fd, level, name, &bytes) {
            Err(EPERM) if PRIVILEGED.contains(&(level, name)) => {
                let creds = task.creds.get();
                let rights = [Capabilities::NET_RAW, Capabilities::NET_ADMIN];
                if !rights.iter().any(|&right| creds.has_in(&self.user, right)) {
                    return Err(EPERM);
                }
                let maker = &self.network.maker;
                maker.set_option(fd.as_fd(), (level, name), &bytes)
            }
            result => result,
        }
    }

    fn attach_filter(&self, task: &Current, value: Given<'_>) -> Result<(), Errno> {
        value.number()?;
        // Streams that lose parts are no streams any more.
        if self.kind == Kind::Stream
            && !task.creds.get().has_in(&self.user, Capabilities::NET_ADMIN)
        {
            return Err(EPERM);
        }
        // What the Sentry's own sockets do not take is not for the host either.
        self.options.attach_filter(task, value)?;
        let bytes = value.prefix::<{ size_of::<SockFprog>() }>()?;
        let given = SockFprog::read_from_bytes(&bytes).map_err(|_| EINVAL)?;
        let code: Vec<SockFilter> = task.mem().read_slice(given.filter, given.len.into())?;
        let (code, _) = code.as_bytes().as_chunks::<8>();
        calls::attach_filter(self.descriptor.fd(), code).inspect_err(|_| {
            // The host has judged it, and has none.
            let _ = self.options.detach_filter();
        })
    }
}
