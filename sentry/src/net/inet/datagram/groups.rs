//! Groups that a socket listens to, ip(7) and ipv6(7), and where it sends to groups.

use std::net::{IpAddr, Ipv4Addr};

use syscalls::Errno;
use syscalls::errno::{EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENODEV};

use super::super::links::{LOOPBACK, Network};
use crate::sync::{Level, Mutex};

#[derive(Default)]
struct State {
    /// Group and interface.
    joined: Vec<(IpAddr, u32)>,
    /// IP_MULTICAST_IF: interface, and address that was asked for.
    outgoing: (u32, Option<Ipv4Addr>),
}

pub(super) struct Groups(Mutex<State>);

/// Groups of one socket (net.ipv4.igmp_max_memberships).
const MAX: usize = 20;

impl Default for Groups {
    fn default() -> Self {
        Groups(Mutex::new(Level::Leaf, State::default()))
    }
}

/// The interface that a program means by a number or, for IPv4, an address; `ENODEV`.
pub(super) fn interface(
    network: &Network,
    index: i32,
    address: Option<Ipv4Addr>,
) -> Result<u32, Errno> {
    if index != 0 {
        let index = u32::try_from(index).map_err(|_| ENODEV)?;
        return network.link(index).map(|link| link.index).ok_or(ENODEV);
    }
    if let Some(address) = address.filter(|ip| !ip.is_unspecified()) {
        let owner = network.owner(address.into());
        return owner.map(|link| link.index).ok_or(ENODEV);
    }
    let outside = network.links.iter().find(|link| link.index != LOOPBACK);
    outside.map(|link| link.index).ok_or(ENODEV)
}

impl Groups {
    /// IP_ADD_MEMBERSHIP.
    pub(super) fn join(&self, group: IpAddr, link: u32) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(EINVAL);
        }
        let mut state = self.0.lock();
        if state.joined.contains(&(group, link)) {
            return Err(EADDRINUSE);
        }
        if state.joined.len() >= MAX {
            return Err(syscalls::errno::ENOBUFS);
        }
        state.joined.push((group, link));
        Ok(())
    }

    /// IP_DROP_MEMBERSHIP; any interface for `None`.
    pub(super) fn leave(&self, group: IpAddr, link: Option<u32>) -> Result<(), Errno> {
        let mut state = self.0.lock();
        let mut all = state.joined.iter();
        let at = all.position(|&(g, l)| g == group && link.is_none_or(|link| link == l));
        state.joined.remove(at.ok_or(EADDRNOTAVAIL)?);
        Ok(())
    }

    /// True if the socket listens to the group on the interface.
    pub(super) fn has(&self, group: IpAddr, link: u32) -> bool {
        let state = self.0.lock();
        state
            .joined
            .iter()
            .any(|&(g, l)| g == group && (l == link || link == 0))
    }

    /// IP_MULTICAST_IF.
    pub(super) fn set_outgoing(&self, link: u32, address: Option<Ipv4Addr>) {
        self.0.lock().outgoing = (link, address);
    }

    /// Where the socket sends to groups: interface, 0 for any, and the address asked for.
    pub(super) fn outgoing(&self) -> (u32, Option<Ipv4Addr>) {
        self.0.lock().outgoing
    }
}
