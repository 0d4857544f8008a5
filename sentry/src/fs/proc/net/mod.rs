//! proc_pid_net(5).

mod sockets;
mod tables;

use syscalls::Errno;
use syscalls::errno::ENOENT;

use super::process::Process;
use crate::fs::synth::Entry;

const ARP: &str =
    "IP address       HW type     Flags       HW address            Mask     Device\n";
const NETSTAT: &str = "\
TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed ListenOverflows ListenDrops TCPTimeouts
TcpExt: 0 0 0 0 0 0
IpExt: InOctets OutOctets
IpExt: 0 0
";
const SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos \
InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs \
ReasmFails FragOKs FragFails FragCreates
Ip: 2 64 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets \
CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 0 0 0 0 0 0 0 0 0 0 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors \
IgnoredMulti MemErrors
Udp: 0 0 0 0 0 0 0 0 0
";

/// A file as the process's network name space has it: the host's own where that is the host's.
fn shown(
    process: &Process,
    name: &str,
    own: impl FnOnce(&Process) -> Result<Vec<u8>, Errno>,
) -> Result<Vec<u8>, Errno> {
    let namespace = process.net()?;
    let Some(host) = namespace.internet.links.host() else {
        return own(process);
    };
    match host.table(name) {
        // Not every host has every file.
        Err(ENOENT) => Ok(Vec::new()),
        text => text,
    }
}

pub(super) const ENTRIES: &[Entry<Process>] = &[
    Entry::text("arp", |process, _| {
        shown(process, "arp", |_| Ok(ARP.into()))
    }),
    Entry::text("dev", |process, opener| {
        shown(process, "dev", |process| tables::dev(process, opener))
    }),
    Entry::text("if_inet6", |process, opener| {
        shown(process, "if_inet6", |process| {
            tables::if_inet6(process, opener)
        })
    }),
    Entry::fixed(
        "netlink",
        "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
    ),
    Entry::text("netstat", |process, _| {
        shown(process, "netstat", |_| Ok(NETSTAT.into()))
    }),
    Entry::text("packet", sockets::packet),
    Entry::text("raw", |process, opener| {
        shown(process, "raw", |process| sockets::raw(process, opener))
    }),
    Entry::text("raw6", |process, opener| {
        shown(process, "raw6", |process| sockets::raw6(process, opener))
    }),
    Entry::text("route", |process, opener| {
        shown(process, "route", |process| tables::route(process, opener))
    }),
    Entry::text("snmp", |process, _| {
        shown(process, "snmp", |_| Ok(SNMP.into()))
    }),
    Entry::text("sockstat", |process, opener| {
        shown(process, "sockstat", |process| {
            tables::sockstat(process, opener)
        })
    }),
    Entry::text("sockstat6", |process, opener| {
        shown(process, "sockstat6", |process| {
            tables::sockstat6(process, opener)
        })
    }),
    Entry::text("tcp", |process, opener| {
        shown(process, "tcp", |process| sockets::tcp(process, opener))
    }),
    Entry::text("tcp6", |process, opener| {
        shown(process, "tcp6", |process| sockets::tcp6(process, opener))
    }),
    Entry::text("udp", |process, opener| {
        shown(process, "udp", |process| sockets::udp(process, opener))
    }),
    Entry::text("udp6", |process, opener| {
        shown(process, "udp6", |process| sockets::udp6(process, opener))
    }),
    Entry::text("unix", sockets::unix),
];
