//! Who has which port: what bind(2) may take, and whom a packet is for.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::net::{SO_REUSEADDR, SO_REUSEPORT};
use syscalls::errno::{EADDRINUSE, EADDRNOTAVAIL};

use super::addr::{Cover, Endpoint};
use crate::net::Options;
use crate::sync::{Level, Mutex};

/// How a port is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// bind(2).
    Bound,
    /// listen(2).
    Listening,
    /// A connection, or a datagram socket with a peer.
    Connected(Endpoint),
    /// A connection that is over, TIME_WAIT and what comes before it.
    Lingering(Endpoint),
}

/// What a socket says about the port it wants.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Addresses.
    pub cover: Cover,
    /// SO_BINDTODEVICE: an interface, 0 for all.
    pub device: u32,
    /// SO_REUSEADDR.
    pub reuse: bool,
    /// SO_REUSEPORT.
    pub share: bool,
    /// Whose it is: ports are shared by one user's sockets only.
    pub uid: u32,
}

impl Terms {
    /// Those of a socket with these options.
    pub(super) fn new(cover: Cover, options: &Options, uid: u32) -> Self {
        Terms {
            cover,
            device: options.device(),
            reuse: options.kept(SO_REUSEADDR) != 0,
            share: options.kept(SO_REUSEPORT) != 0,
            uid,
        }
    }
}

struct Entry<T> {
    id: u64,
    terms: Terms,
    used: Use,
    socket: Weak<T>,
}

struct Port<T> {
    /// Bound and listening sockets, datagram sockets whatever they do; the oldest first.
    open: Vec<Entry<T>>,
    /// Connections.
    connected: HashMap<u64, Entry<T>>,
}

/// Whether one port can serve several sockets that all have SO_REUSEADDR, a listening one
/// among them: datagrams, yes; streams, no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// TCP.
    Streams,
    /// UDP.
    Datagrams,
}

/// The ports of one protocol.
pub struct Ports<T> {
    rules: Rules,
    ports: Mutex<HashMap<u16, Port<T>>>,
    next_id: AtomicU64,
    chance: std::hash::RandomState,
}

/// A port that a socket has. Dropping it gives it back.
pub struct Hold<T> {
    ports: Arc<Ports<T>>,
    port: u16,
    id: u64,
}

impl Terms {
    fn conflicts<T>(&self, other: &Entry<T>, rules: Rules) -> bool {
        let theirs = &other.terms;
        let apart = self.device != 0 && theirs.device != 0 && self.device != theirs.device;
        if apart || !self.cover.overlaps(theirs.cover) {
            return false;
        }
        let listens = rules == Rules::Streams && other.used == Use::Listening;
        let both_reuse = self.reuse && theirs.reuse && !listens;
        let both_share = self.share && theirs.share && self.uid == theirs.uid;
        let over = matches!(other.used, Use::Lingering(_)) && theirs.share && self.share;
        !(both_reuse || both_share || over)
    }
}

impl<T> Port<T> {
    fn all(&self) -> impl Iterator<Item = &Entry<T>> {
        self.open.iter().chain(self.connected.values())
    }
}

impl<T> Ports<T> {
    /// No port is taken.
    #[must_use]
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Ports {
            rules,
            ports: Mutex::new(Level::Ports, HashMap::new()),
            next_id: AtomicU64::new(1),
            chance: std::hash::RandomState::new(),
        })
    }

    fn insert(
        self: &Arc<Self>,
        ports: &mut HashMap<u16, Port<T>>,
        port: u16,
        (terms, used): (Terms, Use),
        socket: &Weak<T>,
    ) -> Hold<T> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            id,
            terms,
            used,
            socket: socket.clone(),
        };
        let place = ports.entry(port).or_insert_with(|| Port {
            open: Vec::new(),
            connected: HashMap::new(),
        });
        place.put(entry, self.rules);
        Hold {
            ports: self.clone(),
            port,
            id,
        }
    }

    /// Takes `port`, or for 0 one of `range` that nobody has. `EADDRINUSE`.
    pub fn bind(
        self: &Arc<Self>,
        port: u16,
        range: RangeInclusive<u16>,
        terms: Terms,
        socket: &Weak<T>,
    ) -> Result<Hold<T>, Errno> {
        let mut ports = self.ports.lock();
        let rules = self.rules;
        let free = |ports: &HashMap<u16, Port<T>>, port: u16| {
            ports
                .get(&port)
                .is_none_or(|port| !port.all().any(|other| terms.conflicts(other, rules)))
        };
        let port = if port != 0 {
            free(&ports, port).then_some(port).ok_or(EADDRINUSE)?
        } else {
            // First one that nobody uses at all, then one that may be shared.
            let unused = self.candidates(&range).find(|p| !ports.contains_key(p));
            unused
                .or_else(|| self.candidates(&range).find(|p| free(&ports, *p)))
                .ok_or(EADDRINUSE)?
        };
        Ok(self.insert(&mut ports, port, (terms, Use::Bound), socket))
    }

    /// A port for a connection from `terms` to `peer`: one that no other connection between
    /// these addresses has. `EADDRNOTAVAIL` if all are taken.
    pub fn for_connection(
        self: &Arc<Self>,
        range: RangeInclusive<u16>,
        terms: Terms,
        peer: Endpoint,
        socket: &Weak<T>,
    ) -> Result<Hold<T>, Errno> {
        let mut ports = self.ports.lock();
        let usable = |ports: &HashMap<u16, Port<T>>, port: u16| {
            ports.get(&port).is_none_or(|port| {
                let bound =
                    |entry: &Entry<T>| !matches!(entry.used, Use::Connected(_) | Use::Lingering(_));
                !port.all().any(|other| {
                    terms.cover.overlaps(other.terms.cover)
                        && (bound(other) || other.used == Use::Connected(peer))
                })
            })
        };
        let unused = self.candidates(&range).find(|p| !ports.contains_key(p));
        let port = unused
            .or_else(|| self.candidates(&range).find(|p| usable(&ports, *p)))
            .ok_or(EADDRNOTAVAIL)?;
        Ok(self.insert(&mut ports, port, (terms, Use::Connected(peer)), socket))
    }

    /// Notes a connection that a listener accepts at `port`.
    pub fn for_accepted(
        self: &Arc<Self>,
        port: u16,
        terms: Terms,
        peer: Endpoint,
        socket: &Weak<T>,
    ) -> Hold<T> {
        let mut ports = self.ports.lock();
        self.insert(&mut ports, port, (terms, Use::Connected(peer)), socket)
    }

    /// All ports of a range once, from a random one on.
    fn candidates(&self, range: &RangeInclusive<u16>) -> impl Iterator<Item = u16> + use<T> {
        let (low, high) = (*range.start(), *range.end());
        let count = u64::from(high.saturating_sub(low)) + 1;
        let seed = self.next_id.fetch_add(1, Ordering::Relaxed);
        let start = self.chance.hash_one(seed) % count;
        (0..count).filter_map(move |step| {
            let at = (start + step) % count;
            low.checked_add(u16::try_from(at).ok()?)
        })
    }

    /// The socket for which something from `from` to `to` is that came in through
    /// `device`, if any. Sockets that share a port share what comes for it.
    pub fn find(&self, to: Endpoint, from: Endpoint, device: u32) -> Option<Arc<T>> {
        let chosen = {
            let ports = self.ports.lock();
            let port = ports.get(&to.port)?;
            let scored = port.open.iter().filter_map(|entry| {
                let score = entry.score(to.ip, from, device, self.rules)?;
                Some((score, entry))
            });
            let mut best: Vec<&Entry<T>> = Vec::new();
            let mut top = 0;
            for (score, entry) in scored {
                if score > top {
                    best.clear();
                    top = score;
                }
                if score == top {
                    best.push(entry);
                }
            }
            let shared: Vec<_> = best.iter().filter(|entry| entry.terms.share).collect();
            let entry = if shared.len() > 1 {
                let hash = self.chance.hash_one((to, from));
                let at = usize::try_from(hash % shared.len() as u64).unwrap_or(0);
                shared.get(at).copied()
            } else {
                // Of several with SO_REUSEADDR, the one that came last.
                best.last()
            };
            entry.map(|entry| entry.socket.clone())
        };
        chosen?.upgrade()
    }

    /// All sockets that a packet to a group at `to` is for.
    pub fn find_all(&self, to: Endpoint, from: Endpoint, device: u32) -> Vec<Arc<T>> {
        let found: Vec<_> = {
            let ports = self.ports.lock();
            let open = ports.get(&to.port).map(|port| port.open.iter());
            let fitting = open.into_iter().flatten().filter(|entry| {
                let score = entry.score(to.ip, from, device, self.rules);
                score.is_some()
            });
            fitting.map(|entry| entry.socket.clone()).collect()
        };
        found.iter().filter_map(Weak::upgrade).collect()
    }
}

impl<T> Entry<T> {
    fn score(&self, to: IpAddr, from: Endpoint, device: u32, rules: Rules) -> Option<u32> {
        let fit = self.terms.cover.fits(to)?;
        if self.terms.device != 0 && self.terms.device != device {
            return None;
        }
        let bound_to_device = if self.terms.device != 0 { 8 } else { 0 };
        match self.used {
            Use::Connected(peer) if peer == from => Some(1 + fit + bound_to_device + 16),
            Use::Connected(_) | Use::Lingering(_) => None,
            Use::Bound if rules == Rules::Streams => None,
            Use::Bound | Use::Listening => Some(1 + fit + bound_to_device),
        }
    }
}

impl<T> Port<T> {
    fn put(&mut self, entry: Entry<T>, rules: Rules) {
        let connected = matches!(entry.used, Use::Connected(_) | Use::Lingering(_));
        if connected && rules == Rules::Streams {
            self.connected.insert(entry.id, entry);
        } else {
            self.open.push(entry);
        }
    }

    fn take(&mut self, id: u64) -> Option<Entry<T>> {
        if let Some(entry) = self.connected.remove(&id) {
            return Some(entry);
        }
        let at = self.open.iter().position(|entry| entry.id == id)?;
        Some(self.open.remove(at))
    }
}

impl<T> Hold<T> {
    /// Which.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Uses the port in another way, on other terms. Nobody is asked.
    pub fn change(&self, terms: Terms, used: Use) {
        let mut ports = self.ports.ports.lock();
        if let Some(port) = ports.get_mut(&self.port)
            && let Some(entry) = port.take(self.id)
        {
            let entry = Entry {
                terms,
                used,
                ..entry
            };
            port.put(entry, self.ports.rules);
        }
    }

    /// Uses the port in another way if the other sockets that have it allow that;
    /// `EADDRINUSE`.
    pub fn change_checked(&self, terms: Terms, used: Use) -> Result<(), Errno> {
        let mut ports = self.ports.ports.lock();
        let port = ports.get_mut(&self.port).ok_or(EADDRINUSE)?;
        let rules = self.ports.rules;
        let taken = port
            .all()
            .any(|other| other.id != self.id && terms.conflicts(other, rules));
        if taken {
            return Err(EADDRINUSE);
        }
        let entry = port.take(self.id).ok_or(EADDRINUSE)?;
        let entry = Entry {
            terms,
            used,
            ..entry
        };
        port.put(entry, rules);
        Ok(())
    }

    /// True if another connection from here to `peer` exists.
    #[must_use]
    pub fn is_connected(&self, cover: Cover, peer: Endpoint) -> bool {
        let ports = self.ports.ports.lock();
        let used = Use::Connected(peer);
        ports.get(&self.port).is_some_and(|port| {
            port.all().any(|other| {
                other.id != self.id && other.used == used && cover.overlaps(other.terms.cover)
            })
        })
    }
}

impl<T> Drop for Hold<T> {
    fn drop(&mut self) {
        let mut ports = self.ports.ports.lock();
        if let Some(port) = ports.get_mut(&self.port) {
            let entry = port.take(self.id);
            if port.open.is_empty() && port.connected.is_empty() {
                ports.remove(&self.port);
            }
            // Only a weak reference goes with it.
            drop(entry);
        }
    }
}
