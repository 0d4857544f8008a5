//! What all internet sockets of a sandbox share: ports, addresses, connections that are
//! over but remembered.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use syscalls::Errno;
use syscalls::errno::{EACCES, EADDRNOTAVAIL, EEXIST};

use super::addr::Endpoint;
use super::datagram::DatagramSocket;
use super::links::{Links, Network};
use super::outside::Outside;
use super::ports::{Ports, Rules};
use super::raw::RawSocket;
use super::stream::{Lingering, StreamSocket};
use crate::net::packet::PacketSocket;
use crate::sync::{Level, Mutex};
use crate::sysctl::Sysctls;
use crate::task::{Capabilities, Current};

/// See the module.
pub struct Stack {
    /// Interfaces and routes.
    pub links: Links,
    /// Ports of TCP.
    pub tcp: Arc<Ports<StreamSocket>>,
    /// Ports of UDP.
    pub udp: Arc<Ports<DatagramSocket>>,
    /// Identifications of ping sockets.
    pub(super) ping: Arc<Ports<DatagramSocket>>,
    /// Ports of UDP-Lite.
    pub udp_lite: Arc<Ports<DatagramSocket>>,
    /// All TCP sockets, for those who list them.
    pub(super) streams: Registry<StreamSocket>,
    /// All datagram sockets.
    pub(super) datagrams: Registry<DatagramSocket>,
    /// All raw sockets.
    pub(super) raws: Registry<RawSocket>,
    /// All packet sockets.
    pub(crate) taps: Registry<PacketSocket>,
    lingering: Mutex<VecDeque<Lingering>>,
    sysctls: Arc<Sysctls>,
    outside: OnceLock<Arc<Outside>>,
}

/// Sockets that can be listed.
pub(crate) struct Registry<T> {
    all: Mutex<Vec<Weak<T>>>,
    /// The list is not empty.
    used: AtomicBool,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Registry {
            all: Mutex::new(Level::Ports, Vec::new()),
            used: AtomicBool::new(false),
        }
    }
}

impl<T> Registry<T> {
    /// Notes a new socket.
    pub(in crate::net) fn add(&self, socket: &Weak<T>) {
        let mut all = self.all.lock();
        // Those that are gone are forgotten whenever the list would grow.
        if all.len() == all.capacity() {
            all.retain(|old| old.strong_count() > 0);
        }
        all.push(socket.clone());
        self.used.store(true, Ordering::Release);
    }

    /// True if there is none; one that is gone may count for a while.
    pub(in crate::net) fn is_empty(&self) -> bool {
        !self.used.load(Ordering::Acquire)
    }

    /// Those that exist.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let mut all = self.all.lock();
        all.retain(|old| old.strong_count() > 0);
        self.used.store(!all.is_empty(), Ordering::Release);
        let all = all.clone();
        all.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Connections that are remembered after their end, at most (net.ipv4.tcp_max_tw_buckets).
const MAX_LINGERING: usize = 16384;

impl Stack {
    /// A stack on a network.
    #[must_use]
    pub fn new(network: Network, sysctls: Arc<Sysctls>) -> Arc<Self> {
        Arc::new(Stack {
            links: Links::new(network),
            tcp: Ports::new(Rules::Streams),
            udp: Ports::new(Rules::Datagrams),
            ping: Ports::new(Rules::Datagrams),
            udp_lite: Ports::new(Rules::Datagrams),
            streams: Registry::default(),
            datagrams: Registry::default(),
            raws: Registry::default(),
            taps: Registry::default(),
            lingering: Mutex::new(Level::Ports, VecDeque::new()),
            sysctls,
            outside: OnceLock::new(),
        })
    }

    /// Opens the way out by the interfaces of `network`: with `sockets`, packet sockets on
    /// those beyond the loopback, in their order, and perhaps one more that is connected to
    /// Docker's resolver. Once; `EEXIST`.
    pub fn open(self: &Arc<Self>, network: Network, sockets: Vec<OwnedFd>) -> Result<(), Errno> {
        if self.outside.get().is_some() {
            return Err(EEXIST);
        }
        let outside = Outside::open(self, &network, sockets)?;
        self.outside.set(outside).map_err(|_| EEXIST)?;
        self.links.update(|links| *links = network);
        Ok(())
    }

    /// The way out, if there is one.
    pub(super) fn outside(&self) -> Option<&Arc<Outside>> {
        self.outside.get()
    }

    /// A socket has joined or left a group.
    pub(super) fn regroup(&self) {
        if let Some(outside) = self.outside() {
            outside.regroup();
        }
    }

    /// The groups that sockets listen to on an interface.
    pub(super) fn members(&self, link: u32) -> BTreeSet<IpAddr> {
        let mut groups = BTreeSet::new();
        for socket in self.datagrams.all() {
            groups.extend(socket.groups.of_link(link));
        }
        for socket in self.raws.all() {
            groups.extend(socket.groups.of_link(link));
        }
        groups
    }

    /// Ports that sockets get that ask for none (net.ipv4.ip_local_port_range).
    #[must_use]
    pub fn ephemeral(&self) -> RangeInclusive<u16> {
        let text = self.text_setting("net.ipv4.ip_local_port_range", "32768\t60999");
        let mut numbers = text.split_whitespace().map(str::parse::<u16>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(low)), Some(Ok(high))) if (1..=high).contains(&low) => low..=high,
            _ => 32768..=60999,
        }
    }

    /// A setting, sysctl(8).
    #[must_use]
    pub fn setting(&self, name: &str, default: i64) -> i64 {
        self.sysctls.number(name, default)
    }

    /// A setting that is text.
    pub(super) fn text_setting(&self, name: &str, default: &str) -> String {
        String::from_utf8_lossy(&self.sysctls.text(name, default)).into_owned()
    }

    /// Whether `task` may bind to `at`: `EADDRNOTAVAIL` for an address of others, `EACCES`
    /// for a port of the privileged.
    pub fn check_bind(&self, task: &Current, at: Endpoint, free: FreeBind) -> Result<(), Errno> {
        let network = self.links.get();
        let anywhere = free == FreeBind::Yes
            || self.setting("net.ipv4.ip_nonlocal_bind", 0) != 0
            || at.ip.is_unspecified()
            || at.ip.is_multicast()
            || network.is_broadcast(at.ip);
        if !anywhere && !network.may_bind(at.ip) {
            return Err(EADDRNOTAVAIL);
        }
        let first = self.setting("net.ipv4.ip_unprivileged_port_start", 1024);
        let privileged = at.port != 0 && i64::from(at.port) < first;
        let (net, creds) = (task.net.get(), task.creds.get());
        // Sockets of another name space than the task's own are the first users'.
        let allowed = match std::ptr::eq(&*net.internet, self) {
            true => creds.has_in(&net.user, Capabilities::NET_BIND_SERVICE),
            false => creds.has(Capabilities::NET_BIND_SERVICE),
        };
        if privileged && !allowed {
            return Err(EACCES);
        }
        Ok(())
    }

    /// Remembers a connection that is over.
    pub(super) fn linger(&self, connection: Lingering) {
        let forgotten: Vec<_> = {
            let mut lingering = self.lingering.lock();
            lingering.push_back(connection);
            let mut forgotten = Vec::new();
            while lingering.len() > MAX_LINGERING
                || lingering.front().is_some_and(Lingering::is_over)
            {
                forgotten.extend(lingering.pop_front());
            }
            forgotten
        };
        // Ports are given back without the lock.
        drop(forgotten);
    }

    /// Forgets what has been over for long enough.
    pub(super) fn forget_old(&self) {
        let old = {
            let mut lingering = self.lingering.lock();
            let all = std::mem::take(&mut *lingering);
            let (old, rest): (VecDeque<_>, VecDeque<_>) =
                all.into_iter().partition(Lingering::is_over);
            *lingering = rest;
            old
        };
        drop(old);
    }

    /// What `look` makes of every connection that is remembered.
    pub(super) fn lingering<R>(&self, look: impl FnMut(&Lingering) -> R) -> Vec<R> {
        self.forget_old();
        self.lingering.lock().iter().map(look).collect()
    }
}

/// IP_FREEBIND.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeBind {
    /// Addresses that are not here may be bound to.
    Yes,
    /// They may not.
    No,
}
