//! ioctl(2) about interfaces, netdevice(7): most sockets take them.

use std::net::{IpAddr, Ipv4Addr};

use syscalls::abi::fs::{
    SIOCADDMULTI, SIOCDELMULTI, SIOCETHTOOL, SIOCGIFADDR, SIOCGIFBR, SIOCGIFBRDADDR, SIOCGIFCONF,
    SIOCGIFDSTADDR, SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFMETRIC, SIOCGIFMTU,
    SIOCGIFNAME, SIOCGIFNETMASK, SIOCGIFPFLAGS, SIOCGIFSLAVE, SIOCGIFTXQLEN, SIOCGMIIPHY,
    SIOCGMIIREG, SIOCGSKNS, SIOCSIFADDR, SIOCSIFBR, SIOCSIFBRDADDR, SIOCSIFDSTADDR, SIOCSIFFLAGS,
    SIOCSIFHWADDR, SIOCSIFHWBROADCAST, SIOCSIFMETRIC, SIOCSIFMTU, SIOCSIFNAME, SIOCSIFNETMASK,
    SIOCSIFPFLAGS, SIOCSIFSLAVE, SIOCSIFTXQLEN, SIOCSMIIREG, SIOCWANDEV,
};
use syscalls::abi::net::{AF_INET, AF_PACKET};
use syscalls::errno::{EADDRNOTAVAIL, EINVAL, ENODEV, ENOTTY, EOPNOTSUPP, EPERM};
use syscalls::{Errno, SysResult, UserAddr};

use super::inet::{Endpoint, Family, Link, Network, Prefix};
use super::netlink;
use crate::task::{Capabilities, Current};

/// Bytes of a name, IFNAMSIZ.
const NAME: usize = 16;
/// Bytes of `struct ifreq`.
const REQUEST: usize = 40;
/// Queue length of every interface.
const QUEUE: i32 = 1000;

/// Answers a request about an interface; `None` for any other request. Addresses are told
/// by sockets of AF_INET and AF_PACKET only.
pub(super) fn interface(
    task: &Current,
    family: i32,
    command: u32,
    argument: u64,
) -> Option<SysResult> {
    match command {
        SIOCGIFCONF => Some(list(task, argument)),
        SIOCGIFADDR | SIOCGIFDSTADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK
            if matches!(family, AF_INET | AF_PACKET) =>
        {
            Some(one(task, command, argument))
        }
        SIOCGIFNAME | SIOCGIFFLAGS | SIOCGIFMETRIC | SIOCGIFMTU | SIOCGIFHWADDR | SIOCGIFINDEX
        | SIOCGIFTXQLEN => Some(one(task, command, argument)),
        SIOCSIFFLAGS => Some(set_flags(task, argument)),
        SIOCGSKNS => Some(Err(EPERM.into())),
        FIRST..=LAST => Some(other(task, command, argument)),
        _ => None,
    }
}

/// Requests about interfaces.
const FIRST: u32 = 0x8910;
const LAST: u32 = 0x89ff;

/// Those that change something, for the privileged.
const CHANGES: &[u32] = &[
    SIOCSIFADDR,
    SIOCSIFDSTADDR,
    SIOCSIFBRDADDR,
    SIOCSIFNETMASK,
    SIOCSIFMETRIC,
    SIOCSIFMTU,
    SIOCSIFNAME,
    SIOCSIFHWADDR,
    SIOCSIFSLAVE,
    SIOCADDMULTI,
    SIOCDELMULTI,
    SIOCSIFHWBROADCAST,
    SIOCSIFTXQLEN,
    SIOCGMIIPHY,
    SIOCGMIIREG,
    SIOCSMIIREG,
];

/// What is not served: how Linux refuses it.
fn other(task: &Current, command: u32, argument: u64) -> SysResult {
    let request: [u8; REQUEST] = task.mem().read(UserAddr::new(argument).cast())?;
    let network = task.net.get().internet.links.get();
    let name = request.first_chunk::<NAME>().ok_or(EINVAL)?;
    let link = || by_name(&network, name);
    let error = match command {
        _ if CHANGES.contains(&command) => {
            if !task
                .creds
                .get()
                .has_in(&task.net.get().user, Capabilities::NET_ADMIN)
            {
                return Err(EPERM.into());
            }
            link()?;
            EOPNOTSUPP.why("a change of an interface")
        }
        SIOCGIFSLAVE => {
            link()?;
            EINVAL
        }
        SIOCWANDEV => {
            link()?;
            EOPNOTSUPP
        }
        SIOCSIFPFLAGS | SIOCGIFPFLAGS => EINVAL,
        SIOCGIFBR | SIOCSIFBR => EOPNOTSUPP,
        // Its data are elsewhere, and no link of here has any to tell.
        SIOCETHTOOL => {
            let data: UserAddr = task.mem().read(UserAddr::new(argument).add(16)?.cast())?;
            let _: u32 = task.mem().read(data.cast())?;
            link()?;
            EOPNOTSUPP
        }
        _ => ENOTTY,
    };
    Err(error.into())
}

/// SIOCSIFFLAGS: up and down.
fn set_flags(task: &Current, argument: u64) -> SysResult {
    let request: [u8; REQUEST] = task.mem().read(UserAddr::new(argument).cast())?;
    let stack = task.net.get().internet.clone();
    let (name, rest) = request.split_first_chunk::<NAME>().ok_or(EINVAL)?;
    let network = stack.links.get();
    if !task
        .creds
        .get()
        .has_in(&task.net.get().user, Capabilities::NET_ADMIN)
        || stack.links.host().is_some()
    {
        return Err(EPERM.into());
    }
    let link = by_name(&network, name)?;
    let wanted = rest.first_chunk::<2>().ok_or(EINVAL)?;
    let wanted = u32::from(u16::from_ne_bytes(*wanted));
    netlink::set_flags(&stack, link.index, wanted, netlink::IFF_UP)?;
    Ok(0)
}

fn by_name<'a>(network: &'a Network, name: &[u8]) -> Result<&'a Link, Errno> {
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| ENODEV)?;
    network.named(name).ok_or(ENODEV)
}

fn named(link: &Link) -> [u8; NAME] {
    let mut name = [0; NAME];
    for (place, byte) in name.iter_mut().zip(link.name.bytes().take(NAME - 1)) {
        *place = byte;
    }
    name
}

fn v4(link: &Link) -> Option<Prefix> {
    let mut all = link.addresses.iter();
    all.find(|address| address.ip.is_ipv4()).copied()
}

/// An address as `struct sockaddr`.
fn sockaddr(ip: Ipv4Addr) -> Vec<u8> {
    let ip = IpAddr::V4(ip);
    Endpoint { ip, port: 0 }.address(Family::V4).to_bytes()
}

fn one(task: &Current, command: u32, argument: u64) -> SysResult {
    let at = UserAddr::new(argument);
    let mut request: [u8; REQUEST] = task.mem().read(at.cast())?;
    let network = task.net.get().internet.links.get();
    let (name, rest) = request.split_first_chunk::<NAME>().ok_or(EINVAL)?;
    if command == SIOCGIFNAME {
        let index = rest.first_chunk::<4>().ok_or(EINVAL)?;
        let link = network.link(u32::from_ne_bytes(*index)).ok_or(ENODEV)?;
        task.mem().write_slice(at.cast::<u8>(), &named(link))?;
        return Ok(0);
    }
    let link = by_name(&network, name)?;
    let answer = describe(link, command)?;
    for (place, byte) in request.iter_mut().skip(NAME).zip(answer) {
        *place = byte;
    }
    task.mem().write_slice(at.cast::<u8>(), &request)?;
    Ok(0)
}

fn describe(link: &Link, command: u32) -> Result<Vec<u8>, Errno> {
    let number = |number: i32| Ok(number.to_ne_bytes().to_vec());
    let address = v4(link).ok_or(EADDRNOTAVAIL);
    match command {
        SIOCGIFFLAGS => {
            let [low, high, ..] = netlink::flags(link).to_ne_bytes();
            Ok(vec![low, high])
        }
        SIOCGIFADDR | SIOCGIFDSTADDR => match address?.ip {
            IpAddr::V4(ip) => Ok(sockaddr(ip)),
            IpAddr::V6(_) => Err(EADDRNOTAVAIL),
        },
        SIOCGIFBRDADDR => {
            let last = netlink::broadcast(&address?).filter(|_| !link.is_loopback());
            Ok(sockaddr(last.unwrap_or(Ipv4Addr::UNSPECIFIED)))
        }
        SIOCGIFNETMASK => {
            let host = u32::MAX.checked_shr(address?.len.into()).unwrap_or(0);
            Ok(sockaddr(Ipv4Addr::from_bits(!host)))
        }
        SIOCGIFMTU => number(i32::try_from(link.mtu).unwrap_or(i32::MAX)),
        SIOCGIFHWADDR => {
            let kind = netlink::hardware(link).to_ne_bytes();
            Ok([&kind[..], &link.mac, &[0; 8]].concat())
        }
        SIOCGIFINDEX => number(i32::try_from(link.index).unwrap_or(0)),
        SIOCGIFTXQLEN => number(QUEUE),
        SIOCGIFMETRIC => number(0),
        _ => Err(EINVAL),
    }
}

/// SIOCGIFCONF: interfaces that have an address of IPv4.
fn list(task: &Current, argument: u64) -> SysResult {
    let at = UserAddr::new(argument);
    let len: i32 = task.mem().read(at.cast())?;
    let buffer: UserAddr = task.mem().read(at.add(8)?.cast())?;
    let network = task.net.get().internet.links.get();
    let mut all = Vec::new();
    for link in &network.links {
        for address in &link.addresses {
            let IpAddr::V4(ip) = address.ip else { continue };
            let mut request = named(link).to_vec();
            request.extend_from_slice(&sockaddr(ip));
            request.resize(REQUEST, 0);
            all.push(request);
        }
    }
    let mut used = all.len() * REQUEST;
    if !buffer.is_null() {
        let room = usize::try_from(len).map_err(|_| EINVAL)? / REQUEST;
        all.truncate(room);
        let bytes = all.concat();
        task.mem().write_slice(buffer.cast::<u8>(), &bytes)?;
        used = bytes.len();
    }
    let used = i32::try_from(used).map_err(|_| EINVAL)?;
    task.mem().write(at.cast(), &used)?;
    Ok(0)
}
