//! Network interfaces: the loopback interface, whose traffic nobody counts.

use syscalls::errno::EINVAL;

use super::{E, dir};
use crate::fs::synth::Entry;

/// /sys/class/net.
pub(super) const CLASS: &[E] = &[Entry::link("lo", "../../devices/virtual/net/lo")];

/// /sys/devices/virtual/net.
pub(super) const INTERFACES: &[E] = &[dir("lo", LOOPBACK)];

const LOOPBACK: &[E] = &[
    Entry::fixed("addr_assign_type", "0\n"),
    Entry::fixed("addr_len", "6\n"),
    Entry::fixed("address", "00:00:00:00:00:00\n"),
    Entry::fixed("broadcast", "00:00:00:00:00:00\n"),
    Entry::fixed("carrier", "1\n"),
    Entry::fixed("carrier_changes", "0\n"),
    Entry::fixed("dev_id", "0x0\n"),
    Entry::fixed("dev_port", "0\n"),
    Entry::fixed("dormant", "0\n"),
    Entry::text("duplex", |_, _| Err(EINVAL)),
    Entry::fixed("flags", "0x9\n"),
    Entry::fixed("ifalias", "\n"),
    Entry::fixed("ifindex", "1\n"),
    Entry::fixed("iflink", "1\n"),
    Entry::fixed("link_mode", "0\n"),
    Entry::fixed("mtu", "65536\n"),
    Entry::fixed("name_assign_type", "2\n"),
    Entry::fixed("operstate", "unknown\n"),
    dir("queues", &[]),
    Entry::text("speed", |_, _| Err(EINVAL)),
    dir("statistics", STATISTICS),
    Entry::link("subsystem", "../../../../class/net"),
    Entry::fixed("tx_queue_len", "1000\n"),
    Entry::fixed("type", "772\n"),
    Entry::fixed("uevent", "INTERFACE=lo\nIFINDEX=1\n"),
];

const STATISTICS: &[E] = &[
    Entry::fixed("collisions", "0\n"),
    Entry::fixed("multicast", "0\n"),
    Entry::fixed("rx_bytes", "0\n"),
    Entry::fixed("rx_dropped", "0\n"),
    Entry::fixed("rx_errors", "0\n"),
    Entry::fixed("rx_packets", "0\n"),
    Entry::fixed("tx_bytes", "0\n"),
    Entry::fixed("tx_dropped", "0\n"),
    Entry::fixed("tx_errors", "0\n"),
    Entry::fixed("tx_packets", "0\n"),
];
