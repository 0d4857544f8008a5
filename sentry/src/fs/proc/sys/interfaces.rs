//! proc_sys_net(5): what each interface does, and those to come. Nothing obeys it; programs and
//! those who start containers set it.
//!
//! Differs from Linux: names are those that containers' interfaces have, whether they are there
//! or not; what is set for `all` is not passed on to them, and `disable_ipv6` leaves addresses.

use super::I32;
use crate::fs::proc::system::System;
use crate::fs::synth::Entry;

/// Settings of IPv4 below a directory; their defaults for it where those differ.
macro_rules! ipv4 {
    ($dir:literal, $redirects:expr, $source_route:expr, $no_policy:expr) => {
        &[
            number!($dir, "accept_local", 0, 0..=I32),
            number!($dir, "accept_redirects", $redirects, 0..=I32),
            number!($dir, "accept_source_route", $source_route, 0..=I32),
            number!($dir, "arp_accept", 0, 0..=I32),
            number!($dir, "arp_announce", 0, 0..=I32),
            number!($dir, "arp_filter", 0, 0..=I32),
            number!($dir, "arp_ignore", 0, 0..=I32),
            number!($dir, "arp_notify", 0, 0..=I32),
            number!($dir, "disable_policy", $no_policy, 0..=I32),
            number!($dir, "disable_xfrm", $no_policy, 0..=I32),
            number!($dir, "forwarding", 0, 0..=I32),
            number!($dir, "log_martians", 0, 0..=I32),
            number!($dir, "promote_secondaries", 0, 0..=I32),
            number!($dir, "proxy_arp", 0, 0..=I32),
            number!($dir, "route_localnet", 0, 0..=I32),
            number!($dir, "rp_filter", 0, 0..=I32),
            number!($dir, "secure_redirects", 1, 0..=I32),
            number!($dir, "send_redirects", 1, 0..=I32),
            number!($dir, "shared_media", 1, 0..=I32),
            number!($dir, "src_valid_mark", 0, 0..=I32),
        ]
    };
}

/// The same of IPv6.
macro_rules! ipv6 {
    ($dir:literal, $accept_dad:expr, $mtu:expr, $tempaddr:expr) => {
        &[
            number!($dir, "accept_dad", $accept_dad, -I32..=I32),
            number!($dir, "accept_ra", 1, 0..=I32),
            number!($dir, "accept_ra_defrtr", 1, 0..=I32),
            number!($dir, "accept_ra_pinfo", 1, 0..=I32),
            number!($dir, "accept_ra_rtr_pref", 1, 0..=I32),
            number!($dir, "accept_redirects", 1, 0..=I32),
            number!($dir, "accept_source_route", 0, -I32..=I32),
            number!($dir, "addr_gen_mode", 0, 0..=3),
            number!($dir, "autoconf", 1, 0..=I32),
            number!($dir, "dad_transmits", 1, 0..=I32),
            number!($dir, "disable_ipv6", 0, 0..=I32),
            number!($dir, "forwarding", 0, 0..=I32),
            number!($dir, "hop_limit", 64, 1..=255),
            number!($dir, "keep_addr_on_down", 0, -I32..=I32),
            number!($dir, "max_addresses", 16, 0..=I32),
            number!($dir, "mtu", $mtu, 1280..=65_536),
            number!($dir, "ndisc_notify", 0, 0..=I32),
            number!($dir, "proxy_ndp", 0, 0..=I32),
            number!($dir, "router_solicitations", -1, -1..=I32),
            number!($dir, "use_tempaddr", $tempaddr, -I32..=I32),
        ]
    };
}

pub(super) const IPV4: &[Entry<System>] = &[
    Entry::dir("all", ipv4!("net.ipv4.conf.all", 0, 0, 0)),
    Entry::dir("default", ipv4!("net.ipv4.conf.default", 1, 1, 0)),
    Entry::dir("eth0", ipv4!("net.ipv4.conf.eth0", 1, 1, 0)),
    Entry::dir("lo", ipv4!("net.ipv4.conf.lo", 1, 1, 1)),
];

pub(super) const IPV6: &[Entry<System>] = &[
    Entry::dir("all", ipv6!("net.ipv6.conf.all", 0, 1280, 0)),
    Entry::dir("default", ipv6!("net.ipv6.conf.default", 1, 1280, 0)),
    Entry::dir("eth0", ipv6!("net.ipv6.conf.eth0", 1, 1500, 0)),
    Entry::dir("lo", ipv6!("net.ipv6.conf.lo", -1, 65_536, -1)),
];
