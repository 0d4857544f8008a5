//! proc_sys_net(5): what programs look at before they listen or connect.

use super::{I32, interfaces};
use crate::fs::proc::system::System;
use crate::fs::synth::Entry;

pub(super) const ENTRIES: &[Entry<System>] = &[
    Entry::dir("core", CORE),
    Entry::dir("ipv4", IPV4),
    Entry::dir("ipv6", IPV6),
    Entry::dir("unix", UNIX),
];

const UNIX: &[Entry<System>] = &[number!("net.unix", "max_dgram_qlen", 10, 0..=I32)];

const CORE: &[Entry<System>] = &[
    number!("net.core", "busy_poll", 0, 0..=I32),
    number!("net.core", "busy_read", 0, 0..=I32),
    number!("net.core", "netdev_max_backlog", 1000, 0..=I32),
    number!("net.core", "optmem_max", 131_072, 0..=I32),
    number!("net.core", "rmem_default", 212_992, 2304..=I32),
    number!("net.core", "rmem_max", 4_194_304, 2304..=I32),
    number!("net.core", "somaxconn", 4096, 0..=I32),
    number!("net.core", "wmem_default", 212_992, 4608..=I32),
    number!("net.core", "wmem_max", 4_194_304, 4608..=I32),
];

const IPV6: &[Entry<System>] = &[
    number!("net.ipv6", "bindv6only", 0, 0..=0),
    Entry::dir("conf", interfaces::IPV6),
];

const IPV4: &[Entry<System>] = &[
    Entry::dir("conf", interfaces::IPV4),
    number!("net.ipv4", "icmp_echo_ignore_all", 0, 0..=1),
    number!("net.ipv4", "ip_default_ttl", 64, 1..=255),
    number!("net.ipv4", "ip_forward", 0, 0..=I32),
    numbers!("net.ipv4", "ip_local_port_range", "32768\t60999", 64),
    line!("net.ipv4", "ip_local_reserved_ports", "", 4096),
    number!("net.ipv4", "ip_nonlocal_bind", 0, 0..=1),
    number!("net.ipv4", "ip_unprivileged_port_start", 1024, 0..=65_535),
    numbers!("net.ipv4", "ping_group_range", "1\t0", 64),
    number!("net.ipv4", "tcp_abort_on_overflow", 0, 0..=1),
    Entry::fixed("tcp_allowed_congestion_control", "reno cubic\n"),
    Entry::fixed("tcp_available_congestion_control", "reno cubic\n"),
    line!("net.ipv4", "tcp_congestion_control", "cubic", 16),
    number!("net.ipv4", "tcp_ecn", 2, 0..=2),
    number!("net.ipv4", "tcp_fastopen", 1, 0..=I32),
    number!("net.ipv4", "tcp_fin_timeout", 60, 0..=I32),
    number!("net.ipv4", "tcp_keepalive_intvl", 75, 0..=I32),
    number!("net.ipv4", "tcp_keepalive_probes", 9, 0..=255),
    number!("net.ipv4", "tcp_keepalive_time", 7200, 0..=I32),
    number!("net.ipv4", "tcp_max_syn_backlog", 4096, 0..=I32),
    number!("net.ipv4", "tcp_max_tw_buckets", 262_144, 0..=I32),
    numbers!("net.ipv4", "tcp_mem", "188991\t251990\t377982", 64),
    number!("net.ipv4", "tcp_moderate_rcvbuf", 1, 0..=1),
    number!("net.ipv4", "tcp_mtu_probing", 0, 0..=2),
    number!("net.ipv4", "tcp_no_metrics_save", 0, 0..=1),
    number!(
        "net.ipv4",
        "tcp_notsent_lowat",
        4_294_967_295,
        0..=4_294_967_295
    ),
    number!("net.ipv4", "tcp_orphan_retries", 0, 0..=255),
    number!("net.ipv4", "tcp_retries1", 3, 0..=255),
    number!("net.ipv4", "tcp_retries2", 15, 0..=255),
    numbers!("net.ipv4", "tcp_rmem", "4096\t131072\t33554432", 64),
    number!("net.ipv4", "tcp_sack", 1, 0..=1),
    number!("net.ipv4", "tcp_slow_start_after_idle", 1, 0..=1),
    number!("net.ipv4", "tcp_syn_retries", 6, 1..=127),
    number!("net.ipv4", "tcp_synack_retries", 5, 0..=255),
    number!("net.ipv4", "tcp_syncookies", 1, 0..=2),
    number!("net.ipv4", "tcp_timestamps", 1, 0..=2),
    number!("net.ipv4", "tcp_tw_reuse", 2, 0..=2),
    number!("net.ipv4", "tcp_window_scaling", 1, 0..=1),
    numbers!("net.ipv4", "tcp_wmem", "4096\t16384\t4194304", 64),
    numbers!("net.ipv4", "udp_mem", "377982\t503979\t755964", 64),
    number!("net.ipv4", "udp_rmem_min", 4096, 1..=I32),
    number!("net.ipv4", "udp_wmem_min", 4096, 1..=I32),
];
