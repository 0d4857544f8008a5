//! The thread of the way out: sleeps, takes frames in, serves who has something to do.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use smoltcp::iface::{Config, Interface, Route as StackRoute, SocketSet};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

use super::super::addr::Endpoint;
use super::super::links::{Link, Network};
use super::super::stack::Stack;
use super::asking::Asking;
use super::datagrams::Packets;
use super::fragments::Fragments;
use super::frame::{self, Seen};
use super::members::Members;
use super::resolver::{self, Asker, Resolver};
use super::streams::Connection;
use super::wire::Wire;
use super::{Command, Outside};
use crate::net::packet::Direction;
use crate::time::now_monotonic;

/// Frames of one interface that are taken in before anything else is done.
const BURST: usize = 64;
/// Neighbours that are remembered.
const MAX_NEIGHBOURS: usize = 1024;

/// See the module.
pub(super) struct Engine {
    /// The sandbox's sockets. They end when the sandbox does.
    pub(super) stack: Weak<Stack>,
    pub(super) outside: Arc<Outside>,
    pub(super) ports: Vec<Port>,
    pub(super) resolver: Option<Resolver>,
    /// Connections to the resolver.
    pub(super) asking: HashMap<u64, Asking>,
    pub(super) connections: HashMap<u64, Connection>,
    /// By (ours, theirs).
    pub(super) ends: HashMap<(Endpoint, Endpoint), u64>,
    pub(super) timers: BTreeSet<(Instant, u64)>,
    /// Connections for which something has happened.
    pub(super) dirty: Vec<u64>,
    /// Connections that are not yet open, the oldest first.
    pub(super) half_open: BTreeSet<u64>,
}

/// An interface.
pub(super) struct Port {
    /// Its number.
    pub(super) link: u32,
    pub(super) wire: Wire,
    pub(super) stack: Box<Interface>,
    pub(super) packets: Packets,
    pub(super) fragments: Fragments,
    pub(super) members: Members,
    /// Packets for groups that have arrived.
    pub(super) groups: Vec<Vec<u8>>,
    /// Who has said who it is.
    pub(super) neighbours: HashMap<IpAddr, Instant>,
    /// Nobody's socket: what no socket takes is answered.
    pub(super) nobody: SocketSet<'static>,
    /// When the stack wants to send packets that wait.
    wants: Option<Instant>,
}

pub(super) fn now() -> Instant {
    Instant::from_micros(i64::try_from(now_monotonic() / 1000).unwrap_or(0))
}

impl Engine {
    pub(super) fn new(
        stack: Weak<Stack>,
        outside: Arc<Outside>,
        network: &Network,
        sockets: Vec<OwnedFd>,
    ) -> Self {
        let mut sockets = sockets.into_iter();
        let links = network.links.iter().filter(|link| !link.is_loopback());
        let ports = links
            .zip(sockets.by_ref())
            .filter_map(|(link, socket)| Port::new(network, link, socket));
        let ports = ports.collect();
        Engine {
            stack,
            outside,
            ports,
            resolver: sockets.next().map(Resolver::new),
            asking: HashMap::new(),
            connections: HashMap::new(),
            ends: HashMap::new(),
            timers: BTreeSet::new(),
            dirty: Vec::new(),
            half_open: BTreeSet::new(),
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let ready = self.sleep();
            for command in self.outside.take_orders() {
                match command {
                    Command::Connect(opening) if opening.remote == resolver::PLACE => {
                        self.begin_asking(opening);
                    }
                    Command::Connect(opening) => self.begin(opening),
                    Command::Touched(id) => self.dirty.push(id),
                    Command::Ask(who, question) => {
                        if let Some(resolver) = &mut self.resolver {
                            resolver.ask(Asker::Datagram(who), question);
                        }
                    }
                    Command::Regroup => self.regroup(),
                    Command::Packet(link, packet) => self.send_packet(link, &packet),
                    Command::Frame(link, frame) => {
                        if let Some(port) = self.ports.iter_mut().find(|port| port.link == link) {
                            port.send_frame(&frame);
                        }
                    }
                }
            }
            let mut more = true;
            while more {
                more = false;
                for at in ready.iter().copied() {
                    more |= self.take_in(at);
                }
                self.serve();
            }
            self.serve();
        }
    }

    /// Waits for frames, orders and timers. The interfaces that have frames; the resolver
    /// counts as the last one.
    fn sleep(&mut self) -> Vec<usize> {
        let wants = self.ports.iter();
        let wants = wants.flat_map(|port| [port.wants, port.members.next()]);
        let wants = wants.flatten();
        let first = self.timers.first().map(|(at, _)| *at);
        let next = wants.chain(first).min();
        let timeout = match next {
            None => PollTimeout::NONE,
            Some(at) => {
                let left = at.total_micros().saturating_sub(now().total_micros());
                // Not before it is time.
                let millis = (left.max(0) + 999) / 1000;
                PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut fds = vec![PollFd::new(self.outside.bell.as_fd(), PollFlags::POLLIN)];
        let wires = self.ports.iter().map(|port| port.wire.fd());
        fds.extend(wires.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let resolver = self.resolver.iter().map(Resolver::fd);
        fds.extend(resolver.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        if poll(&mut fds, timeout).is_err() {
            return Vec::new();
        }
        let ports = fds.iter().skip(1).enumerate();
        let ready = ports.filter(|(_, fd)| fd.any().unwrap_or(false));
        ready.map(|(at, _)| at).collect()
    }

    /// Takes a burst of frames in; true if there may be more.
    fn take_in(&mut self, at: usize) -> bool {
        if at == self.ports.len() {
            if let (Some(resolver), Some(stack)) = (&mut self.resolver, self.stack.upgrade()) {
                for (id, answer) in resolver.hear(&stack) {
                    self.answered(id, &answer);
                }
            }
            return false;
        }
        for _ in 0..BURST {
            let Some(port) = self.ports.get_mut(at) else {
                return false;
            };
            if !port.wire.next() {
                return false;
            }
            if let Some(guest) = self.stack.upgrade()
                && !guest.taps.is_empty()
            {
                let frame = port.wire.frame().bytes;
                guest.tap_frame(port.link, Direction::In, frame, None);
            }
            let mut seen = frame::look(port.wire.frame());
            if seen == Seen::Fragment {
                let Some(whole) = port.fragments.add(port.wire.packet(), now()) else {
                    continue;
                };
                port.wire.replace(&whole);
                seen = frame::look(port.wire.frame());
            }
            match seen {
                Seen::Segment(segment) => self.segment(at, segment),
                Seen::Neighbour(ip) => {
                    port.met(ip);
                    port.take_packet();
                    // Who waited for that neighbour goes on.
                    let all = self.connections.iter();
                    let waiting = all.filter(|(_, connection)| connection.hop == ip);
                    self.dirty.extend(waiting.map(|(id, _)| *id));
                }
                Seen::Group => {
                    let packet = port.wire.packet().to_vec();
                    port.ask_members(&packet);
                    port.groups.push(packet);
                }
                Seen::Other => {
                    let packet = port.wire.packet().to_vec();
                    port.ask_members(&packet);
                    port.take_packet();
                }
                // In a packet that was put together there is none.
                Seen::Broken | Seen::Fragment => {}
            }
        }
        true
    }

    /// Serves connections for which something has happened, or whose time has come, and
    /// packets.
    fn serve(&mut self) {
        let now = now();
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.remove(&(at, id));
            self.dirty.push(id);
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        for id in dirty {
            self.serve_one(id, now);
        }
        let stack = self.stack.upgrade();
        for at in 0..self.ports.len() {
            if let (Some(port), Some(stack)) = (self.ports.get_mut(at), &stack) {
                let news = port.hear_packets(stack);
                port.wants = port.send_packets(now);
                port.report(stack, now);
                for (ends, error) in news {
                    self.told(ends, error);
                }
            }
        }
    }
}

impl Port {
    fn new(network: &Network, link: &Link, socket: OwnedFd) -> Option<Self> {
        let mac = EthernetAddress(link.mac);
        if !mac.is_unicast() {
            log::warn!("network: {} has no address of its own", link.name);
            return None;
        }
        // What fits into a frame, and what IP demands at least.
        let mtu = usize::try_from(link.mtu).unwrap_or(1500).clamp(576, 65535);
        let mut wire = Wire::new(socket, mtu);
        let mut config = Config::new(HardwareAddress::Ethernet(mac));
        let mut seed = [0; 8];
        if platform::host::random::fill(&mut seed).is_ok() {
            config.random_seed = u64::from_ne_bytes(seed);
        }
        let mut stack = Box::new(Interface::new(config, &mut wire, now()));
        stack.update_ip_addrs(|addresses| {
            for address in &link.addresses {
                let ip = IpAddress::from(address.ip);
                let most = if address.ip.is_ipv4() { 32 } else { 128 };
                if ip.is_unicast()
                    && addresses
                        .push(IpCidr::new(ip, address.len.min(most)))
                        .is_err()
                {
                    log::warn!("network: {} has too many addresses", link.name);
                }
            }
        });
        stack.routes_mut().update(|routes| {
            for route in network
                .routes
                .iter()
                .filter(|route| route.link == link.index)
            {
                let Some(via) = route.via else { continue };
                let most = if route.to.ip.is_ipv4() { 32 } else { 128 };
                let route = StackRoute {
                    cidr: IpCidr::new(route.to.ip.into(), route.to.len.min(most)),
                    via_router: via.into(),
                    preferred_until: None,
                    expires_at: None,
                };
                if routes.push(route).is_err() {
                    log::warn!("network: {} has too many routes", link.name);
                }
            }
        });
        Some(Port {
            link: link.index,
            wire,
            stack,
            packets: Packets::new(),
            fragments: Fragments::default(),
            members: Members::default(),
            groups: Vec::new(),
            neighbours: HashMap::new(),
            nobody: SocketSet::new(Vec::new()),
            wants: None,
        })
    }

    fn met(&mut self, ip: IpAddr) {
        if self.neighbours.len() >= MAX_NEIGHBOURS {
            self.neighbours.clear();
        }
        self.neighbours.insert(ip, now());
    }

    /// True if the neighbour has said who it is, lately.
    pub(super) fn knows(&self, ip: IpAddr, now: Instant) -> bool {
        const LATELY: Duration = Duration::from_secs(60);
        let met = self.neighbours.get(&ip);
        met.is_some_and(|met| *met + LATELY > now)
    }
}
