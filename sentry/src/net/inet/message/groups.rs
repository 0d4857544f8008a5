//! Groups that a socket listens to, ip(7) and ipv6(7), with the sources it wants to hear,
//! and where it sends to groups.

use std::net::{IpAddr, Ipv4Addr};

use syscalls::Errno;
use syscalls::errno::{EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV};

use super::super::links::{LOOPBACK, Network};
use crate::sync::{Level, Mutex};

/// Which senders to a group are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net::inet) enum Filter {
    /// Those that are listed.
    Include,
    /// All but those that are listed.
    Exclude,
}

struct Joined {
    group: IpAddr,
    link: u32,
    filter: Filter,
    sources: Vec<IpAddr>,
}

#[derive(Default)]
struct State {
    joined: Vec<Joined>,
    /// IP_MULTICAST_IF: interface, and address that was asked for.
    outgoing: (u32, Option<Ipv4Addr>),
}

pub(in crate::net::inet) struct Groups(Mutex<State>);

/// Groups of one socket (net.ipv4.igmp_max_memberships).
const MAX: usize = 20;
/// Sources of one group (net.ipv4.igmp_max_msf).
const MAX_SOURCES: usize = 10;

impl Default for Groups {
    fn default() -> Self {
        Groups(Mutex::new(Level::Leaf, State::default()))
    }
}

/// The interface that a program means by a number or, for IPv4, an address; `ENODEV`.
pub(in crate::net::inet) fn interface(
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

impl State {
    fn find(&mut self, group: IpAddr, link: u32) -> Option<usize> {
        let is = |joined: &Joined| joined.group == group && joined.link == link;
        self.joined.iter().position(is)
    }

    /// The membership, and its place, with sources that `filter` is about. Only an empty list
    /// can change its meaning: `EINVAL`.
    fn filtered(
        &mut self,
        group: IpAddr,
        link: u32,
        filter: Filter,
    ) -> Result<(usize, &mut Joined), Errno> {
        let place = self.find(group, link).ok_or(EINVAL)?;
        let joined = self.joined.get_mut(place).ok_or(EINVAL)?;
        if joined.filter != filter && !joined.sources.is_empty() {
            return Err(EINVAL);
        }
        joined.filter = filter;
        Ok((place, joined))
    }

    fn join(&mut self, group: IpAddr, link: u32, filter: Filter) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(EINVAL);
        }
        if self.find(group, link).is_some() {
            return Err(EADDRINUSE);
        }
        if self.joined.len() >= MAX {
            return Err(ENOBUFS);
        }
        self.joined.push(Joined {
            group,
            link,
            filter,
            sources: Vec::new(),
        });
        Ok(())
    }
}

impl Groups {
    /// IP_ADD_MEMBERSHIP.
    pub(in crate::net::inet) fn join(&self, group: IpAddr, link: u32) -> Result<(), Errno> {
        self.0.lock().join(group, link, Filter::Exclude)
    }

    /// IP_DROP_MEMBERSHIP; any interface for `None`.
    pub(in crate::net::inet) fn leave(
        &self,
        group: IpAddr,
        link: Option<u32>,
    ) -> Result<(), Errno> {
        let mut state = self.0.lock();
        let mut all = state.joined.iter();
        let fits = |j: &Joined| j.group == group && link.is_none_or(|link| link == j.link);
        let at = all.position(fits).ok_or(EADDRNOTAVAIL)?;
        state.joined.remove(at);
        Ok(())
    }

    /// Leaves all groups of IPv6.
    pub(in crate::net::inet) fn leave_v6(&self) {
        self.0.lock().joined.retain(|joined| joined.group.is_ipv4());
    }

    /// IP_ADD_SOURCE_MEMBERSHIP (`Include`) and IP_BLOCK_SOURCE (`Exclude`). The first joins
    /// as well.
    pub(in crate::net::inet) fn add_source(
        &self,
        (group, link): (IpAddr, u32),
        source: IpAddr,
        filter: Filter,
    ) -> Result<(), Errno> {
        let mut state = self.0.lock();
        if filter == Filter::Include {
            match state.join(group, link, filter) {
                Ok(()) | Err(EADDRINUSE) => {}
                Err(error) => return Err(error),
            }
        }
        let (_, joined) = state.filtered(group, link, filter)?;
        if joined.sources.contains(&source) {
            return Err(EADDRNOTAVAIL);
        }
        if joined.sources.len() >= MAX_SOURCES {
            return Err(ENOBUFS);
        }
        joined.sources.push(source);
        Ok(())
    }

    /// IP_DROP_SOURCE_MEMBERSHIP (`Include`) and IP_UNBLOCK_SOURCE (`Exclude`). Who wants
    /// to hear nobody any more leaves.
    pub(in crate::net::inet) fn remove_source(
        &self,
        (group, link): (IpAddr, u32),
        source: IpAddr,
        filter: Filter,
    ) -> Result<(), Errno> {
        let mut state = self.0.lock();
        let (place, joined) = state.filtered(group, link, filter)?;
        let at = joined.sources.iter().position(|s| *s == source);
        joined.sources.remove(at.ok_or(EADDRNOTAVAIL)?);
        if joined.sources.is_empty() && filter == Filter::Include {
            state.joined.remove(place);
        }
        Ok(())
    }

    /// IP_MSFILTER: the whole list at once.
    pub(in crate::net::inet) fn set_filter(
        &self,
        (group, link): (IpAddr, u32),
        filter: Filter,
        sources: Vec<IpAddr>,
    ) -> Result<(), Errno> {
        let mut state = self.0.lock();
        let at = state.find(group, link);
        if filter == Filter::Include && sources.is_empty() {
            state.joined.remove(at.ok_or(EADDRNOTAVAIL)?);
            return Ok(());
        }
        let joined = state.joined.get_mut(at.ok_or(EINVAL)?).ok_or(EINVAL)?;
        (joined.filter, joined.sources) = (filter, sources);
        Ok(())
    }

    /// True if the socket listens to the group on the interface.
    pub(in crate::net::inet) fn has(&self, group: IpAddr, link: u32) -> bool {
        self.hears(group, link, None).is_some()
    }

    /// Whether the socket wants to hear what `source` sends to the group; `None` if it did
    /// not join.
    pub(in crate::net::inet) fn hears(
        &self,
        group: IpAddr,
        link: u32,
        source: Option<IpAddr>,
    ) -> Option<bool> {
        let state = self.0.lock();
        let fits = |j: &&Joined| j.group == group && (j.link == link || link == 0);
        let joined = state.joined.iter().find(fits)?;
        let listed = source.is_some_and(|source| joined.sources.contains(&source));
        Some(listed == (joined.filter == Filter::Include))
    }

    /// True if the socket listens to no group.
    pub(in crate::net::inet) fn is_empty(&self) -> bool {
        self.0.lock().joined.is_empty()
    }

    /// The groups that the socket listens to on the interface.
    pub(in crate::net::inet) fn of_link(&self, link: u32) -> Vec<IpAddr> {
        let state = self.0.lock();
        let joined = state.joined.iter().filter(|joined| joined.link == link);
        joined.map(|joined| joined.group).collect()
    }

    /// IP_MULTICAST_IF.
    pub(in crate::net::inet) fn set_outgoing(&self, link: u32, address: Option<Ipv4Addr>) {
        self.0.lock().outgoing = (link, address);
    }

    /// Where the socket sends to groups: interface, 0 for any, and the address asked for.
    pub(in crate::net::inet) fn outgoing(&self) -> (u32, Option<Ipv4Addr>) {
        self.0.lock().outgoing
    }
}
