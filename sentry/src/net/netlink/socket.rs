//! The socket.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use syscalls::abi::net::{AF_NETLINK, AF_UNSPEC, MessageFlags, SOL_NETLINK, SockaddrNl};
use syscalls::abi::netlink::{
    NETLINK_ADD_MEMBERSHIP, NETLINK_DROP_MEMBERSHIP, NETLINK_KOBJECT_UEVENT,
    NETLINK_LIST_MEMBERSHIPS, NETLINK_LISTEN_ALL_NSID, NETLINK_ROUTE, NETLINK_SOCK_DIAG, NLM_F_ACK,
    NLM_F_DUMP, NLM_F_REQUEST,
};
use syscalls::errno::{
    EADDRINUSE, EAGAIN, ECONNREFUSED, EINVAL, ENOBUFS, ENOPROTOOPT, EOPNOTSUPP, EPERM,
    EPROTONOSUPPORT, ESOCKTNOSUPPORT,
};
use syscalls::{Errno, Stop};
use zerocopy::{FromBytes, IntoBytes};

use super::message::{Request, acknowledge, split};
use super::{diag, route};
use crate::net::{
    Address, Asked, Given, Kind, NetNamespace, Options, Outgoing, Received, Shutdown, Socket,
};
use crate::sync::{Level, Mutex};
use crate::task::{Capabilities, Current};
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, WaitQueue};

/// Numbers that sockets have, by protocol.
pub struct NetlinkPorts(Mutex<HashSet<(i32, u32)>>);

impl Default for NetlinkPorts {
    fn default() -> Self {
        NetlinkPorts(Mutex::new(Level::Ports, HashSet::new()))
    }
}

/// A socket of AF_NETLINK.
pub struct NetlinkSocket {
    /// Where it was made.
    namespace: Arc<NetNamespace>,
    kind: Kind,
    protocol: i32,
    options: Options,
    queue: WaitQueue,
    inner: Mutex<Inner>,
    /// The number that a socket gets that asks for none: the process's.
    process: u32,
}

#[derive(Default)]
struct Inner {
    /// 0 until bound.
    pid: u32,
    groups: u32,
    answers: VecDeque<Vec<u8>>,
    bytes: usize,
}

/// Who asks: some requests are for the privileged.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    pub(super) may_change: bool,
}

/// Options that are on or off: NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS,
/// NETLINK_LISTEN_ALL_NSID, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK.
const FLAGS: [i32; 7] = [3, 4, 5, 8, 10, 11, 12];

/// How many groups a protocol has.
fn groups(protocol: i32) -> u32 {
    match protocol {
        NETLINK_ROUTE => 36,
        _ => 32,
    }
}

/// Requests of one send, at most.
const MAX_SEND: usize = 212_992;

impl NetlinkSocket {
    /// A socket; `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`.
    pub fn create(task: &Current, kind: Kind, protocol: i32) -> Result<Arc<Self>, Errno> {
        if !matches!(kind, Kind::Raw | Kind::Datagram) {
            return Err(ESOCKTNOSUPPORT);
        }
        if !matches!(
            protocol,
            NETLINK_ROUTE | NETLINK_SOCK_DIAG | NETLINK_KOBJECT_UEVENT
        ) {
            return Err(EPROTONOSUPPORT.why("netlink protocol"));
        }
        Ok(Arc::new(NetlinkSocket {
            namespace: task.net.get(),
            kind,
            protocol,
            options: Options::default(),
            queue: WaitQueue::new(),
            inner: Mutex::new(Level::Endpoint, Inner::default()),
            process: u32::try_from(task.own_pid()).unwrap_or(0),
        }))
    }

    /// Takes the number `pid`, for 0 the process's or one that nobody has.
    fn take_number(&self, inner: &mut Inner, pid: u32) -> Result<(), Errno> {
        let mut taken = self.namespace.netlink.0.lock();
        if pid != 0 {
            if !taken.insert((self.protocol, pid)) {
                return Err(EADDRINUSE);
            }
            inner.pid = pid;
            return Ok(());
        }
        let others = (1..=u32::from(u16::MAX)).map(|n| u32::MAX - 4096 - n);
        let mut candidates = std::iter::once(self.process).chain(others);
        let free = candidates.find(|pid| taken.insert((self.protocol, *pid)));
        inner.pid = free.ok_or(EADDRINUSE)?;
        Ok(())
    }

    fn name(address: &Address) -> Result<SockaddrNl, Errno> {
        if i32::from(address.family) != AF_NETLINK {
            return Err(EINVAL);
        }
        let bytes = address.to_bytes();
        let (name, _) = SockaddrNl::read_from_prefix(&bytes).map_err(|_| EINVAL)?;
        Ok(name)
    }

    fn address(pid: u32, groups: u32) -> Address {
        let name = SockaddrNl {
            pid,
            groups,
            ..SockaddrNl::default()
        };
        Address {
            family: u16::try_from(AF_NETLINK).unwrap_or(0),
            data: name.as_bytes().get(2..).unwrap_or_default().to_vec(),
        }
    }

    /// Answers requests that were sent together.
    fn ask(&self, mut bytes: &[u8], asker: Asker) -> Result<(), Errno> {
        let pid = self.inner.lock().pid;
        while let Some((request, rest)) = split(bytes) {
            bytes = rest;
            let head = &request.head;
            // Kinds below this are the protocol's own.
            if head.flags & NLM_F_REQUEST == 0 || head.kind < 16 {
                continue;
            }
            let answer = self.answer(&request, pid, asker);
            let dumps = head.flags & NLM_F_DUMP == NLM_F_DUMP;
            match answer {
                Ok(datagrams) => {
                    self.queue_answers(datagrams);
                    if head.flags & NLM_F_ACK != 0 && !dumps {
                        self.queue_answers(vec![acknowledge(&request, pid, Ok(()))]);
                    }
                }
                Err(error) => {
                    self.queue_answers(vec![acknowledge(&request, pid, Err(error))]);
                }
            }
        }
        self.queue.notify(Ready::READABLE);
        Ok(())
    }

    fn answer(&self, request: &Request<'_>, pid: u32, asker: Asker) -> Result<Vec<Vec<u8>>, Errno> {
        let stack = &self.namespace.internet;
        match self.protocol {
            NETLINK_ROUTE => route::answer(stack, request, pid, asker),
            NETLINK_SOCK_DIAG => diag::answer(stack, request, pid),
            _ => Err(EOPNOTSUPP),
        }
    }

    fn queue_answers(&self, datagrams: Vec<Vec<u8>>) {
        let mut inner = self.inner.lock();
        for datagram in datagrams {
            inner.bytes += datagram.len();
            inner.answers.push_back(datagram);
        }
    }

    fn send_from(&self, src: &mut Source<'_>, asker: Asker) -> Result<usize, Errno> {
        let len = src.remaining();
        if len > MAX_SEND {
            return Err(syscalls::errno::EMSGSIZE);
        }
        {
            let mut inner = self.inner.lock();
            if inner.pid == 0 {
                self.take_number(&mut inner, 0)?;
            }
            // Whoever asks without listening is not answered any more.
            if inner.bytes > self.options.receive_limit() {
                return Err(ENOBUFS);
            }
        }
        let mut bytes = vec![0; len];
        let count = src.read(&mut bytes)?;
        self.ask(bytes.get(..count).unwrap_or_default(), asker)?;
        Ok(len)
    }
}

impl Socket for NetlinkSocket {
    fn family(&self) -> i32 {
        AF_NETLINK
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn deliver(&self, datagram: &[u8]) -> Result<(), Errno> {
        self.queue_answers(vec![datagram.to_vec()]);
        self.queue.notify(Ready::READABLE);
        Ok(())
    }

    fn protocol(&self) -> i32 {
        self.protocol
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, _: &Current, to: &Address) -> Result<(), Errno> {
        let name = Self::name(to)?;
        let mut inner = self.inner.lock();
        if inner.pid == 0 {
            self.take_number(&mut inner, name.pid)?;
        } else if name.pid != inner.pid && name.pid != 0 {
            return Err(EINVAL);
        }
        inner.groups = name.groups;
        Ok(())
    }

    fn connect(&self, _: &Current, to: &Address, _: bool) -> Result<(), Stop> {
        if i32::from(to.family) == AF_UNSPEC {
            return Ok(());
        }
        let name = Self::name(to)?;
        let mut inner = self.inner.lock();
        if inner.pid == 0 {
            self.take_number(&mut inner, 0)?;
        }
        if name.pid == 0 {
            Ok(())
        } else {
            Err(ECONNREFUSED.into())
        }
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        if message.flags.contains(MessageFlags::OOB) {
            return Err(EOPNOTSUPP);
        }
        if let Some(to) = &message.to
            && Self::name(to)?.pid != 0
        {
            return Err(ECONNREFUSED);
        }
        let creds = message.task.creds.get();
        let may_change = creds.has(Capabilities::NET_ADMIN);
        self.send_from(src, Asker { may_change })
    }

    fn send_plain(&self, src: &mut Source<'_>, _: MessageFlags) -> Result<usize, Errno> {
        self.send_from(src, Asker { may_change: false })
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        if flags.contains(MessageFlags::OOB) {
            return Err(EOPNOTSUPP);
        }
        let datagram = {
            let mut inner = self.inner.lock();
            if flags.contains(MessageFlags::PEEK) {
                inner.answers.front().cloned().ok_or(EAGAIN)?
            } else {
                let datagram = inner.answers.pop_front().ok_or(EAGAIN)?;
                inner.bytes = inner.bytes.saturating_sub(datagram.len());
                datagram
            }
        };
        let whole = datagram.len();
        let room = whole.min(dst.remaining());
        let count = dst.write(datagram.get(..room).unwrap_or_default())?;
        Ok(Received {
            count,
            whole,
            from: Some(Self::address(0, 0)),
            ..Received::default()
        })
    }

    fn shutdown(&self, _: Shutdown) -> Result<(), Errno> {
        Err(EOPNOTSUPP)
    }

    fn local(&self) -> Address {
        let inner = self.inner.lock();
        Self::address(inner.pid, inner.groups)
    }

    fn peer(&self) -> Result<Address, Errno> {
        Ok(Self::address(0, 0))
    }

    fn get_option(
        &self,
        _: &Current,
        level: i32,
        name: i32,
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        if level != SOL_NETLINK {
            return Err(ENOPROTOOPT);
        }
        let room = asked.room()?;
        match name {
            NETLINK_LIST_MEMBERSHIPS => Ok(Vec::new()),
            name if !FLAGS.contains(&name) => Err(ENOPROTOOPT),
            _ if room < 4 => Err(EINVAL),
            _ => Ok(self.options.kept(-name).to_ne_bytes().to_vec()),
        }
    }

    fn set_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        if level != SOL_NETLINK {
            return Err(ENOPROTOOPT);
        }
        // What is too short is 0.
        let number = if value.len() < 4 {
            0
        } else {
            value.number()?.cast_unsigned()
        };
        match name {
            NETLINK_ADD_MEMBERSHIP | NETLINK_DROP_MEMBERSHIP => {
                if number == 0 || number > groups(self.protocol) {
                    return Err(EINVAL);
                }
                // Nothing is ever told to a group.
                Ok(())
            }
            NETLINK_LISTEN_ALL_NSID if !task.creds.get().has(Capabilities::NET_BROADCAST) => {
                Err(EPERM)
            }
            name if FLAGS.contains(&name) => {
                // Apart from the numbers of SOL_SOCKET.
                self.options.keep(-name, i32::from(number != 0));
                Ok(())
            }
            _ => Err(ENOPROTOOPT),
        }
    }

    fn readable_bytes(&self) -> Result<usize, Errno> {
        Err(EOPNOTSUPP)
    }

    fn poll(&self) -> Ready {
        let mut ready = Ready::WRITABLE;
        ready.set(Ready::READABLE, !self.inner.lock().answers.is_empty());
        ready
    }

    fn queue(&self) -> &WaitQueue {
        &self.queue
    }
}

impl Drop for NetlinkSocket {
    fn drop(&mut self) {
        let pid = self.inner.get_mut().pid;
        let mut taken = self.namespace.netlink.0.lock();
        taken.remove(&(self.protocol, pid));
    }
}
