//! A socket of the host as calls see it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platform::host::{self, socket as calls};
use syscalls::abi::fs::{SIOCGSTAMP, SIOCGSTAMPNS, SIOCOUTQNSD};
use syscalls::abi::net::{
    IPPROTO_TCP, Linger, MessageFlags, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_ERROR, SO_LINGER,
    SOL_SOCKET, TCP_INFO,
};
use syscalls::errno::{EACCES, EAGAIN, EALREADY, EINPROGRESS, ENOTCONN, ENOTTY, ETIMEDOUT};
use syscalls::{Errno, Stop, SysResult, UserAddr};
use zerocopy::{FromBytes, IntoBytes};

use super::HostNetwork;
use super::message::{self, Messages as _};
use crate::fs::host::{Descriptor, Waits, Watcher};
use crate::namespace::UserNamespace;
use crate::net::inet::Family;
use crate::net::{Address, Asked, Given, Kind, Options, Outgoing, Received, Shutdown, Socket};
use crate::task::{Capabilities, Current};
use crate::vfs::{Sink, Source};
use crate::wait::{Deadline, Ready, WaitQueue};

/// See the module.
pub(super) struct HostSocket {
    pub(super) network: Arc<HostNetwork>,
    pub(super) descriptor: Descriptor,
    watcher: Watcher,
    /// Rights count in that of the name space that it was made in.
    pub(super) user: UserNamespace,
    pub(super) family: Family,
    pub(super) kind: Kind,
    protocol: i32,
    /// Those that the Sentry itself keeps to: how long calls wait.
    pub(super) options: Options,
    /// shutdown(2) ended reading: who waits for a datagram is told of the end.
    read_shut: AtomicBool,
    /// Who it was when it was accepted.
    accepted_from: Option<Address>,
}

/// Between looks at a connection that ends.
const LOOK: Duration = Duration::from_millis(5);
/// States of TCP_INFO in which something is not acknowledged: FIN_WAIT1, LAST_ACK, CLOSING.
const UNACKNOWLEDGED: [u8; 3] = [4, 9, 11];
/// SIOCATMARK.
const SIOCATMARK: u32 = 0x8905;

impl HostSocket {
    pub(super) fn new(
        task: &Current,
        network: &Arc<HostNetwork>,
        fd: OwnedFd,
        (family, kind, protocol): (Family, Kind, i32),
    ) -> Result<Arc<Self>, Errno> {
        let watcher = task.kernel.host_watcher()?;
        Ok(Arc::new(HostSocket {
            network: network.clone(),
            descriptor: Descriptor::new(fd, &watcher, Waits::Surely),
            watcher,
            user: task.net.get().user.clone(),
            family,
            kind,
            protocol,
            options: Options::default(),
            read_shut: AtomicBool::new(false),
            accepted_from: None,
        }))
    }

    /// bind(2) to a port for which the container's rules ask for no more than it has, though
    /// the host asks for more than the Sentry has.
    fn bind_by_privilege(&self, task: &Current, to: &Address) -> Result<(), Errno> {
        let port = to.data.first_chunk::<2>().ok_or(EACCES)?;
        // The first name space's, in which all of these were made.
        let stack = &task.kernel.internet;
        let first = stack.setting("net.ipv4.ip_unprivileged_port_start", 1024);
        let free = i64::from(u16::from_be_bytes(*port)) >= first;
        if !free
            && !task
                .creds
                .get()
                .has_in(&self.user, Capabilities::NET_BIND_SERVICE)
        {
            return Err(EACCES);
        }
        let fd = self.descriptor.fd().as_fd();
        self.network.maker.bind(fd, &to.to_bytes())
    }

    /// SO_LINGER, if close(2) is to wait.
    fn lingers(&self) -> Option<Duration> {
        let mut value = [0; size_of::<Linger>()];
        let known = calls::option(self.descriptor.fd(), SOL_SOCKET, SO_LINGER, &mut value);
        let linger = Linger::read_from_bytes(&value).ok()?;
        let seconds = u64::from(linger.linger.cast_unsigned());
        let waits = known.is_ok() && linger.onoff != 0 && seconds > 0;
        waits.then(|| Duration::from_secs(seconds))
    }

    /// True while something that was sent, or the end after it, is not acknowledged.
    fn is_ending(&self) -> bool {
        let mut info = [0; 8];
        let known = calls::option(self.descriptor.fd(), IPPROTO_TCP, TCP_INFO, &mut info);
        known.is_ok()
            && info
                .first()
                .is_some_and(|state| UNACKNOWLEDGED.contains(state))
    }

    fn count(&self, request: u64) -> Result<usize, Errno> {
        let count = calls::count(self.descriptor.fd(), request)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

impl Drop for HostSocket {
    fn drop(&mut self) {
        if self.kind != Kind::Stream {
            return;
        }
        // close(2) would make this thread wait, which no signal of the guest's could end.
        let fd = self.descriptor.fd();
        if self.lingers().is_some() {
            let off = Linger {
                onoff: 0,
                linger: 0,
            };
            let _ = calls::set_option(fd, SOL_SOCKET, SO_LINGER, off.as_bytes());
        }
    }
}

impl Socket for HostSocket {
    fn family(&self) -> i32 {
        self.family.raw()
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn protocol(&self) -> i32 {
        self.protocol
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn has_own(&self, level: i32, name: i32) -> bool {
        level != SOL_SOCKET || super::options::is_the_hosts(name)
    }

    fn take_error(&self) -> Option<Errno> {
        let mut value = [0; 4];
        calls::option(self.descriptor.fd(), SOL_SOCKET, SO_ERROR, &mut value).ok()?;
        match i32::from_ne_bytes(value) {
            0 => None,
            error => Some(Errno::from_raw(error)),
        }
    }

    fn bind(&self, task: &Current, to: &Address) -> Result<(), Errno> {
        match calls::bind(self.descriptor.fd(), &to.to_bytes()) {
            Err(EACCES) => self.bind_by_privilege(task, to),
            result => result,
        }
    }

    fn connect(&self, task: &Current, to: &Address, nonblocking: bool) -> Result<(), Stop> {
        let address = to.to_bytes();
        let fd = self.descriptor.fd();
        if nonblocking {
            return Ok(calls::connect(fd, &address)?);
        }
        let deadline = self.options.send_timeout().map(Deadline::after);
        // Asked again, the host tells how far the connection has come.
        let attempt = || match calls::connect(fd, &address) {
            Err(EINPROGRESS | EALREADY) => {
                self.descriptor.missed(Ready::WRITABLE);
                Err(EAGAIN.into())
            }
            // A host without a free port says this too.
            Err(EAGAIN) => Err(syscalls::errno::EADDRNOTAVAIL.into()),
            result => Ok(result?),
        };
        let mask = Ready::WRITABLE;
        match task.block_on(self.descriptor.queue(), mask, deadline, attempt) {
            Err(Stop::Errno(ETIMEDOUT)) if deadline.is_some_and(|d| d.left().is_none()) => {
                Err(EINPROGRESS.into())
            }
            result => result,
        }
    }

    fn listen(&self, _: &Current, backlog: i32) -> Result<(), Errno> {
        calls::listen(self.descriptor.fd(), backlog)
    }

    fn accept(&self) -> Result<Arc<dyn Socket>, Errno> {
        let (fd, peer) = calls::accept(self.descriptor.fd()).inspect_err(|&error| {
            if error == EAGAIN {
                self.descriptor.missed(Ready::READABLE);
            }
        })?;
        self.descriptor.used(Ready::READABLE);
        Ok(Arc::new(HostSocket {
            network: self.network.clone(),
            descriptor: Descriptor::new(fd, &self.watcher, Waits::Surely),
            watcher: self.watcher.clone(),
            user: self.user.clone(),
            family: self.family,
            kind: self.kind,
            protocol: self.protocol,
            options: self.options.inherit(),
            read_shut: AtomicBool::new(false),
            accepted_from: Address::from_bytes(&peer),
        }))
    }

    fn accepted_from(&self) -> Address {
        let named = self.accepted_from.clone();
        named.unwrap_or_else(Address::unnamed)
    }

    fn linger(&self, task: &Current) {
        if self.kind != Kind::Stream {
            return;
        }
        let Some(most) = self.lingers() else { return };
        // What is left unread makes the end a reset, at once.
        let unread = self.readable_bytes().is_ok_and(|count| count > 0);
        if unread || calls::shutdown(self.descriptor.fd(), SHUT_WR).is_err() {
            return;
        }
        let until = Deadline::after(most);
        // The host tells nobody of the last acknowledgement.
        while self.is_ending()
            && let Some(left) = until.left()
            && task.sleep(Some(Deadline::after(left.min(LOOK)))).is_ok()
        {}
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        let address = message.to.as_ref().map(Address::to_bytes);
        let control = message::control(&message.control.notes)?;
        let outgoing = calls::Outgoing {
            address: address.as_deref().unwrap_or_default(),
            control: &control,
            flags: message::flags(message.flags),
        };
        self.descriptor.send(self.kind, src, outgoing)
    }

    fn send_plain(&self, src: &mut Source<'_>, flags: MessageFlags) -> Result<usize, Errno> {
        let outgoing = calls::Outgoing {
            flags: message::flags(flags),
            ..calls::Outgoing::default()
        };
        self.descriptor.send(self.kind, src, outgoing)
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        match self.descriptor.receive(self.kind, dst, flags) {
            Err(EAGAIN)
                if self.read_shut.load(Ordering::Relaxed)
                    && !flags.intersects(MessageFlags::DONTWAIT | MessageFlags::ERRQUEUE) =>
            {
                Ok(Received::default())
            }
            received => received,
        }
    }

    fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        self.read_shut.fetch_or(how.read, Ordering::Relaxed);
        let how = match (how.read, how.write) {
            (true, true) => SHUT_RDWR,
            (true, false) => SHUT_RD,
            _ => SHUT_WR,
        };
        calls::shutdown(self.descriptor.fd(), how)
    }

    fn local(&self) -> Address {
        let bytes = calls::local(self.descriptor.fd()).unwrap_or_default();
        Address::from_bytes(&bytes).unwrap_or_else(Address::unnamed)
    }

    fn peer(&self) -> Result<Address, Errno> {
        let bytes = calls::peer(self.descriptor.fd())?;
        Address::from_bytes(&bytes).ok_or(ENOTCONN)
    }

    fn get_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        self.own_option(task, level, name, asked)
    }

    fn set_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        self.change_own_option(task, level, name, value)
    }

    fn is_listening(&self) -> bool {
        self.number(SOL_SOCKET, syscalls::abi::net::SO_ACCEPTCONN) == Ok(1)
    }

    fn readable_bytes(&self) -> Result<usize, Errno> {
        host::tty::readable_bytes(self.descriptor.fd())
    }

    fn unsent_bytes(&self) -> Result<usize, Errno> {
        self.count(calls::UNSENT)
    }

    fn ioctl(&self, task: &mut Current, command: u32, argument: u64) -> SysResult {
        let at = UserAddr::new(argument);
        let request = match command {
            SIOCGSTAMP | SIOCGSTAMPNS => {
                let time = calls::stamp(self.descriptor.fd(), command.into())?;
                task.mem().write_slice(at.cast::<u8>(), &time)?;
                return Ok(0);
            }
            SIOCOUTQNSD => calls::NOT_SENT,
            SIOCATMARK => calls::AT_MARK,
            _ => return Err(ENOTTY.into()),
        };
        let count = i32::try_from(self.count(request)?).unwrap_or(i32::MAX);
        task.mem().write(at.cast(), &count)?;
        Ok(0)
    }

    fn poll(&self) -> Ready {
        self.descriptor.poll()
    }

    fn queue(&self) -> &WaitQueue {
        self.descriptor.queue()
    }
}
