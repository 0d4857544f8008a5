//! NETLINK_ROUTE, rtnetlink(7): interfaces, addresses, routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use syscalls::Errno;
use syscalls::abi::net::{AF_INET, AF_INET6, AF_UNSPEC};
use syscalls::abi::netlink::{
    FRA_PRIORITY, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FibRuleHdr, IFA_ADDRESS, IFA_BROADCAST,
    IFA_CACHEINFO, IFA_FLAGS, IFA_LABEL, IFA_LOCAL, IFLA_ADDRESS, IFLA_ALT_IFNAME, IFLA_BROADCAST,
    IFLA_CARRIER, IFLA_CARRIER_CHANGES, IFLA_GROUP, IFLA_IFNAME, IFLA_LINKMODE, IFLA_MTU,
    IFLA_NUM_RX_QUEUES, IFLA_NUM_TX_QUEUES, IFLA_OPERSTATE, IFLA_PROMISCUITY, IFLA_QDISC,
    IFLA_STATS64, IFLA_TXQLEN, IfAddrMsg, IfInfoMsg, IfaCacheInfo, NLM_F_DUMP, RTA_DST,
    RTA_GATEWAY, RTA_OIF, RTA_PREFSRC, RTA_PRIORITY, RTA_TABLE, RTM_DELADDR, RTM_GETADDR,
    RTM_GETLINK, RTM_GETNEIGH, RTM_GETQDISC, RTM_GETROUTE, RTM_GETRULE, RTM_NEWADDR, RTM_NEWLINK,
    RTM_NEWQDISC, RTM_NEWROUTE, RTM_NEWRULE, RTM_SETLINK, RtMsg, TcMsg,
};
use syscalls::errno::{EADDRNOTAVAIL, EEXIST, EINVAL, ENODEV, EOPNOTSUPP, EPERM, ESRCH};
use zerocopy::IntoBytes;

use super::message::{Message, Request, dump, single};
use super::socket::Asker;
use crate::net::inet::links::LOOPBACK;
use crate::net::inet::{Family, Link, Network, Prefix, Route, Stack};

/// ARPHRD_*.
const LOOPBACK_HARDWARE: u16 = 772;
const ETHERNET: u16 = 1;
/// IFF_UP, IFF_RUNNING, IFF_LOWER_UP.
const RUNNING: u32 = 0x1 | 0x40 | 0x1_0000;
pub(in crate::net) const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
/// IFF_BROADCAST, IFF_MULTICAST.
const IFF_ETHERNET: u32 = 0x2 | 0x1000;
/// IFA_F_PERMANENT.
const PERMANENT: u8 = 0x80;
/// RT_SCOPE_*.
const SCOPE_GLOBAL: u8 = 0;
const SCOPE_LINK: u8 = 253;
const SCOPE_HOST: u8 = 254;
/// RT_TABLE_*.
const TABLE_DEFAULT: u8 = 253;
const TABLE_MAIN: u8 = 254;
const TABLE_LOCAL: u8 = 255;
/// RTPROT_*.
const BY_KERNEL: u8 = 2;
const BY_BOOT: u8 = 3;
/// RTN_*.
const UNICAST: u8 = 1;
const LOCAL: u8 = 2;
const BROADCAST: u8 = 3;
/// Bytes of `struct rtnl_link_stats64`.
const STATISTICS: usize = 25 * 8;
/// FR_ACT_TO_TBL.
const TO_TABLE: u8 = 1;

/// The last kind of request that there is.
const RTM_MAX: u16 = 123;

/// The datagrams that answer a request.
pub(super) fn answer(
    stack: &Stack,
    request: &Request<'_>,
    pid: u32,
    asker: Asker,
) -> Result<Vec<Vec<u8>>, Errno> {
    let network = stack.links.get();
    let dumps = request.head.flags & NLM_F_DUMP != 0;
    if request.head.kind > RTM_MAX {
        return Err(EOPNOTSUPP);
    }
    if request.body.is_empty() {
        return Ok(Vec::new());
    }
    // The two lowest bits of a kind say what is done: 2 asks.
    if request.head.kind & 3 != 2 && (!asker.may_change || stack.links.host().is_some()) {
        return Err(EPERM);
    }
    let messages = match request.head.kind {
        RTM_GETLINK if dumps => network.links.iter().map(link_message).collect(),
        RTM_GETLINK => {
            let link = asked_link(&network, request)?;
            return Ok(vec![single(link_message(link), &request.head, pid)]);
        }
        RTM_GETADDR if dumps => addresses(&network, request)?,
        RTM_GETROUTE if dumps => routes(&network, request)?,
        RTM_GETROUTE => {
            let route = way(&network, request)?;
            return Ok(vec![single(route, &request.head, pid)]);
        }
        RTM_GETRULE if dumps => rules(request)?,
        // There are no neighbours on the loopback.
        RTM_GETNEIGH if dumps => Vec::new(),
        RTM_GETNEIGH => return Err(EINVAL),
        RTM_GETQDISC if dumps => network.links.iter().filter_map(queue).collect(),
        RTM_NEWLINK | RTM_SETLINK => return change_link(stack, request),
        RTM_NEWADDR | RTM_DELADDR => return change_address(stack, request),
        _ => return Err(EOPNOTSUPP.why("rtnetlink request")),
    };
    Ok(dump(messages, &request.head, pid))
}

/// IFF_*.
pub(crate) fn flags(link: &Link) -> u32 {
    let up = if link.up { RUNNING } else { 0 };
    up | if link.is_loopback() {
        IFF_LOOPBACK
    } else {
        IFF_ETHERNET
    }
}

/// ARPHRD_*.
pub(crate) fn hardware(link: &Link) -> u16 {
    if link.is_loopback() {
        LOOPBACK_HARDWARE
    } else {
        ETHERNET
    }
}

fn index(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(0)
}

fn link_message(link: &Link) -> Message {
    let fixed = IfInfoMsg {
        kind: hardware(link),
        index: index(link.index),
        flags: flags(link),
        ..IfInfoMsg::default()
    };
    let mut message = Message::new(RTM_NEWLINK, &fixed);
    // IF_OPER_*: the loopback does not say more than that it is down.
    let (state, broadcast) = match (link.up, link.is_loopback()) {
        (true, true) => (0, [0; 6]),
        (false, true) => (2, [0; 6]),
        (true, false) => (6, [0xff; 6]),
        (false, false) => (2, [0xff; 6]),
    };
    message.text(IFLA_IFNAME, &link.name);
    message.number(IFLA_TXQLEN, 1000);
    message.put(IFLA_OPERSTATE, &[state]);
    message.put(IFLA_LINKMODE, &[0]);
    message.number(IFLA_MTU, link.mtu);
    message.number(IFLA_GROUP, 0);
    message.number(IFLA_PROMISCUITY, 0);
    message.number(IFLA_NUM_TX_QUEUES, 1);
    message.number(IFLA_NUM_RX_QUEUES, 1);
    message.put(IFLA_CARRIER, &[1]);
    message.text(IFLA_QDISC, if link.up { "noqueue" } else { "noop" });
    message.number(IFLA_CARRIER_CHANGES, 0);
    message.put(IFLA_ADDRESS, &link.mac);
    message.put(IFLA_BROADCAST, &broadcast);
    message.put(IFLA_STATS64, &[0; STATISTICS]);
    message
}

/// The queue of an interface that is up: none.
fn queue(link: &Link) -> Option<Message> {
    const KIND: u16 = 1;
    let fixed = TcMsg {
        index: index(link.index),
        // TC_H_ROOT.
        parent: u32::MAX,
        info: 2,
        ..TcMsg::default()
    };
    let mut message = Message::new(RTM_NEWQDISC, &fixed);
    message.text(KIND, "noqueue");
    link.up.then_some(message)
}

/// The interface that a request names, by number or name; `ENODEV`, `EINVAL`.
fn asked_link<'a>(network: &'a Network, request: &Request<'_>) -> Result<&'a Link, Errno> {
    let fixed: IfInfoMsg = request.fixed()?;
    if fixed.index > 0 {
        let index = u32::try_from(fixed.index).map_err(|_| EINVAL)?;
        return network.link(index).ok_or(ENODEV);
    }
    let name = request
        .attribute::<IfInfoMsg>(IFLA_IFNAME)
        .or_else(|| request.attribute::<IfInfoMsg>(IFLA_ALT_IFNAME))
        .ok_or(EINVAL)?;
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| ENODEV)?;
    network.named(name).ok_or(ENODEV)
}

/// A change of an interface: the loopback goes up and down, all else stays as it is.
fn change_link(stack: &Stack, request: &Request<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let network = stack.links.get();
    let link = asked_link(&network, request)?;
    let fixed: IfInfoMsg = request.fixed()?;
    let resized = request.attribute::<IfInfoMsg>(IFLA_MTU).is_some();
    if resized {
        return Err(EOPNOTSUPP.why("interfaces cannot be changed"));
    }
    set_flags(stack, link.index, fixed.flags, fixed.change)?;
    Ok(Vec::new())
}

/// Sets those flags of an interface that `change` says; `EOPNOTSUPP` for what cannot be.
pub(in crate::net) fn set_flags(
    stack: &Stack,
    index: u32,
    wanted: u32,
    change: u32,
) -> Result<(), Errno> {
    stack.links.update(|network| {
        let link = network.links.iter_mut().find(|link| link.index == index);
        let link = link.ok_or(ENODEV)?;
        let changed = (wanted ^ flags(link)) & change;
        if changed & !IFF_UP != 0 || (changed != 0 && !link.is_loopback()) {
            return Err(EOPNOTSUPP.why("interfaces cannot be changed"));
        }
        if changed != 0 {
            link.set_up(wanted & IFF_UP != 0);
        }
        Ok(())
    })
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn family(ip: IpAddr) -> u8 {
    u8::try_from(Family::of(ip).raw()).unwrap_or(0)
}

fn wanted(asked: u8, ip: IpAddr) -> bool {
    i32::from(asked) == AF_UNSPEC || asked == family(ip)
}

/// RT_SCOPE_* of an address.
fn scope(address: &Prefix) -> u8 {
    match address.ip {
        ip if ip.is_loopback() => SCOPE_HOST,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => SCOPE_LINK,
        _ => SCOPE_GLOBAL,
    }
}

/// The last address of an address's network, where packets go that all hear.
pub(in crate::net) fn broadcast(address: &Prefix) -> Option<Ipv4Addr> {
    match address.ip {
        IpAddr::V4(ip) if address.len < 31 => {
            let host = u32::MAX.checked_shr(address.len.into()).unwrap_or(0);
            Some(Ipv4Addr::from_bits(ip.to_bits() | host))
        }
        _ => None,
    }
}

fn address_message(link: &Link, address: &Prefix) -> Message {
    let fixed = IfAddrMsg {
        family: family(address.ip),
        prefixlen: address.len,
        flags: PERMANENT,
        scope: scope(address),
        index: link.index,
    };
    let mut message = Message::new(RTM_NEWADDR, &fixed);
    let bytes = octets(address.ip);
    message.put(IFA_ADDRESS, &bytes);
    if address.ip.is_ipv4() {
        message.put(IFA_LOCAL, &bytes);
        if let Some(last) = broadcast(address).filter(|_| !link.is_loopback()) {
            message.put(IFA_BROADCAST, &last.octets());
        }
        message.text(IFA_LABEL, &link.name);
    }
    message.number(IFA_FLAGS, PERMANENT.into());
    let life = IfaCacheInfo {
        preferred: u32::MAX,
        valid: u32::MAX,
        ..IfaCacheInfo::default()
    };
    message.put(IFA_CACHEINFO, life.as_bytes());
    message
}

fn addresses(network: &Network, request: &Request<'_>) -> Result<Vec<Message>, Errno> {
    let asked: IfAddrMsg = request.fixed()?;
    let mut messages = Vec::new();
    for version in [AF_INET, AF_INET6] {
        for link in &network.links {
            if asked.index != 0 && asked.index != link.index && request.body.len() >= 8 {
                continue;
            }
            let of_version = |address: &&Prefix| {
                i32::from(family(address.ip)) == version && wanted(asked.family, address.ip)
            };
            let all = link.addresses.iter().filter(of_version);
            messages.extend(all.map(|address| address_message(link, address)));
        }
    }
    Ok(messages)
}

struct Entry {
    to: Prefix,
    via: Option<IpAddr>,
    link: u32,
    source: Option<IpAddr>,
    metric: u32,
    table: u8,
    kind: u8,
    scope: u8,
    protocol: u8,
}

impl Entry {
    fn message(&self) -> Message {
        let fixed = RtMsg {
            family: family(self.to.ip),
            dst_len: self.to.len,
            table: self.table,
            protocol: self.protocol,
            scope: self.scope,
            kind: self.kind,
            ..RtMsg::default()
        };
        let mut message = Message::new(RTM_NEWROUTE, &fixed);
        message.number(RTA_TABLE, self.table.into());
        if self.to.len != 0 {
            message.put(RTA_DST, &octets(self.to.ip));
        }
        if self.metric != 0 {
            message.number(RTA_PRIORITY, self.metric);
        }
        if let Some(source) = self.source {
            message.put(RTA_PREFSRC, &octets(source));
        }
        if let Some(via) = self.via {
            message.put(RTA_GATEWAY, &octets(via));
        }
        message.number(RTA_OIF, self.link);
        message
    }
}

fn outside(route: &Route) -> Entry {
    let direct = route.via.is_none() && route.to.ip.is_ipv4();
    Entry {
        to: route.to,
        via: route.via,
        link: route.link,
        source: route.source,
        metric: route.metric,
        table: TABLE_MAIN,
        kind: UNICAST,
        scope: if direct { SCOPE_LINK } else { SCOPE_GLOBAL },
        protocol: if direct { BY_KERNEL } else { BY_BOOT },
    }
}

/// What the kernel itself routes for an address of an interface.
fn inside(link: &Link, address: &Prefix) -> Vec<Entry> {
    let local = |to: Prefix, kind, scope| Entry {
        to,
        via: None,
        link: link.index,
        source: address.ip.is_ipv4().then_some(address.ip),
        metric: 0,
        table: TABLE_LOCAL,
        kind,
        scope,
        protocol: BY_KERNEL,
    };
    let bits = if address.ip.is_ipv4() { 32 } else { 128 };
    let own = Prefix {
        ip: address.ip,
        len: bits,
    };
    let v6 = address.ip.is_ipv6();
    let scope = if v6 { SCOPE_GLOBAL } else { SCOPE_HOST };
    let mut entries = vec![local(own, LOCAL, scope)];
    if link.is_loopback() && !v6 && address.len == 8 {
        let network = Prefix {
            ip: Ipv4Addr::new(127, 0, 0, 0).into(),
            len: 8,
        };
        entries.insert(0, local(network, LOCAL, SCOPE_HOST));
    }
    if let Some(last) = broadcast(address) {
        let all = Prefix {
            ip: last.into(),
            len: 32,
        };
        entries.push(local(all, BROADCAST, SCOPE_LINK));
    }
    if v6 && link.is_loopback() {
        entries.insert(
            0,
            Entry {
                metric: 256,
                table: TABLE_MAIN,
                ..local(own, UNICAST, SCOPE_GLOBAL)
            },
        );
    }
    entries
}

fn routes(network: &Network, request: &Request<'_>) -> Result<Vec<Message>, Errno> {
    let asked: RtMsg = request.fixed()?;
    let table = request
        .attribute::<RtMsg>(RTA_TABLE)
        .and_then(|body| body.first_chunk::<4>())
        .map_or(u32::from(asked.table), |body| u32::from_ne_bytes(*body));
    let own = network.links.iter().flat_map(|link| {
        let entries = link.addresses.iter().flat_map(|a| inside(link, a));
        entries.collect::<Vec<_>>()
    });
    let all = network.routes.iter().map(outside).chain(own);
    let fits = |entry: &Entry| {
        wanted(asked.family, entry.to.ip) && (table == 0 || table == u32::from(entry.table))
    };
    Ok(all.filter(fits).map(|entry| entry.message()).collect())
}

/// `ip route get`.
fn way(network: &Network, request: &Request<'_>) -> Result<Message, Errno> {
    let asked: RtMsg = request.fixed()?;
    let to = request.attribute::<RtMsg>(RTA_DST);
    let to: IpAddr = match (to, i32::from(asked.family)) {
        (Some(to), AF_INET6) => (*to.first_chunk::<16>().ok_or(EINVAL)?).into(),
        (Some(to), _) => (*to.first_chunk::<4>().ok_or(EINVAL)?).into(),
        (None, AF_INET6) => Ipv6Addr::UNSPECIFIED.into(),
        (None, _) => Ipv4Addr::UNSPECIFIED.into(),
    };
    let way = network.way(to, None, 0)?;
    let fits = |route: &&Route| route.to.contains(to);
    let route = network
        .routes
        .iter()
        .filter(fits)
        .max_by_key(|route| route.to.len);
    let here = way.link == LOOPBACK;
    let entry = Entry {
        to: Prefix {
            ip: to,
            len: if to.is_ipv4() { 32 } else { 128 },
        },
        via: route.filter(|_| !here).and_then(|route| route.via),
        link: way.link,
        source: Some(way.source),
        metric: 0,
        table: if here { TABLE_LOCAL } else { TABLE_MAIN },
        kind: if here { LOCAL } else { UNICAST },
        scope: SCOPE_GLOBAL,
        protocol: 0,
    };
    Ok(entry.message())
}

fn rules(request: &Request<'_>) -> Result<Vec<Message>, Errno> {
    let asked: FibRuleHdr = request.fixed()?;
    let of = |version: i32, table: u8, priority: u32| {
        let fixed = FibRuleHdr {
            family: u8::try_from(version).unwrap_or(0),
            table,
            action: TO_TABLE,
            ..FibRuleHdr::default()
        };
        let mut message = Message::new(RTM_NEWRULE, &fixed);
        message.number(FRA_TABLE, table.into());
        message.number(FRA_SUPPRESS_PREFIXLEN, u32::MAX);
        if priority != 0 {
            message.number(FRA_PRIORITY, priority);
        }
        message
    };
    let mut messages = Vec::new();
    for version in [AF_INET, AF_INET6] {
        if i32::from(asked.family) != AF_UNSPEC && i32::from(asked.family) != version {
            continue;
        }
        messages.push(of(version, TABLE_LOCAL, 0));
        messages.push(of(version, TABLE_MAIN, 32766));
        if version == AF_INET {
            messages.push(of(version, TABLE_DEFAULT, 32767));
        }
    }
    Ok(messages)
}

/// `ip address add` and `del`, on the loopback.
fn change_address(stack: &Stack, request: &Request<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let asked: IfAddrMsg = request.fixed()?;
    let body = request
        .attribute::<IfAddrMsg>(IFA_LOCAL)
        .or_else(|| request.attribute::<IfAddrMsg>(IFA_ADDRESS))
        .ok_or(EINVAL)?;
    let ip: IpAddr = match (i32::from(asked.family), body.len()) {
        (AF_INET, 4) => <[u8; 4]>::try_from(body).map_err(|_| EINVAL)?.into(),
        (AF_INET6, 16) => <[u8; 16]>::try_from(body).map_err(|_| EINVAL)?.into(),
        _ => return Err(EINVAL),
    };
    let bits = if ip.is_ipv4() { 32 } else { 128 };
    if asked.prefixlen > bits {
        return Err(EINVAL);
    }
    if asked.index != LOOPBACK {
        return Err(EOPNOTSUPP.why("addresses of other interfaces are the host's to give"));
    }
    let adds = request.head.kind == RTM_NEWADDR;
    stack.links.update(|network| {
        let link = network.links.iter_mut().find(|l| l.index == asked.index);
        let link = link.ok_or(ESRCH)?;
        let at = link.addresses.iter().position(|a| a.ip == ip);
        match (adds, at) {
            (true, Some(_)) => return Err(EEXIST),
            (true, None) => link.addresses.push(Prefix {
                ip,
                len: asked.prefixlen,
            }),
            (false, Some(at)) => {
                link.addresses.remove(at);
            }
            (false, None) => return Err(EADDRNOTAVAIL),
        }
        Ok(Vec::new())
    })
}
