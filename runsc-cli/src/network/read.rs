//! Interfaces, addresses and routes of a network namespace;
//! rtnetlink(7).

use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use sentry::net::inet::{Link, Network, Prefix, Route};

use crate::failure::{Context, Failure, Outcome};

/// What the namespace holds. Interfaces that are down, or that are not like Ethernet, are
/// left out.
pub(crate) fn network(socket: &mut Socket) -> Outcome<Network> {
    let mut network = Network::isolated();
    for message in dump(socket, RouteNetlinkMessage::GetLink(LinkMessage::default()))? {
        if let RouteNetlinkMessage::NewLink(message) = message
            && let Some(link) = link(&message)
        {
            network.links.push(link);
        }
    }
    for message in dump(
        socket,
        RouteNetlinkMessage::GetAddress(AddressMessage::default()),
    )? {
        if let RouteNetlinkMessage::NewAddress(message) = message {
            add_address(&mut network, &message);
        }
    }
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        for message in dump(socket, RouteNetlinkMessage::GetRoute(question))? {
            if let RouteNetlinkMessage::NewRoute(message) = message
                && let Some(route) = route(&message)
                && network.link(route.link).is_some()
            {
                network.routes.push(route);
            }
        }
    }
    Ok(network)
}

const WHAT: &str = "netlink";

/// A socket for [`network`]: it goes on telling of the namespace in which it was made.
pub(crate) fn socket() -> Outcome<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE).context(WHAT)?;
    socket.bind_auto().context(WHAT)?;
    Ok(socket)
}

fn dump(socket: &mut Socket, question: RouteNetlinkMessage) -> Outcome<Vec<RouteNetlinkMessage>> {
    let mut packet = NetlinkMessage::new(NetlinkHeader::default(), question.into());
    packet.header.flags = NLM_F_DUMP | NLM_F_REQUEST;
    packet.header.sequence_number = 1;
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    socket.send(&bytes, 0).context(WHAT)?;
    let mut found = Vec::new();
    loop {
        let (received, _) = socket.recv_from_full().context(WHAT)?;
        let mut rest = received.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest);
            let message = message.map_err(|error| Failure::new(format!("{WHAT}: {error}")))?;
            let len = usize::try_from(message.header.length).unwrap_or(0);
            // Messages are padded to four bytes.
            rest = rest
                .get(len.max(1).next_multiple_of(4)..)
                .unwrap_or_default();
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(found),
                NetlinkPayload::Error(error) => {
                    return Err(Failure::new(format!("{WHAT}: {}", error.to_io())));
                }
                NetlinkPayload::InnerMessage(message) => found.push(message),
                _ => {}
            }
        }
    }
}

fn link(message: &LinkMessage) -> Option<Link> {
    let header = &message.header;
    let usable = header.link_layer_type == LinkLayerType::Ether
        && header.flags.contains(LinkFlags::Up)
        && !header.flags.contains(LinkFlags::Loopback);
    let mut link = Link {
        index: header.index,
        name: String::new(),
        mtu: 1500,
        mac: [0; 6],
        addresses: Vec::new(),
        up: true,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Address(mac) => link.mac = mac.as_slice().try_into().ok()?,
            _ => {}
        }
    }
    usable.then_some(link)
}

fn add_address(network: &mut Network, message: &AddressMessage) {
    let find = |local: bool| {
        message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                AddressAttribute::Local(ip) if local => Some(*ip),
                AddressAttribute::Address(ip) if !local => Some(*ip),
                _ => None,
            })
    };
    // Between two ends of a line, the other's address is the second one.
    let Some(ip) = find(true).or_else(|| find(false)) else {
        return;
    };
    let index = message.header.index;
    let links = network.links.iter_mut();
    let mut links = links.filter(|link| !link.is_loopback() && link.index == index);
    if let Some(link) = links.next() {
        let len = message.header.prefix_len;
        link.addresses.push(Prefix { ip, len });
    }
}

fn route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    if header.kind != RouteType::Unicast || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let any = match header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        _ => IpAddr::from([0; 16]),
    };
    let mut route = Route {
        to: Prefix {
            ip: any,
            len: header.destination_prefix_length,
        },
        via: None,
        link: 0,
        source: None,
        metric: 0,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(to) => route.to.ip = ip(to)?,
            RouteAttribute::Gateway(via) => route.via = ip(via),
            RouteAttribute::PrefSource(source) => route.source = ip(source),
            RouteAttribute::Oif(index) => route.link = *index,
            RouteAttribute::Priority(metric) => route.metric = *metric,
            _ => {}
        }
    }
    Some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}
