//! Interfaces, addresses, routes, and how many sockets there are.

use std::net::{IpAddr, Ipv4Addr};

use syscalls::Errno;

use crate::fs::proc::process::Process;
use crate::fs::synth::{Opener, put};
use crate::net::inet::list::Protocol;
use crate::net::inet::{Family, Network};

const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop \
fifo colls carrier compressed
";
const ROUTE: &str =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
/// Length to which lines of route are filled up.
const ROUTE_LINE: usize = 127;
/// RTF_UP, RTF_GATEWAY.
const UP: u32 = 1;
const GATEWAY: u32 = 2;
/// TIME_WAIT.
const TIME_WAIT: u8 = 6;
/// IFA_F_PERMANENT.
const PERMANENT: u8 = 0x80;

fn network(process: &Process) -> Result<std::sync::Arc<Network>, Errno> {
    Ok(process.net()?.internet.links.get())
}

pub(super) fn dev(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = DEV.to_owned();
    for link in &network(process)?.links {
        put!(
            text,
            "{:>6}:       0       0    0    0    0     0          0         0        0       0    \
             0    0    0     0       0          0\n",
            link.name
        );
    }
    Ok(text.into_bytes())
}

pub(super) fn if_inet6(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    for link in &network(process)?.links {
        for address in &link.addresses {
            let IpAddr::V6(ip) = address.ip else { continue };
            // Scopes as IPv6 itself has them.
            let scope = match ip {
                ip if ip.is_loopback() => 0x10,
                ip if ip.is_unicast_link_local() => 0x20,
                _ => 0,
            };
            put!(
                text,
                "{:032x} {:02x} {:02x} {scope:02x} {PERMANENT:02x} {:>8}\n",
                ip.to_bits(),
                link.index,
                address.len,
                link.name
            );
        }
    }
    Ok(text.into_bytes())
}

pub(super) fn route(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    put!(text, "{ROUTE:<ROUTE_LINE$}\n");
    let network = network(process)?;
    for route in &network.routes {
        let IpAddr::V4(to) = route.to.ip else {
            continue;
        };
        let via = match route.via {
            Some(IpAddr::V4(via)) => via,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let flags = if via.is_unspecified() {
            UP
        } else {
            UP | GATEWAY
        };
        let mask = !u32::MAX.checked_shr(route.to.len.into()).unwrap_or(0);
        let word = |ip: Ipv4Addr| u32::from_ne_bytes(ip.octets());
        let name = network.link(route.link).map_or("*", |link| &link.name);
        let line = format!(
            "{name}\t{:08X}\t{:08X}\t{flags:04X}\t0\t0\t{}\t{:08X}\t0\t0\t0",
            word(to),
            word(via),
            route.metric,
            word(Ipv4Addr::from_bits(mask))
        );
        put!(text, "{line:<ROUTE_LINE$}\n");
    }
    Ok(text.into_bytes())
}

pub(super) fn sockstat(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let stack = process.net()?.internet.clone();
    let tcp = stack.list(Protocol::Tcp, Family::V4);
    let tcp6 = stack.list(Protocol::Tcp, Family::V6);
    let udp = stack.list(Protocol::Udp, Family::V4);
    let over = |state: u8| state == TIME_WAIT;
    let in_use = tcp.iter().filter(|socket| !over(socket.state)).count();
    let all = tcp.iter().chain(&tcp6);
    let waiting = all.filter(|socket| over(socket.state)).count();
    let allocated = tcp.len() + tcp6.len() - waiting;
    Ok(format!(
        "sockets: used {}\nTCP: inuse {in_use} orphan 0 tw {waiting} alloc {allocated} mem 0\n\
         UDP: inuse {} mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
        allocated + udp.len(),
        udp.len()
    )
    .into_bytes())
}

pub(super) fn sockstat6(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let stack = process.net()?.internet.clone();
    let tcp = stack.list(Protocol::Tcp, Family::V6);
    let in_use = tcp
        .iter()
        .filter(|socket| socket.state != TIME_WAIT)
        .count();
    let udp = stack.list(Protocol::Udp, Family::V6).len();
    Ok(format!(
        "TCP6: inuse {in_use}\nUDP6: inuse {udp}\nUDPLITE6: inuse 0\nRAW6: inuse 0\n\
         FRAG6: inuse 0 memory 0\n"
    )
    .into_bytes())
}
