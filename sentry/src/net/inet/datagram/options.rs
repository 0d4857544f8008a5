//! Options of UDP and of groups, udp(7), ip(7), ipv6(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use syscalls::Errno;
use syscalls::abi::net::{
    IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MTU, IP_MULTICAST_IF, IPPROTO_IP, IPPROTO_IPV6,
    IPPROTO_UDP, IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP, IPV6_MTU, IPV6_MULTICAST_IF, IPV6_V6ONLY,
    IpMreqn, Ipv6Mreq, MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP, SOL_SOCKET, UDP_CORK,
};
use syscalls::errno::{EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT, ENOTCONN};
use zerocopy::FromBytes;

use super::DatagramSocket;
use super::groups::interface;
use super::labels::Wishes;
use crate::net::inet::addr::{Endpoint, Family};
use crate::net::inet::options::{Who, told};
use crate::net::{Address, Kind};
use crate::task::Current;

/// Bytes of the old `struct ip_mreq`, which has no interface number.
const OLD_MREQ: usize = 8;

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

/// `struct group_req`: an interface's number, and at a multiple of 8 an address.
fn group_request(value: &[u8], family: Family) -> Result<(i32, IpAddr), Errno> {
    let index = value.first_chunk::<4>().ok_or(EINVAL)?;
    let address = value.get(8..).ok_or(EINVAL)?;
    let (kind, data) = address.split_first_chunk::<2>().ok_or(EINVAL)?;
    let address = Address {
        family: u16::from_ne_bytes(*kind),
        data: data.to_vec(),
    };
    let group = Endpoint::local(&address, family).map_err(|_| EADDRNOTAVAIL)?;
    Ok((i32::from_ne_bytes(*index), group.ip))
}

impl DatagramSocket {
    fn who(&self) -> Who {
        Who {
            family: self.family,
            kind: Kind::Datagram,
        }
    }

    /// Joins or leaves.
    fn change_group(
        &self,
        joins: Membership,
        group: IpAddr,
        index: i32,
        address: Option<Ipv4Addr>,
    ) -> Result<(), Errno> {
        let network = self.stack.links.get();
        if !group.is_multicast() {
            return Err(EINVAL);
        }
        match joins {
            Membership::Join => self
                .groups
                .join(group, interface(&network, index, address)?),
            Membership::Leave => {
                let named = index != 0 || address.is_some_and(|ip| !ip.is_unspecified());
                let link = named
                    .then(|| interface(&network, index, address))
                    .transpose()?;
                self.groups.leave(group, link)
            }
        }
    }

    pub(super) fn change_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        match (level, name) {
            (IPPROTO_IP, IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP) => {
                let request = request(value)?;
                let joins = Membership::of(name == IP_ADD_MEMBERSHIP);
                let group = Ipv4Addr::from(request.multiaddr).into();
                let address = Some(Ipv4Addr::from(request.address));
                self.change_group(joins, group, request.ifindex, address)
            }
            (IPPROTO_IPV6, IPV6_JOIN_GROUP | IPV6_LEAVE_GROUP) if self.family == Family::V6 => {
                let request = Ipv6Mreq::read_from_prefix(value).map_err(|_| EINVAL)?.0;
                let joins = Membership::of(name == IPV6_JOIN_GROUP);
                let index = i32::try_from(request.ifindex).map_err(|_| ENODEV)?;
                let group = Ipv6Addr::from(request.multiaddr).into();
                self.change_group(joins, group, index, None)
            }
            (IPPROTO_IP | IPPROTO_IPV6, MCAST_JOIN_GROUP | MCAST_LEAVE_GROUP) => {
                let family = if level == IPPROTO_IP {
                    Family::V4
                } else {
                    Family::V6
                };
                let (index, group) = group_request(value, family)?;
                let joins = Membership::of(name == MCAST_JOIN_GROUP);
                self.change_group(joins, group, index, None)
            }
            (IPPROTO_IP, IP_MULTICAST_IF) => self.set_outgoing(value),
            (IPPROTO_IPV6, IPV6_MULTICAST_IF) => {
                let index = value.first_chunk::<4>().ok_or(EINVAL)?;
                let index = i32::from_ne_bytes(*index);
                if index != 0 {
                    interface(&self.stack.links.get(), index, None)?;
                }
                self.numbers.change(task, self.who(), (level, name), value)
            }
            (IPPROTO_IPV6, IPV6_V6ONLY) if self.inner.lock().hold.is_some() => Err(EINVAL),
            (IPPROTO_UDP | IPPROTO_IP | IPPROTO_IPV6, _) => {
                self.numbers
                    .change(task, self.who(), (level, name), value)?;
                if (level, name) == (IPPROTO_UDP, UDP_CORK) && !self.numbers.is_set(level, name) {
                    return self.uncork();
                }
                Ok(())
            }
            _ => Err(ENOPROTOOPT),
        }
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
        let network = self.stack.links.get();
        let link = interface(&network, index, Some(address)).map_err(|_| EADDRNOTAVAIL)?;
        let address = (!address.is_unspecified()).then_some(address);
        self.groups.set_outgoing(link, address);
        Ok(())
    }

    pub(super) fn option(&self, level: i32, name: i32, room: usize) -> Result<Vec<u8>, Errno> {
        match (level, name) {
            (IPPROTO_IP, IP_MULTICAST_IF) => {
                let (_, address) = self.groups.outgoing();
                Ok(address.unwrap_or(Ipv4Addr::UNSPECIFIED).octets().to_vec())
            }
            (IPPROTO_IP, IP_MTU) | (IPPROTO_IPV6, IPV6_MTU) => {
                let inner = self.inner.lock();
                let peer = inner.peer.ok_or(ENOTCONN)?;
                let way = self.way(&inner, peer.ip, Wishes::default())?;
                let mtu = i32::try_from(way.mtu).unwrap_or(i32::MAX);
                Ok(mtu.to_ne_bytes().to_vec())
            }
            (SOL_SOCKET, _) => Err(ENOPROTOOPT),
            _ => Ok(told(
                level,
                self.numbers.tell(self.who(), level, name)?,
                room,
            )),
        }
    }
}

#[derive(Clone, Copy)]
enum Membership {
    Join,
    Leave,
}

impl Membership {
    fn of(joins: bool) -> Self {
        if joins {
            Membership::Join
        } else {
            Membership::Leave
        }
    }
}
