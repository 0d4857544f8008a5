//! The socket.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use syscalls::abi::net::{AF_NETLINK, AF_UNSPEC, MessageFlags, SOL_NETLINK, SockaddrNl};
use syscalls::abi::netlink::{
    NETLINK_ADD_MEMBERSHIP, NETLINK_DROP_MEMBERSHIP, NETLINK_GENERIC, NETLINK_KOBJECT_UEVENT,
    NETLINK_LIST_MEMBERSHIPS, NETLINK_LISTEN_ALL_NSID, NETLINK_ROUTE, NETLINK_SOCK_DIAG,
    NETLINK_USERSOCK, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST,
};
use syscalls::errno::{
    EADDRINUSE, EAGAIN, ECONNREFUSED, EINVAL, ENOBUFS, ENODATA, ENOPROTOOPT, ENOTTY, EOPNOTSUPP,
    EPERM, EPROTONOSUPPORT, ESOCKTNOSUPPORT,
};
use syscalls::{Errno, Stop};
use zerocopy::{FromBytes, IntoBytes};

use super::message::{Request, acknowledge, split};
use super::{diag, generic, route};
use crate::namespace::UserNamespace;
use crate::net::{
    Address, Asked, Given, Kind, NetNamespace, Options, Outgoing, Received, Shutdown, Socket,
};
use crate::sync::{Level, Mutex};
use crate::task::{Capabilities, Current, Task, of_this_thread};
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, WaitQueue};

/// Numbers that sockets have, by protocol.
pub struct NetlinkPorts(Mutex<HashMap<(i32, u32), Weak<NetlinkSocket>>>);

impl Default for NetlinkPorts {
    fn default() -> Self {
        NetlinkPorts(Mutex::new(Level::Ports, HashMap::new()))
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
    this: Weak<NetlinkSocket>,
}

#[derive(Default)]
struct Inner {
    /// 0 until bound.
    pid: u32,
    /// NETLINK_ADD_MEMBERSHIP: a bit for each group.
    groups: u64,
    /// There was a group, once.
    grouped: bool,
    /// connect(2): number and groups.
    peer: (u32, u32),
    /// What is to be received, and the number of who sent it.
    answers: VecDeque<(Vec<u8>, u32)>,
    bytes: usize,
}

/// Who asks: some requests are for the privileged.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    pub(super) may_change: bool,
}

impl Asker {
    fn new(task: &Task, user: &UserNamespace) -> Self {
        let creds = task.creds.get();
        Asker {
            may_change: creds.has_in(user, Capabilities::NET_ADMIN),
        }
    }
}

/// Options that are on or off: NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS,
/// NETLINK_LISTEN_ALL_NSID, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK.
const FLAGS: [i32; 7] = [3, 4, 5, 8, 10, 11, 12];

/// The lower and the upper half.
fn words(groups: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = groups.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

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
            NETLINK_ROUTE
                | NETLINK_USERSOCK
                | NETLINK_SOCK_DIAG
                | NETLINK_KOBJECT_UEVENT
                | NETLINK_GENERIC
        ) {
            return Err(EPROTONOSUPPORT.why("netlink protocol"));
        }
        Ok(Arc::new_cyclic(|this| NetlinkSocket {
            namespace: task.net.get(),
            kind,
            protocol,
            options: Options::default(),
            queue: WaitQueue::new(),
            inner: Mutex::new(Level::Endpoint, Inner::default()),
            process: u32::try_from(task.own_pid()).unwrap_or(0),
            this: this.clone(),
        }))
    }

    /// Takes the number `pid`, for 0 the process's or one that nobody has.
    fn take_number(&self, inner: &mut Inner, pid: u32) -> Result<(), Errno> {
        let mut taken = self.namespace.netlink.0.lock();
        if pid != 0 {
            if taken.contains_key(&(self.protocol, pid)) {
                return Err(EADDRINUSE);
            }
            taken.insert((self.protocol, pid), self.this.clone());
            inner.pid = pid;
            return Ok(());
        }
        let others = (1..=u32::from(u16::MAX)).map(|n| u32::MAX - 4096 - n);
        let mut candidates = std::iter::once(self.process).chain(others);
        let free = candidates.find(|pid| !taken.contains_key(&(self.protocol, *pid)));
        inner.pid = free.ok_or(EADDRINUSE)?;
        taken.insert((self.protocol, inner.pid), self.this.clone());
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

    /// Whether others than the kernel may be written to.
    fn may_tell_users(&self, asker: Asker) -> bool {
        asker.may_change || self.protocol == NETLINK_USERSOCK
    }

    /// Puts a message into another socket; `ECONNREFUSED` if nobody has the number.
    fn tell(&self, bytes: &[u8], pid: u32) -> Result<(), Errno> {
        let from = self.inner.lock().pid;
        let other = {
            let all = self.namespace.netlink.0.lock();
            all.get(&(self.protocol, pid)).and_then(Weak::upgrade)
        };
        other.ok_or(ECONNREFUSED)?.take_in(bytes, from);
        Ok(())
    }

    fn tell_groups(&self, bytes: &[u8], groups: u32) {
        let from = self.inner.lock().pid;
        let all: Vec<_> = {
            let all = self.namespace.netlink.0.lock();
            let fits = all
                .iter()
                .filter(|((protocol, _), _)| *protocol == self.protocol);
            fits.filter_map(|(_, socket)| socket.upgrade()).collect()
        };
        for other in all {
            let member = other.inner.lock().groups & u64::from(groups) != 0;
            if member && !std::ptr::eq(&*other, self) {
                other.take_in(bytes, from);
            }
        }
    }

    fn take_in(&self, bytes: &[u8], from: u32) {
        {
            let mut inner = self.inner.lock();
            if inner.bytes > self.options.receive_limit() {
                return;
            }
            inner.bytes += bytes.len();
            inner.answers.push_back((bytes.to_vec(), from));
        }
        self.queue.notify(Ready::READABLE);
    }

    /// Answers requests that were sent together.
    fn ask(&self, mut bytes: &[u8], asker: Asker) -> Result<(), Errno> {
        let pid = self.inner.lock().pid;
        while let Some((request, rest)) = split(bytes) {
            bytes = rest;
            let head = &request.head;
            if head.flags & NLM_F_REQUEST == 0 {
                continue;
            }
            // Kinds below this are the protocol's own.
            let answer = if head.kind < 16 {
                Ok(Vec::new())
            } else {
                self.answer(&request, pid, asker)
            };
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
            NETLINK_SOCK_DIAG => diag::answer(&self.namespace, request, pid),
            NETLINK_GENERIC => generic::answer(request, pid),
            _ => Err(EOPNOTSUPP),
        }
    }

    fn queue_answers(&self, datagrams: Vec<Vec<u8>>) {
        let mut inner = self.inner.lock();
        for datagram in datagrams {
            inner.bytes += datagram.len();
            inner.answers.push_back((datagram, 0));
        }
    }

    /// Sends to the kernel, or to another socket of the protocol and to groups.
    fn send_from(
        &self,
        src: &mut Source<'_>,
        to: Option<(u32, u32)>,
        asker: Asker,
    ) -> Result<usize, Errno> {
        let len = src.remaining();
        let (pid, groups) = match to {
            Some((0, 0)) => (0, 0),
            Some(to) if self.may_tell_users(asker) => to,
            Some(_) => return Err(EPERM),
            None => self.inner.lock().peer,
        };
        if len == 0 {
            return Err(ENODATA);
        }
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
        let bytes = bytes.get(..count).unwrap_or_default();
        if groups != 0 {
            self.tell_groups(bytes, groups);
        }
        if pid != 0 || self.protocol == NETLINK_USERSOCK {
            self.tell(bytes, pid)?;
        } else {
            self.ask(bytes, asker)?;
        }
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
        } else if name.pid != inner.pid {
            return Err(EINVAL);
        }
        inner.grouped |= name.groups != 0;
        inner.groups = inner.groups & !u64::from(u32::MAX) | u64::from(name.groups);
        Ok(())
    }

    fn connect(&self, task: &Current, to: &Address, _: bool) -> Result<(), Stop> {
        if i32::from(to.family) == AF_UNSPEC {
            self.inner.lock().peer = (0, 0);
            return Ok(());
        }
        let name = Self::name(to)?;
        let asker = Asker::new(task, &self.namespace.user);
        if (name.pid, name.groups) != (0, 0) && !self.may_tell_users(asker) {
            return Err(EPERM.into());
        }
        let mut inner = self.inner.lock();
        if inner.pid == 0 {
            self.take_number(&mut inner, 0)?;
        }
        inner.peer = (name.pid, name.groups);
        Ok(())
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        if message.flags.contains(MessageFlags::OOB) {
            return Err(EOPNOTSUPP);
        }
        if src.remaining() == 0 {
            return Err(ENODATA);
        }
        let to = message.to.as_ref().map(Self::name).transpose()?;
        let to = to.map(|to| (to.pid, to.groups));
        self.send_from(src, to, Asker::new(message.task, &self.namespace.user))
    }

    fn send_plain(&self, src: &mut Source<'_>, _: MessageFlags) -> Result<usize, Errno> {
        let asker = of_this_thread().map(|task| Asker::new(&task, &self.namespace.user));
        self.send_from(src, None, asker.unwrap_or(Asker { may_change: false }))
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        if flags.contains(MessageFlags::OOB) {
            return Err(EOPNOTSUPP);
        }
        let (datagram, from) = {
            let mut inner = self.inner.lock();
            if flags.contains(MessageFlags::PEEK) {
                inner.answers.front().cloned().ok_or(EAGAIN)?
            } else {
                let next = inner.answers.pop_front().ok_or(EAGAIN)?;
                inner.bytes = inner.bytes.saturating_sub(next.0.len());
                next
            }
        };
        let whole = datagram.len();
        let room = whole.min(dst.remaining());
        let count = dst.write(datagram.get(..room).unwrap_or_default())?;
        Ok(Received {
            count,
            whole,
            from: Some(Self::address(from, 0)),
            ..Received::default()
        })
    }

    fn shutdown(&self, _: Shutdown) -> Result<(), Errno> {
        Err(EOPNOTSUPP)
    }

    fn local(&self) -> Address {
        let inner = self.inner.lock();
        let [low, _] = words(inner.groups);
        Self::address(inner.pid, low)
    }

    fn peer(&self) -> Result<Address, Errno> {
        let (pid, groups) = self.inner.lock().peer;
        Ok(Self::address(pid, groups))
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
            NETLINK_LIST_MEMBERSHIPS => {
                let all = {
                    let inner = self.inner.lock();
                    if !inner.grouped {
                        return Ok(Vec::new());
                    }
                    inner.groups.to_ne_bytes()
                };
                let len = groups(self.protocol).div_ceil(32) * 4;
                let len = usize::try_from(len).unwrap_or(0);
                Ok(all.get(..len).unwrap_or(&all).to_vec())
            }
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
                // The kernel itself never tells a group anything.
                let bit = 1_u64.checked_shl(number - 1).unwrap_or(0);
                let mut inner = self.inner.lock();
                inner.grouped = true;
                if name == NETLINK_ADD_MEMBERSHIP {
                    inner.groups |= bit;
                } else {
                    inner.groups &= !bit;
                }
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
        Err(ENOTTY)
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
