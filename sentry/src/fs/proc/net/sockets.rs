//! Internet sockets: tcp, tcp6, udp, udp6.

use std::net::IpAddr;

use syscalls::Errno;

use crate::fs::proc::process::Process;
use crate::fs::synth::{Opener, put};
use crate::net::inet::list::{Listed, Protocol};
use crate::net::inet::{Endpoint, Family};

/// Head of raw and udp.
const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr \
                              tm->when retrnsmt   uid  timeout inode ref pointer drops             \n";
/// Head of raw6 and udp6.
const UDP6: &str = "  sl  local_address                         remote_address                  \
                               \x20     st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref \
                               pointer drops\n";
const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  \
                   timeout inode                                                     \n";
const TCP6: &str = "  sl  local_address                         remote_address                        st \
                    tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

const PACKET: &str = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n";

/// Length to which lines of tcp and udp are filled up.
const TCP_LINE: usize = 149;
const UDP_LINE: usize = 127;
/// Nanoseconds of a clock tick of USER_HZ.
const TICK: u64 = 10_000_000;
/// The timer of connections that are remembered after their end.
const WAITS: u8 = 3;

pub(super) fn tcp(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    table(process, TCP, Protocol::Tcp, Family::V4)
}

pub(super) fn tcp6(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    table(process, TCP6, Protocol::Tcp, Family::V6)
}

pub(super) fn udp(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    table(process, UDP, Protocol::Udp, Family::V4)
}

pub(super) fn udp6(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    table(process, UDP6, Protocol::Udp, Family::V6)
}

pub(super) fn raw(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    table(process, UDP, Protocol::Raw, Family::V4)
}

pub(super) fn raw6(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    table(process, UDP6, Protocol::Raw, Family::V6)
}

pub(super) fn packet(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = PACKET.to_owned();
    for socket in process.net()?.internet.taps.all() {
        text.push_str(&socket.line());
    }
    Ok(text.into_bytes())
}

pub(super) fn unix(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    /// SO_ACCEPTCON.
    const LISTENS: u32 = 1 << 16;
    let mut text = b"Num       RefCount Protocol Flags    Type St Inode Path\n".to_vec();
    for socket in process.net()?.unix.all() {
        let socket = socket.listed();
        let flags = if socket.backlog > 0 { LISTENS } else { 0 };
        // SS_UNCONNECTED or SS_CONNECTED.
        let state = if socket.peer.is_some() { 3 } else { 1 };
        let mut line = String::new();
        put!(
            line,
            "{:016x}: {:08X} {:08X} {flags:08X} {:04X} {state:02X} {:5}",
            0,
            socket.references,
            0,
            socket.kind,
            socket.ino
        );
        text.extend_from_slice(line.as_bytes());
        if let Some(name) = &socket.name {
            text.push(b' ');
            // NULs are shown, but for the one that ends a path.
            let is_abstract = name.first() == Some(&0);
            let shown = if is_abstract {
                name.as_slice()
            } else {
                name.split_last().map_or(&[][..], |(_, path)| path)
            };
            text.extend(
                shown
                    .iter()
                    .map(|&byte| if byte == 0 { b'@' } else { byte }),
            );
        }
        text.push(b'\n');
    }
    Ok(text)
}

fn table(
    process: &Process,
    head: &str,
    protocol: Protocol,
    family: Family,
) -> Result<Vec<u8>, Errno> {
    let mut text = head.to_owned();
    let sockets = process.net()?.internet.list(protocol, family);
    for (number, socket) in sockets.iter().enumerate() {
        let mut line = String::new();
        let number = if protocol == Protocol::Raw {
            usize::from(socket.local.port)
        } else {
            number
        };
        line_of(&mut line, number, socket, protocol);
        let width = match (family, protocol) {
            (Family::V6, _) | (_, Protocol::Raw) => 0,
            (Family::V4, Protocol::Tcp) => TCP_LINE,
            (Family::V4, Protocol::Udp) => UDP_LINE,
        };
        put!(text, "{line:<width$}\n");
    }
    Ok(text.into_bytes())
}

/// An address as words in the machine's order, and the port.
fn endpoint(text: &mut String, family: Family, at: Endpoint) {
    let octets = match (family, at.ip) {
        (Family::V4, IpAddr::V4(ip)) => ip.octets().to_vec(),
        (Family::V6, IpAddr::V4(ip)) if ip.is_unspecified() => vec![0; 16],
        (Family::V6, IpAddr::V4(ip)) => ip.to_ipv6_mapped().octets().to_vec(),
        (_, IpAddr::V6(ip)) => ip.octets().to_vec(),
    };
    for word in octets.as_chunks::<4>().0 {
        put!(text, "{:08X}", u32::from_ne_bytes(*word));
    }
    put!(text, ":{:04X} ", at.port);
}

fn line_of(line: &mut String, number: usize, socket: &Listed, protocol: Protocol) {
    let width = if protocol == Protocol::Udp { 5 } else { 4 };
    put!(line, "{number:>width$}: ");
    endpoint(line, socket.family, socket.local);
    endpoint(line, socket.family, socket.remote);
    let unsent = if socket.listens() { 0 } else { socket.unsent };
    let timer = if socket.expires > 0 { WAITS } else { 0 };
    let expires = socket.expires / TICK;
    put!(
        line,
        "{:02X} {unsent:08X}:{:08X} {timer:02X}:{expires:08X} {:08X} {:5} {:8} {} ",
        socket.state,
        socket.unread,
        0,
        socket.uid,
        0,
        socket.ino
    );
    match protocol {
        Protocol::Udp | Protocol::Raw => put!(line, "2 {:016x} {}", 0, socket.drops),
        Protocol::Tcp if socket.expires > 0 => put!(line, "3 {:016x}", 0),
        Protocol::Tcp if socket.listens() => put!(line, "1 {:016x} 100 0 0 10 0", 0),
        Protocol::Tcp => put!(line, "1 {:016x} 20 4 30 10 -1", 0),
    }
}
