//! Network interfaces, as the first network name space has them. Their traffic is not
//! counted here.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENODEV};

use super::{E, Machine, Subject};
use crate::fs::synth::{Entry, Members, Series, Site, TableDir};
use crate::net::inet::{Link, Network};
use crate::net::netlink;
use crate::vfs::{FileKind, InodeRef};

/// /sys/class/net.
pub(super) const CLASS: E = Entry::made("net", FileKind::Directory, class)
    .mode(0o755)
    .numbers(1 << 16);

/// /sys/devices/virtual/net.
pub(super) const INTERFACES: E = Entry::made("net", FileKind::Directory, interfaces)
    .mode(0o755)
    .numbers(1 << 24);

const LINKS: Members<Machine> = Members {
    names,
    kind: FileKind::Symlink,
    mode: 0o777,
    numbers: 1,
    make: |site, index| {
        let name = site.context.name(index);
        site.link(format!("../../devices/virtual/net/{name}"))
    },
};

const DIRECTORIES: Members<Machine> = Members {
    names,
    kind: FileKind::Directory,
    mode: 0o755,
    numbers: 1 << 8,
    make: |site, index| {
        let interface = Interface {
            machine: site.context.clone(),
            index,
        };
        let entries = TableDir::new(interface, INTERFACE, site.ino);
        site.put(FileKind::Directory, entries)
    },
};

fn class(site: &Site<'_, Machine>) -> InodeRef {
    site.put(FileKind::Directory, Series::new(site, &[], &LINKS))
}

fn interfaces(site: &Site<'_, Machine>) -> InodeRef {
    site.put(FileKind::Directory, Series::new(site, &[], &DIRECTORIES))
}

/// Interfaces by their numbers.
fn names(machine: &Machine) -> Vec<(u32, String)> {
    let Ok(network) = machine.network() else {
        return Vec::new();
    };
    let links = network.links.iter();
    let mut names: Vec<_> = links.map(|link| (link.index, link.name.clone())).collect();
    names.sort_unstable();
    names
}

impl Machine {
    fn network(&self) -> Result<Arc<Network>, Errno> {
        Ok(self.kernel()?.internet.links.get())
    }

    fn name(&self, index: u32) -> String {
        let network = self.network().ok();
        let link = network.as_ref().and_then(|network| network.link(index));
        link.map_or_else(String::new, |link| link.name.clone())
    }
}

/// One of them.
#[derive(Clone)]
struct Interface {
    machine: Machine,
    index: u32,
}

impl Subject for Interface {}

impl Interface {
    /// A line that is made of the interface; `ENODEV` once it is gone.
    fn line(&self, make: impl FnOnce(&Link) -> String) -> Result<Vec<u8>, Errno> {
        let network = self.machine.network()?;
        let link = network.link(self.index).ok_or(ENODEV)?;
        Ok((make(link) + "\n").into_bytes())
    }

    /// What one that is down does not tell, and the loopback never.
    fn of_wire(&self, text: &str) -> Result<Vec<u8>, Errno> {
        let network = self.machine.network()?;
        let link = network.link(self.index).ok_or(ENODEV)?;
        if link.is_loopback() || !link.up {
            return Err(EINVAL);
        }
        Ok(text.into())
    }

    fn carrier(&self) -> Result<Vec<u8>, Errno> {
        let network = self.machine.network()?;
        let link = network.link(self.index).ok_or(ENODEV)?;
        if link.up {
            Ok("1\n".into())
        } else {
            Err(EINVAL)
        }
    }
}

fn hardware(bytes: [u8; 6]) -> String {
    let digits = bytes.map(|byte| format!("{byte:02x}"));
    digits.join(":")
}

const INTERFACE: &[Entry<Interface>] = &[
    Entry::fixed("addr_assign_type", "0\n"),
    Entry::fixed("addr_len", "6\n"),
    Entry::text("address", |it, _| it.line(|link| hardware(link.mac))),
    Entry::text("broadcast", |it, _| {
        it.line(|link| {
            hardware(if link.is_loopback() {
                [0; 6]
            } else {
                [0xff; 6]
            })
        })
    }),
    Entry::text("carrier", |it, _| it.carrier()),
    Entry::fixed("carrier_changes", "0\n"),
    Entry::fixed("dev_id", "0x0\n"),
    Entry::fixed("dev_port", "0\n"),
    Entry::fixed("dormant", "0\n"),
    Entry::text("duplex", |it, _| it.of_wire("full\n")),
    Entry::text("flags", |it, _| {
        // What the interface is, not how it does.
        it.line(|link| format!("{:#x}", netlink::flags(link) & 0xffff & !RUNNING))
    }),
    Entry::fixed("ifalias", "\n"),
    Entry::text("ifindex", |it, _| it.line(|link| link.index.to_string())),
    Entry::text("iflink", |it, _| it.line(|link| link.index.to_string())),
    Entry::fixed("link_mode", "0\n"),
    Entry::text("mtu", |it, _| it.line(|link| link.mtu.to_string())),
    Entry::text("name_assign_type", |it, _| {
        it.line(|link| if link.is_loopback() { "2" } else { "3" }.to_owned())
    }),
    Entry::text("operstate", |it, _| {
        it.line(|link| {
            let state = match (link.is_loopback(), link.up) {
                (true, true) => "unknown",
                (false, true) => "up",
                (_, false) => "down",
            };
            state.to_owned()
        })
    }),
    Entry::dir("queues", &[]).mode(0o755),
    Entry::text("speed", |it, _| it.of_wire("10000\n")),
    Entry::dir("statistics", STATISTICS).mode(0o755),
    Entry::link("subsystem", "../../../../class/net"),
    Entry::fixed("tx_queue_len", "1000\n"),
    Entry::text("type", |it, _| {
        it.line(|link| netlink::hardware(link).to_string())
    }),
    Entry::text("uevent", |it, _| {
        it.line(|link| format!("INTERFACE={}\nIFINDEX={}", link.name, link.index))
    }),
];

/// IFF_RUNNING.
const RUNNING: u32 = 0x40;

const STATISTICS: &[Entry<Interface>] = &[
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
