//! proc_pid_net(5).

mod sockets;
mod tables;

use super::process::Process;
use crate::fs::synth::Entry;

pub(super) const ENTRIES: &[Entry<Process>] = &[
    Entry::fixed(
        "arp",
        "IP address       HW type     Flags       HW address            Mask     Device\n",
    ),
    Entry::text("dev", tables::dev),
    Entry::text("if_inet6", tables::if_inet6),
    Entry::fixed(
        "netlink",
        "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
    ),
    Entry::fixed(
        "netstat",
        "\
TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed ListenOverflows ListenDrops TCPTimeouts
TcpExt: 0 0 0 0 0 0
IpExt: InOctets OutOctets
IpExt: 0 0
",
    ),
    Entry::text("packet", sockets::packet),
    Entry::text("raw", sockets::raw),
    Entry::text("raw6", sockets::raw6),
    Entry::text("route", tables::route),
    Entry::fixed(
        "snmp",
        "\
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
",
    ),
    Entry::text("sockstat", tables::sockstat),
    Entry::text("sockstat6", tables::sockstat6),
    Entry::text("tcp", sockets::tcp),
    Entry::text("tcp6", sockets::tcp6),
    Entry::text("udp", sockets::udp),
    Entry::text("udp6", sockets::udp6),
    Entry::text("unix", sockets::unix),
];
