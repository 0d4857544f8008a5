//! Addresses and ports of sockets, ip(7) and ipv6(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use syscalls::Errno;
use syscalls::abi::net::{
    AF_INET, AF_INET6, AF_UNSPEC, IPPROTO_ICMP, IPPROTO_ICMPV6, SockaddrIn, SockaddrIn6,
};
use syscalls::errno::{EAFNOSUPPORT, EINVAL};
use zerocopy::{FromBytes, IntoBytes};

use super::super::Address;

/// The version of IP a socket was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// AF_INET.
    V4,
    /// AF_INET6, which can speak IPv4 too.
    V6,
}

/// The version of a socket: IPV6_ADDRFORM makes one of IPv6 a socket of IPv4.
pub(in crate::net::inet) struct Version(AtomicBool);

impl Version {
    pub(in crate::net::inet) fn new(family: Family) -> Self {
        Version(AtomicBool::new(family == Family::V6))
    }

    pub(in crate::net::inet) fn get(&self) -> Family {
        if self.0.load(Ordering::Relaxed) {
            Family::V6
        } else {
            Family::V4
        }
    }

    /// From now on it is one of IPv4.
    pub(in crate::net::inet) fn lower(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// An address and a port. Addresses of IPv4 are never in their IPv6 clothes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Address; unspecified for any.
    pub ip: IpAddr,
    /// Port; 0 for none.
    pub port: u16,
}

/// Bytes of an address of AF_INET6 without its scope: RFC 2133 knew no more.
const OLD_IN6: usize = 24;

impl Family {
    /// AF_*.
    #[must_use]
    pub fn raw(self) -> i32 {
        match self {
            Family::V4 => AF_INET,
            Family::V6 => AF_INET6,
        }
    }

    /// IPPROTO_ICMP or its sibling.
    #[must_use]
    pub fn icmp(self) -> i32 {
        match self {
            Family::V4 => IPPROTO_ICMP,
            Family::V6 => IPPROTO_ICMPV6,
        }
    }

    /// The unspecified address.
    #[must_use]
    pub fn any(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// The family of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// Puts the bytes of a call's address into a structure that may be longer.
fn fill<T: FromBytes + IntoBytes>(bytes: &[u8], least: usize) -> Result<T, Errno> {
    let mut whole = vec![0; size_of::<T>()];
    if bytes.len() < least {
        return Err(EINVAL);
    }
    let len = bytes.len().min(whole.len());
    if let (Some(to), Some(from)) = (whole.get_mut(..len), bytes.get(..len)) {
        to.copy_from_slice(from);
    }
    T::read_from_bytes(&whole).map_err(|_| EINVAL)
}

impl Endpoint {
    /// Any address, no port.
    #[must_use]
    pub fn any(family: Family) -> Self {
        Endpoint {
            ip: family.any(),
            port: 0,
        }
    }

    /// The same with another port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Endpoint { port, ..self }
    }

    /// Where connect(2) or sendto(2) goes, for a socket of `family`. A datagram socket of
    /// IPv6 takes addresses of IPv4 as they are (`mixed`).
    pub fn remote(address: &Address, family: Family, mixed: Mixed) -> Result<Self, Errno> {
        let given = i32::from(address.family);
        let mapped = mixed == Mixed::Allowed && given == AF_INET;
        match family {
            Family::V4 => Self::from_v4(address, given == AF_INET),
            Family::V6 if mapped => Self::from_v4(address, true),
            Family::V6 => Self::from_v6(address),
        }
    }

    /// What bind(2) asks for.
    pub fn local(address: &Address, family: Family) -> Result<Self, Errno> {
        match family {
            Family::V6 => Self::from_v6(address),
            Family::V4 => {
                let right = i32::from(address.family) == AF_INET;
                let endpoint = Self::from_v4(address, true)?;
                // Some old programs leave the family out where any address will do.
                let lax = i32::from(address.family) == AF_UNSPEC && endpoint.ip.is_unspecified();
                if right || lax {
                    Ok(endpoint)
                } else {
                    Err(EAFNOSUPPORT)
                }
            }
        }
    }

    fn from_v4(address: &Address, right_family: bool) -> Result<Self, Errno> {
        let raw: SockaddrIn = fill(&address.to_bytes(), size_of::<SockaddrIn>())?;
        if !right_family {
            return Err(EAFNOSUPPORT);
        }
        Ok(Endpoint {
            ip: Ipv4Addr::from(raw.addr).into(),
            port: u16::from_be_bytes(raw.port),
        })
    }

    fn from_v6(address: &Address) -> Result<Self, Errno> {
        let raw: SockaddrIn6 = fill(&address.to_bytes(), OLD_IN6)?;
        if i32::from(address.family) != AF_INET6 {
            return Err(EAFNOSUPPORT);
        }
        let ip = Ipv6Addr::from(raw.addr);
        Ok(Endpoint {
            ip: IpAddr::V6(ip).to_canonical(),
            port: u16::from_be_bytes(raw.port),
        })
    }

    /// As calls pass it on a socket of `family`.
    #[must_use]
    pub fn address(self, family: Family) -> Address {
        let port = self.port.to_be_bytes();
        let bytes = match (family, self.ip) {
            (Family::V4, ip) => {
                let addr = match ip {
                    IpAddr::V4(ip) => ip.octets(),
                    IpAddr::V6(_) => [0; 4],
                };
                let raw = SockaddrIn {
                    family: 0,
                    port,
                    addr,
                    zero: [0; 8],
                };
                raw.as_bytes().to_vec()
            }
            (Family::V6, ip) => {
                let addr = match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                let raw = SockaddrIn6 {
                    family: 0,
                    port,
                    flowinfo: [0; 4],
                    addr: addr.octets(),
                    scope_id: 0,
                };
                raw.as_bytes().to_vec()
            }
        };
        Address {
            family: u16::try_from(family.raw()).unwrap_or(0),
            data: bytes.get(2..).unwrap_or_default().to_vec(),
        }
    }
}

/// Whether a socket of IPv6 takes addresses of AF_INET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixed {
    /// Datagram sockets.
    Allowed,
    /// Stream sockets.
    Refused,
}

/// The addresses that a socket bound to one takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Of IPv4; unspecified for all, `None` for none.
    pub v4: Option<Ipv4Addr>,
    /// Of IPv6.
    pub v6: Option<Ipv6Addr>,
}

impl Cover {
    /// What a socket of `family` that is bound to `ip` covers; one of IPv6 that is bound to
    /// any address takes IPv4 as well, unless it was told not to (`v6_only`).
    #[must_use]
    pub fn new(family: Family, ip: IpAddr, v6_only: bool) -> Self {
        match ip {
            IpAddr::V4(ip) => Cover {
                v4: Some(ip),
                v6: None,
            },
            IpAddr::V6(ip) => Cover {
                v4: (family == Family::V6 && ip.is_unspecified() && !v6_only)
                    .then_some(Ipv4Addr::UNSPECIFIED),
                v6: Some(ip),
            },
        }
    }

    /// True if some packet could be for both.
    #[must_use]
    pub fn overlaps(self, other: Cover) -> bool {
        let v4 = match (self.v4, other.v4) {
            (Some(a), Some(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
            _ => false,
        };
        let v6 = match (self.v6, other.v6) {
            (Some(a), Some(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
            _ => false,
        };
        v4 || v6
    }

    /// How well a packet to `ip` fits: more for the address itself than for any address,
    /// more for a socket of the packet's own version than for one of both.
    #[must_use]
    pub fn fits(self, ip: IpAddr) -> Option<u32> {
        let (exact, any) = match ip {
            IpAddr::V4(ip) => (
                self.v4 == Some(ip),
                self.v4.is_some_and(|v4| v4.is_unspecified()),
            ),
            IpAddr::V6(ip) => (
                self.v6 == Some(ip),
                self.v6.is_some_and(|v6| v6.is_unspecified()),
            ),
        };
        let own_version = u32::from(ip.is_ipv6() || self.v6.is_none());
        match (exact, any) {
            (true, _) => Some(4 + own_version),
            (_, true) => Some(own_version),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cover, Endpoint, Family};

    #[test]
    fn addresses_go_there_and_back() {
        let v4 = Endpoint {
            ip: [127, 0, 0, 1].into(),
            port: 80,
        };
        let plain = v4.address(Family::V4);
        assert_eq!(plain.to_bytes()[..8], [2, 0, 0, 80, 127, 0, 0, 1]);
        assert_eq!(Endpoint::local(&plain, Family::V4), Ok(v4));
        // The same on a socket of IPv6.
        let mapped = v4.address(Family::V6);
        assert_eq!(mapped.to_bytes().len(), 28);
        assert_eq!(Endpoint::local(&mapped, Family::V6), Ok(v4));
    }

    #[test]
    fn what_bound_sockets_cover() {
        let cover = |family, ip: &str, only| Cover::new(family, ip.parse().unwrap(), only);
        let (any4, any6) = (
            cover(Family::V4, "0.0.0.0", false),
            cover(Family::V6, "::", false),
        );
        let only6 = cover(Family::V6, "::", true);
        let one4 = cover(Family::V4, "127.0.0.1", false);
        let two4 = cover(Family::V4, "127.0.0.2", false);
        assert!(any4.overlaps(any6) && any6.overlaps(one4) && any4.overlaps(one4));
        assert!(!any4.overlaps(only6) && !one4.overlaps(two4) && only6.overlaps(any6));
        let to = "127.0.0.1".parse().unwrap();
        assert!(one4.fits(to) > any4.fits(to) && any4.fits(to) > any6.fits(to));
        assert_eq!(only6.fits(to), None);
    }
}
