//! Options of groups, ip(7) and ipv6(7), and what else is more than a number.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use syscalls::Errno;
use syscalls::abi::net::{
    IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE, IP_DROP_MEMBERSHIP,
    IP_DROP_SOURCE_MEMBERSHIP, IP_MSFILTER, IP_MULTICAST_IF, IP_PROTOCOL, IP_UNBLOCK_SOURCE,
    IPPROTO_IP, IPPROTO_IPV6, IPV6_JOIN_ANYCAST, IPV6_JOIN_GROUP, IPV6_LEAVE_ANYCAST,
    IPV6_LEAVE_GROUP, IPV6_MULTICAST_IF, IpMreqSource, IpMreqn, Ipv6Mreq, MCAST_BLOCK_SOURCE,
    MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP,
    MCAST_MSFILTER, MCAST_UNBLOCK_SOURCE, SOCKADDR_STORAGE,
};
use syscalls::errno::{EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT};
use zerocopy::FromBytes;

use super::Base;
use super::groups::{Filter, interface};
use crate::net::inet::addr::{Endpoint, Family};
use crate::net::inet::options::told;
use crate::net::{Address, Given, Kind};
use crate::task::Current;

/// Bytes of the old `struct ip_mreq`, which has no interface number.
const OLD_MREQ: usize = 8;
/// Where the group of `struct group_req` begins, and a source follows it.
const GROUP_AT: usize = 8;
const SOURCE_AT: usize = GROUP_AT + SOCKADDR_STORAGE;
/// Bytes of the fixed part of `struct ip_msfilter`.
const OLD_FILTER: usize = 16;
/// The most sources that IP_MSFILTER takes at once (net.ipv4.igmp_max_msf).
const MAX_SOURCES: usize = 10;

/// A request about a group of IPv4, whichever of its forms it has.
fn request(value: &[u8]) -> Result<IpMreqn, Errno> {
    if let Ok((request, _)) = IpMreqn::read_from_prefix(value) {
        return Ok(request);
    }
    let old = value.first_chunk::<OLD_MREQ>().ok_or(EINVAL)?;
    let mut whole = [0; size_of::<IpMreqn>()];
    if let Some(start) = whole.first_chunk_mut::<OLD_MREQ>() {
        *start = *old;
    }
    IpMreqn::read_from_bytes(&whole).map_err(|_| EINVAL)
}

/// The number of `struct group_req` and its siblings.
fn index_of(value: &[u8]) -> Result<i32, Errno> {
    let index = value.first_chunk::<4>().ok_or(EINVAL)?;
    Ok(i32::from_ne_bytes(*index))
}

/// An address inside such a structure; `EINVAL` if it ends before, `wrong` for one of
/// another family.
fn address_at(value: &[u8], at: usize, family: Family, wrong: Errno) -> Result<IpAddr, Errno> {
    let storage = value.get(at..at + SOCKADDR_STORAGE).ok_or(EINVAL)?;
    let (kind, data) = storage.split_first_chunk::<2>().ok_or(EINVAL)?;
    let address = Address {
        family: u16::from_ne_bytes(*kind),
        data: data.to_vec(),
    };
    if i32::from(address.family) != family.raw() {
        return Err(wrong);
    }
    Ok(Endpoint::local(&address, family).map_err(|_| wrong)?.ip)
}

/// The least bytes of a request about groups; `None` for any other option.
pub(in crate::net::inet) fn group_request(level: i32, name: i32) -> Option<usize> {
    match (level, name) {
        (IPPROTO_IP, IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP) => Some(OLD_MREQ),
        (IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP..=IP_DROP_SOURCE_MEMBERSHIP)
        | (IPPROTO_IP, IP_UNBLOCK_SOURCE | IP_BLOCK_SOURCE) => Some(size_of::<IpMreqSource>()),
        (IPPROTO_IP, IP_MSFILTER) => Some(OLD_FILTER),
        (IPPROTO_IP, IP_MULTICAST_IF) | (IPPROTO_IPV6, IPV6_MULTICAST_IF) => Some(4),
        (
            IPPROTO_IPV6,
            IPV6_JOIN_GROUP | IPV6_LEAVE_GROUP | IPV6_JOIN_ANYCAST | IPV6_LEAVE_ANYCAST,
        ) => Some(size_of::<Ipv6Mreq>()),
        (IPPROTO_IP | IPPROTO_IPV6, MCAST_JOIN_GROUP | MCAST_LEAVE_GROUP) => Some(SOURCE_AT),
        (
            IPPROTO_IP | IPPROTO_IPV6,
            MCAST_BLOCK_SOURCE
            | MCAST_UNBLOCK_SOURCE
            | MCAST_JOIN_SOURCE_GROUP
            | MCAST_LEAVE_SOURCE_GROUP,
        ) => Some(SOURCE_AT + SOCKADDR_STORAGE),
        (IPPROTO_IP | IPPROTO_IPV6, MCAST_MSFILTER) => Some(SOURCE_AT + GROUP_AT),
        _ => None,
    }
}

/// What becomes of a source.
#[derive(Clone, Copy)]
enum Change {
    Add(Filter),
    Remove(Filter),
}

fn source_change(name: i32) -> Change {
    match name {
        IP_ADD_SOURCE_MEMBERSHIP | MCAST_JOIN_SOURCE_GROUP => Change::Add(Filter::Include),
        IP_DROP_SOURCE_MEMBERSHIP | MCAST_LEAVE_SOURCE_GROUP => Change::Remove(Filter::Include),
        IP_BLOCK_SOURCE | MCAST_BLOCK_SOURCE => Change::Add(Filter::Exclude),
        _ => Change::Remove(Filter::Exclude),
    }
}

/// The version of IP that options of a level are about.
fn version(level: i32) -> Family {
    if level == IPPROTO_IP {
        Family::V4
    } else {
        Family::V6
    }
}

impl Base {
    fn link(&self, index: i32, address: Option<Ipv4Addr>) -> Result<u32, Errno> {
        interface(&self.stack.links.get(), index, address)
    }

    fn join(&self, group: IpAddr, index: i32, address: Option<Ipv4Addr>) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(EINVAL);
        }
        self.groups.join(group, self.link(index, address)?)
    }

    fn leave(&self, group: IpAddr, index: i32, address: Option<Ipv4Addr>) -> Result<(), Errno> {
        if group.is_ipv6() && !group.is_multicast() {
            return Err(EINVAL);
        }
        let named = index != 0 || address.is_some_and(|ip| !ip.is_unspecified());
        if !named {
            return self.groups.leave(group, None);
        }
        let link = self.link(index, address).map_err(|_| EADDRNOTAVAIL)?;
        self.groups.leave(group, Some(link))
    }

    fn change_source(
        &self,
        change: Change,
        group: IpAddr,
        link: Result<u32, Errno>,
        source: IpAddr,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(EINVAL);
        }
        let place = (group, link?);
        match change {
            Change::Add(filter) => self.groups.add_source(place, source, filter),
            Change::Remove(filter) => self.groups.remove_source(place, source, filter),
        }
    }

    /// setsockopt(2) at the level of IP or IPv6.
    pub(in crate::net::inet) fn change_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        given: Given<'_>,
    ) -> Result<(), Errno> {
        let Some(least) = group_request(level, name).filter(|_| self.who().has_level(level)) else {
            return self.numbers.change(task, self.who(), (level, name), given);
        };
        if given.len() < least {
            return Err(EINVAL);
        }
        let changed = self.change_groups(level, name, given);
        self.stack.regroup();
        changed
    }

    fn change_groups(&self, level: i32, name: i32, given: Given<'_>) -> Result<(), Errno> {
        if (level, name) == (IPPROTO_IPV6, IPV6_MULTICAST_IF) {
            let index = given.number_or_null()?;
            if index != 0 {
                self.link(index, None)?;
            }
            self.numbers.put(level, name, index);
            return Ok(());
        }
        let bytes = given.bytes()?;
        let value = bytes.as_slice();
        match (level, name) {
            (IPPROTO_IP, IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP) => {
                let request = request(value)?;
                let group = Ipv4Addr::from(request.multiaddr).into();
                let address = Some(Ipv4Addr::from(request.address));
                if name == IP_ADD_MEMBERSHIP {
                    self.join(group, request.ifindex, address)
                } else {
                    self.leave(group, request.ifindex, address)
                }
            }
            (
                IPPROTO_IP,
                IP_ADD_SOURCE_MEMBERSHIP
                | IP_DROP_SOURCE_MEMBERSHIP
                | IP_BLOCK_SOURCE
                | IP_UNBLOCK_SOURCE,
            ) => {
                let request = IpMreqSource::read_from_bytes(value).map_err(|_| EINVAL)?;
                let group = Ipv4Addr::from(request.multiaddr).into();
                let link = self.link(0, Some(Ipv4Addr::from(request.interface)));
                let source = Ipv4Addr::from(request.source).into();
                self.change_source(source_change(name), group, link, source)
            }
            (IPPROTO_IP, IP_MSFILTER) => self.set_old_filter(value),
            (IPPROTO_IPV6, IPV6_JOIN_GROUP | IPV6_LEAVE_GROUP) if self.version() == Family::V6 => {
                let request = Ipv6Mreq::read_from_prefix(value).map_err(|_| EINVAL)?.0;
                let index = i32::try_from(request.ifindex).map_err(|_| ENODEV)?;
                let group = Ipv6Addr::from(request.multiaddr).into();
                if name == IPV6_JOIN_GROUP {
                    self.join(group, index, None)
                } else {
                    self.leave(group, index, None)
                }
            }
            (IPPROTO_IP | IPPROTO_IPV6, MCAST_JOIN_GROUP | MCAST_LEAVE_GROUP) => {
                let family = version(level);
                let wrong = match family {
                    Family::V4 => EINVAL,
                    Family::V6 => EADDRNOTAVAIL,
                };
                let group = address_at(value, GROUP_AT, family, wrong)?;
                if name == MCAST_JOIN_GROUP {
                    self.join(group, index_of(value)?, None)
                } else {
                    self.leave(group, index_of(value)?, None)
                }
            }
            (
                IPPROTO_IP | IPPROTO_IPV6,
                MCAST_JOIN_SOURCE_GROUP
                | MCAST_LEAVE_SOURCE_GROUP
                | MCAST_BLOCK_SOURCE
                | MCAST_UNBLOCK_SOURCE,
            ) => {
                let family = version(level);
                value.get(..SOURCE_AT + SOCKADDR_STORAGE).ok_or(EINVAL)?;
                let group = address_at(value, GROUP_AT, family, EADDRNOTAVAIL)?;
                let source = address_at(value, SOURCE_AT, family, EADDRNOTAVAIL)?;
                let link = self.link(index_of(value)?, None);
                self.change_source(source_change(name), group, link, source)
            }
            (IPPROTO_IP | IPPROTO_IPV6, MCAST_MSFILTER) => self.set_filter(version(level), value),
            (IPPROTO_IP, IP_MULTICAST_IF) => self.set_outgoing(value),
            _ => Err(ENOPROTOOPT),
        }
    }

    /// `struct ip_msfilter`: group, interface, mode, count, sources.
    fn set_old_filter(&self, value: &[u8]) -> Result<(), Errno> {
        let (words, _) = value.as_chunks::<4>();
        let [group, interface, mode, count, sources @ ..] = words else {
            return Err(EINVAL);
        };
        let count = u32::from_ne_bytes(*count);
        let count = usize::try_from(count).map_err(|_| EINVAL)?;
        if count > MAX_SOURCES {
            return Err(syscalls::errno::ENOBUFS);
        }
        let sources = sources.get(..count).ok_or(EINVAL)?;
        let sources = sources.iter().map(|s| Ipv4Addr::from(*s).into()).collect();
        let group: IpAddr = Ipv4Addr::from(*group).into();
        let link = self.link(0, Some(Ipv4Addr::from(*interface)));
        self.filter_groups(group, link, u32::from_ne_bytes(*mode), sources)
    }

    /// `struct group_filter`: interface, group, mode, count, sources.
    fn set_filter(&self, family: Family, value: &[u8]) -> Result<(), Errno> {
        let rest = value.get(SOURCE_AT..).ok_or(EINVAL)?;
        let (mode, rest) = rest.split_first_chunk::<4>().ok_or(EINVAL)?;
        let (count, _) = rest.split_first_chunk::<4>().ok_or(EINVAL)?;
        let count = usize::try_from(u32::from_ne_bytes(*count)).map_err(|_| EINVAL)?;
        if count > MAX_SOURCES {
            return Err(syscalls::errno::ENOBUFS);
        }
        let group = address_at(value, GROUP_AT, family, EADDRNOTAVAIL)?;
        let source = |at: usize| {
            let at = SOURCE_AT + GROUP_AT + at * SOCKADDR_STORAGE;
            address_at(value, at, family, EADDRNOTAVAIL)
        };
        let sources = (0..count).map(source).collect::<Result<Vec<_>, _>>()?;
        let link = self.link(index_of(value)?, None);
        self.filter_groups(group, link, u32::from_ne_bytes(*mode), sources)
    }

    fn filter_groups(
        &self,
        group: IpAddr,
        link: Result<u32, Errno>,
        mode: u32,
        sources: Vec<IpAddr>,
    ) -> Result<(), Errno> {
        let filter = match mode {
            EXCLUDE => Filter::Exclude,
            INCLUDE => Filter::Include,
            _ => return Err(EINVAL),
        };
        if !group.is_multicast() {
            return Err(EINVAL);
        }
        self.groups.set_filter((group, link?), filter, sources)
    }

    fn set_outgoing(&self, value: &[u8]) -> Result<(), Errno> {
        // The oldest form is an address alone.
        let (index, address) = if value.len() < OLD_MREQ {
            let address = value.first_chunk::<4>().ok_or(EINVAL)?;
            (0, Ipv4Addr::from(*address))
        } else {
            let request = request(value)?;
            (request.ifindex, Ipv4Addr::from(request.address))
        };
        if index == 0 && address.is_unspecified() {
            self.groups.set_outgoing(0, None);
            return Ok(());
        }
        let link = self.link(index, Some(address)).map_err(|_| EADDRNOTAVAIL)?;
        let address = (!address.is_unspecified()).then_some(address);
        self.groups.set_outgoing(link, address);
        Ok(())
    }

    /// getsockopt(2) at the level of IP or IPv6.
    pub(in crate::net::inet) fn option(
        &self,
        level: i32,
        name: i32,
        room: usize,
    ) -> Result<Vec<u8>, Errno> {
        match (level, name) {
            (IPPROTO_IP, IP_MULTICAST_IF) if self.who().has_level(level) => {
                let (_, address) = self.groups.outgoing();
                Ok(address.unwrap_or(Ipv4Addr::UNSPECIFIED).octets().to_vec())
            }
            (IPPROTO_IP, IP_PROTOCOL) if self.who().has_level(level) => {
                let protocol = if self.kind == Kind::Raw {
                    self.protocol
                } else {
                    0
                };
                Ok(told(level, protocol, room))
            }
            _ => self.numbers.tell(self.who(), level, name, room),
        }
    }
}

/// MCAST_EXCLUDE and MCAST_INCLUDE.
const EXCLUDE: u32 = 0;
const INCLUDE: u32 = 1;
