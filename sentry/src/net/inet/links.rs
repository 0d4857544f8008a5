//! Interfaces, their addresses and where packets go: what `ip address` and `ip route` show.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use syscalls::Errno;
use syscalls::errno::{EADDRNOTAVAIL, EHOSTUNREACH, ENETUNREACH};

use crate::net::host::HostNetwork;
use crate::sync::{Level, Slot};

/// An address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The address.
    pub ip: IpAddr,
    /// Bits of the network.
    pub len: u8,
}

/// A network interface, netdevice(7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number, from 1.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Largest packet, bytes.
    pub mtu: u32,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Addresses.
    pub addresses: Vec<Prefix>,
    /// True unless nothing comes or goes by it.
    pub up: bool,
}

/// A way to a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The network.
    pub to: Prefix,
    /// The next hop; `None` for neighbours.
    pub via: Option<IpAddr>,
    /// The interface's number.
    pub link: u32,
    /// The address that packets on this way come from, if the route says so.
    pub source: Option<IpAddr>,
    /// The smallest of several wins.
    pub metric: u32,
}

/// Everything about the network that a sandbox has; replaced whole when something changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Interfaces, the loopback first.
    pub links: Vec<Link>,
    /// Ways to networks beyond this host.
    pub routes: Vec<Route>,
}

/// Number of the loopback interface.
pub const LOOPBACK: u32 = 1;
/// Its largest packet, bytes.
pub const LOOPBACK_MTU: u32 = 65536;

impl Prefix {
    /// True if `ip` is in the network.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (ours, theirs, bits) = match (self.ip, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (
                u128::from(a.to_bits()) << 96,
                u128::from(b.to_bits()) << 96,
                32,
            ),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
            _ => return false,
        };
        let len = u32::from(self.len).min(bits);
        len == 0 || (ours ^ theirs) >> (128 - len) == 0
    }
}

impl Link {
    /// `lo`.
    #[must_use]
    pub fn loopback() -> Self {
        Link {
            index: LOOPBACK,
            name: "lo".to_owned(),
            mtu: LOOPBACK_MTU,
            mac: [0; 6],
            addresses: vec![
                Prefix {
                    ip: Ipv4Addr::LOCALHOST.into(),
                    len: 8,
                },
                Prefix {
                    ip: Ipv6Addr::LOCALHOST.into(),
                    len: 128,
                },
            ],
            up: true,
        }
    }

    /// `lo` before it is brought up: it has no addresses yet.
    fn loopback_down() -> Self {
        Link {
            addresses: Vec::new(),
            up: false,
            ..Self::loopback()
        }
    }

    /// Brings the interface up or down. A loopback that comes up has its addresses; one
    /// that goes down keeps those of IPv4.
    pub fn set_up(&mut self, up: bool) {
        if self.up == up {
            return;
        }
        self.up = up;
        if !self.is_loopback() {
            return;
        }
        if !up {
            self.addresses.retain(|address| address.ip.is_ipv4());
            return;
        }
        let has_any = self.addresses.iter().any(|address| address.ip.is_ipv4());
        let usual = Self::loopback().addresses.into_iter();
        let missing = usual.filter(|usual| usual.ip.is_ipv6() || !has_any);
        self.addresses.extend(missing);
    }

    /// True for `lo`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.index == LOOPBACK
    }
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The address it comes from.
    pub source: IpAddr,
    /// The address it goes to: unspecified destinations mean this host.
    pub to: IpAddr,
    /// The interface's number.
    pub link: u32,
    /// Its largest packet, bytes.
    pub mtu: u32,
}

impl Network {
    /// Only `lo`.
    #[must_use]
    pub fn isolated() -> Self {
        Network {
            links: vec![Link::loopback()],
            routes: Vec::new(),
        }
    }

    /// Only `lo`, which is down.
    #[must_use]
    pub fn down() -> Self {
        Network {
            links: vec![Link::loopback_down()],
            routes: Vec::new(),
        }
    }

    /// The interface with the number.
    #[must_use]
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// The interface with the name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The interface that has the address, and is up; all of 127.0.0.0/8 is the loopback's.
    #[must_use]
    pub fn owner(&self, ip: IpAddr) -> Option<&Link> {
        let mut up = self.links.iter().filter(|link| link.up);
        up.find(|link| {
            link.addresses.iter().any(|address| {
                address.ip == ip || (link.is_loopback() && ip.is_ipv4() && address.contains(ip))
            })
        })
    }

    /// True if packets to the address stay in this sandbox.
    #[must_use]
    pub fn is_local(&self, ip: IpAddr) -> bool {
        self.owner(ip).is_some()
    }

    /// True if sockets may bind to the address: one of this sandbox, of an interface that
    /// is down too. As on Linux all do for IPv4 before the first address is there.
    #[must_use]
    pub fn may_bind(&self, ip: IpAddr) -> bool {
        let mut v4 = self.links.iter().flat_map(|link| &link.addresses);
        let fresh = ip.is_ipv4() && !v4.any(|address| address.ip.is_ipv4());
        let own = |link: &Link| {
            let loopback = link.is_loopback() && ip.is_ipv4();
            let fits = |at: &Prefix| at.ip == ip || (loopback && at.contains(ip));
            link.addresses.iter().any(fits)
        };
        fresh || self.links.iter().any(own)
    }

    /// True for an address that everyone in a network hears.
    #[must_use]
    pub fn is_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        let of_network = |prefix: &Prefix| match prefix.ip {
            IpAddr::V4(own) if prefix.len < 31 => {
                let host = u32::MAX.checked_shr(prefix.len.into()).unwrap_or(0);
                own.to_bits() | host == ip.to_bits()
            }
            _ => false,
        };
        ip.is_broadcast()
            || self
                .links
                .iter()
                .any(|l| l.addresses.iter().any(of_network))
    }

    /// The neighbour that packets to `to` through `link` go to.
    #[must_use]
    pub fn next_hop(&self, to: IpAddr, link: u32) -> IpAddr {
        let fits = |route: &&Route| route.to.contains(to) && route.link == link;
        let order = |route: &&Route| (route.to.len, std::cmp::Reverse(route.metric));
        let route = self.routes.iter().filter(fits).max_by_key(order);
        route.and_then(|route| route.via).unwrap_or(to)
    }

    /// The way to `to`, from `source` if that is given and specified, and through `device`
    /// unless 0. `ENETUNREACH` without a route.
    pub fn way(&self, to: IpAddr, source: Option<IpAddr>, device: u32) -> Result<Way, Errno> {
        let to = match to {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let source = source.filter(|ip| !ip.is_unspecified());
        if let Some(owner) = self.owner(to) {
            if device != 0 && device != LOOPBACK && device != owner.index {
                return Err(EHOSTUNREACH);
            }
            // What is on the loopback comes from its first address; other addresses of
            // this host talk to themselves.
            let own = if owner.is_loopback() {
                first(owner, to)
            } else {
                None
            };
            return Ok(Way {
                source: source.or(own).unwrap_or(to),
                to,
                link: LOOPBACK,
                mtu: LOOPBACK_MTU,
            });
        }
        let fits = |route: &&Route| route.to.contains(to) && (device == 0 || device == route.link);
        let order = |route: &&Route| (route.to.len, std::cmp::Reverse(route.metric));
        let route = self.routes.iter().filter(fits).max_by_key(order);
        let link = match route {
            Some(route) => self.link(route.link).filter(|link| link.up),
            // Groups and broadcasts can be told a way, or take the first outside.
            None if to.is_multicast() || self.is_broadcast(to) || device != 0 => {
                let other = self
                    .links
                    .iter()
                    .find(|link| !link.is_loopback() && (device == 0 || link.index == device));
                other
                    .or_else(|| self.link(device))
                    // Groups of IPv6 have no way over the loopback.
                    .filter(|link| link.up && !(to.is_ipv6() && link.is_loopback()))
            }
            None => None,
        };
        // Where nothing is up, Linux looks for an address of IPv6 before it looks for a way.
        let nothing = to.is_ipv6() && !self.links.iter().any(|link| link.up);
        let link = link.ok_or(if nothing { EADDRNOTAVAIL } else { ENETUNREACH })?;
        let own = route
            .and_then(|route| route.source)
            .or_else(|| first(link, to));
        Ok(Way {
            source: source.or(own).ok_or(ENETUNREACH)?,
            to,
            link: link.index,
            mtu: link.mtu,
        })
    }
}

/// The first address of `link` of the same version as `ip`, in the same network if one is.
fn first(link: &Link, ip: IpAddr) -> Option<IpAddr> {
    let same = |address: &&Prefix| address.ip.is_ipv4() == ip.is_ipv4();
    let mut near = link.addresses.iter().filter(same);
    near.clone()
        .find(|address| address.contains(ip))
        .or_else(|| near.next())
        .map(|address| address.ip)
}

/// The network of a sandbox, as it is now.
pub struct Links {
    own: Slot<Arc<Network>>,
    host: OnceLock<Arc<HostNetwork>>,
}

impl Links {
    /// As `network` says; the loopback is always there.
    #[must_use]
    pub fn new(mut network: Network) -> Self {
        if network.link(LOOPBACK).is_none() {
            network.links.insert(0, Link::loopback());
        }
        Links {
            own: Slot::new(Level::Leaf, Arc::new(network)),
            host: OnceLock::new(),
        }
    }

    /// How it is now.
    #[must_use]
    pub fn get(&self) -> Arc<Network> {
        if let Some(host) = self.host() {
            match host.network() {
                Ok(network) => self.own.set(Arc::new(network)),
                Err(error) => {
                    log::warn!("the host's network: {error}");
                    self.own.get()
                }
            };
        }
        self.own.get()
    }

    /// From now on it is the host's, which nobody changes from here.
    pub(crate) fn follow(&self, host: Arc<HostNetwork>) {
        // Once, before there is anybody to see it.
        let _ = self.host.set(host);
    }

    /// The host's network, if it is that.
    pub(crate) fn host(&self) -> Option<&Arc<HostNetwork>> {
        self.host.get()
    }

    /// Changes it; what is the host's nobody may change from here, which callers check.
    pub fn update<R>(&self, change: impl FnOnce(&mut Network) -> R) -> R {
        self.own.update(|network| change(Arc::make_mut(network)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use syscalls::errno::ENETUNREACH;

    use super::{Link, Network, Prefix, Route};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn packets_find_their_way() {
        let mut network = Network::isolated();
        assert_eq!(network.way(ip("8.8.8.8"), None, 0), Err(ENETUNREACH));
        let source = |network: &Network, to| network.way(ip(to), None, 0).map(|way| way.source);
        assert_eq!(source(&network, "127.9.9.9"), Ok(ip("127.0.0.1")));
        assert_eq!(source(&network, "0.0.0.0"), Ok(ip("127.0.0.1")));
        assert_eq!(source(&network, "::1"), Ok(ip("::1")));
        network.links.push(Link {
            index: 2,
            name: "eth0".into(),
            mtu: 1500,
            mac: [2, 0, 0, 0, 0, 1],
            addresses: vec![Prefix {
                ip: ip("172.17.0.2"),
                len: 16,
            }],
            up: true,
        });
        let route = |to, len, via| Route {
            to: Prefix { ip: ip(to), len },
            via,
            link: 2,
            source: None,
            metric: 0,
        };
        network.routes.push(route("172.17.0.0", 16, None));
        network
            .routes
            .push(route("0.0.0.0", 0, Some(ip("172.17.0.1"))));
        let way = network
            .way(ip("8.8.8.8"), None, 0)
            .expect("a default route");
        assert_eq!((way.source, way.link, way.mtu), (ip("172.17.0.2"), 2, 1500));
        let own = network
            .way(ip("172.17.0.2"), None, 0)
            .expect("its own address");
        assert_eq!((own.source, own.link), (ip("172.17.0.2"), 1));
        assert_eq!(network.way(ip("2001:db8::1"), None, 0), Err(ENETUNREACH));
        assert!(network.is_broadcast(ip("172.17.255.255")));
    }
}
