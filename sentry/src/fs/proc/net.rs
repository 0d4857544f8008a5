//! proc_pid_net(5). There is a loopback interface and nothing on it yet.

use super::process::Process;
use crate::fs::synth::Entry;

pub(super) const ENTRIES: &[Entry<Process>] = &[
    Entry::fixed(
        "arp",
        "IP address       HW type     Flags       HW address            Mask     Device\n",
    ),
    Entry::fixed(
        "dev",
        "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop \
fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    \
0     0       0          0
",
    ),
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
    Entry::fixed(
        "packet",
        "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n",
    ),
    Entry::fixed("raw", UDP),
    Entry::fixed(
        "route",
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\
         \x20                                                      \n",
    ),
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
    Entry::fixed(
        "sockstat",
        "\
sockets: used 0
TCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0
UDP: inuse 0 mem 0
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
",
    ),
    Entry::fixed(
        "tcp",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  \
         timeout inode                                                     \n",
    ),
    Entry::fixed(
        "tcp6",
        "  sl  local_address                         remote_address                        st \
         tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
    ),
    Entry::fixed("udp", UDP),
    Entry::fixed("udp6", UDP6),
    Entry::fixed(
        "unix",
        "Num       RefCount Protocol Flags    Type St Inode Path\n",
    ),
];

const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                   uid  timeout inode ref pointer drops             \n";
const UDP6: &str = "  sl  local_address                         remote_address                  \
                    \x20     st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref \
                    pointer drops\n";
