//! Groups that an interface's sockets listen to, as routers and switches are to know them:
//! reports of IGMP (RFC 3376; RFC 2236 where somebody asks by that) and MLD (RFC 3810).
//!
//! Differs from Linux: all senders to a group are asked for, though its members may want
//! to hear some alone; they choose themselves.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::time::{Duration, Instant};

use super::super::links::Link;
use super::super::packet::{HEAD_V6, checksum, put};
use super::super::stack::Stack;
use super::engine::{Engine, Port, now};

/// Reports say what has changed, or how things are.
const IS_EXCLUDE: u8 = 2;
const TO_INCLUDE: u8 = 3;
const TO_EXCLUDE: u8 = 4;
/// IGMP: a question, and what is said of one group by version 2, of many by version 3.
const QUERY: u8 = 0x11;
const REPORT_2: u8 = 0x16;
const LEAVE_2: u8 = 0x17;
const REPORT_3: u8 = 0x22;
const EVERYBODY: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
const ROUTERS_3: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
/// MLD likewise.
const QUERY_6: u8 = 130;
const REPORT_6: u8 = 143;
const EVERYBODY_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ROUTERS_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// What has changed is said once more after this time, in case it was lost.
const AGAIN: Duration = Duration::from_millis(500);
/// After a question by an old version, that one is spoken for so long.
const OLD: Duration = Duration::from_secs(400);
/// Groups of one interface that are told of.
const MAX: usize = 256;

/// Memberships of one interface.
#[derive(Default)]
pub(super) struct Members {
    groups: BTreeSet<IpAddr>,
    /// What is to be said, and when.
    planned: Vec<(Instant, u8, IpAddr)>,
    /// Until when version 2 of IGMP is spoken.
    old_until: Option<Instant>,
}

/// True for groups in which everybody is.
pub(in crate::net::inet) fn is_everybodys(group: IpAddr) -> bool {
    group == IpAddr::V4(EVERYBODY) || group == IpAddr::V6(EVERYBODY_6)
}

impl Members {
    pub(super) fn next(&self) -> Option<Instant> {
        self.planned.iter().map(|(at, ..)| *at).min()
    }

    /// The groups are these now.
    fn change(&mut self, groups: BTreeSet<IpAddr>, now: Instant) {
        let new = groups.difference(&self.groups).map(|g| (TO_EXCLUDE, *g));
        let gone = self.groups.difference(&groups).map(|g| (TO_INCLUDE, *g));
        let changes: Vec<_> = new.chain(gone).collect();
        for (what, group) in changes {
            self.planned.retain(|(.., other)| *other != group);
            self.planned.push((now, what, group));
            self.planned.push((now + AGAIN, what, group));
        }
        self.groups = groups;
    }

    /// Somebody asks for members of `group`, or of all for an unspecified one.
    fn ask(&mut self, group: IpAddr, now: Instant) {
        let asked = |other: &&IpAddr| {
            let all = group.is_unspecified() && group.is_ipv4() == other.is_ipv4();
            all || **other == group
        };
        let asked: Vec<_> = self.groups.iter().filter(asked).copied().collect();
        for group in asked {
            if !self.planned.iter().any(|(.., other)| *other == group) {
                self.planned.push((now, IS_EXCLUDE, group));
            }
        }
    }

    /// Frames whose time has come.
    fn due(&mut self, link: &Link, now: Instant) -> Vec<Vec<u8>> {
        let all = std::mem::take(&mut self.planned);
        let (due, rest) = all.into_iter().partition(|(at, ..)| *at <= now);
        self.planned = rest;
        let old = self.old_until.is_some_and(|until| until > now);
        let due: Vec<_> = due;
        let frames = due.into_iter().filter_map(|(_, what, group)| match group {
            IpAddr::V4(group) if old => report_2(link, what, group),
            IpAddr::V4(group) => report_3(link, what, group),
            IpAddr::V6(group) => report_6(link, what, group),
        });
        frames.collect()
    }
}

fn report_2(link: &Link, what: u8, group: Ipv4Addr) -> Option<Vec<u8>> {
    let (kind, to) = match what {
        TO_INCLUDE => (LEAVE_2, ROUTERS),
        _ => (REPORT_2, group),
    };
    let mut message = vec![kind, 0, 0, 0];
    message.extend_from_slice(&group.octets());
    igmp(link, to, message)
}

/// One record: a group without sources.
fn report_3(link: &Link, what: u8, group: Ipv4Addr) -> Option<Vec<u8>> {
    let mut message = vec![REPORT_3, 0, 0, 0, 0, 0, 0, 1, what, 0, 0, 0];
    message.extend_from_slice(&group.octets());
    igmp(link, ROUTERS_3, message)
}

fn igmp(link: &Link, to: Ipv4Addr, mut message: Vec<u8>) -> Option<Vec<u8>> {
    let mut own = link.addresses.iter().map(|address| address.ip);
    let from = own.find_map(|ip| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    })?;
    let sum = checksum(&message);
    put(&mut message, 2, sum.to_be_bytes());
    let [_, b, c, d] = to.octets();
    let mut frame = vec![1, 0, 0x5e, b & 0x7f, c, d];
    frame.extend_from_slice(&link.mac);
    frame.extend_from_slice(&[8, 0]);
    let len = u8::try_from(24 + message.len()).ok()?;
    // Internetwork control, not to be cut, one hop; the option for routers to look at it.
    let mut head = vec![0x46, 0xc0, 0, len, 0, 0, 0x40, 0, 1, 2, 0, 0];
    head.extend_from_slice(&from.octets());
    head.extend_from_slice(&to.octets());
    head.extend_from_slice(&[0x94, 4, 0, 0]);
    let sum = checksum(&head);
    put(&mut head, 10, sum.to_be_bytes());
    frame.extend_from_slice(&head);
    frame.extend_from_slice(&message);
    Some(frame)
}

fn report_6(link: &Link, what: u8, group: Ipv6Addr) -> Option<Vec<u8>> {
    let mut own = link.addresses.iter().map(|address| address.ip);
    // Without an address of the link alone, the report comes from nobody.
    let from = own.find_map(|ip| match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(ip),
        _ => None,
    });
    let from = from.unwrap_or(Ipv6Addr::UNSPECIFIED);
    let mut message = vec![REPORT_6, 0, 0, 0, 0, 0, 0, 1, what, 0, 0, 0];
    message.extend_from_slice(&group.octets());
    let mut whole = [from.octets(), ROUTERS_6.octets()].concat();
    whole.extend_from_slice(&[0, 0, 0, u8::try_from(message.len()).ok()?, 0, 0, 0, 58]);
    whole.extend_from_slice(&message);
    let sum = checksum(&whole);
    put(&mut message, 2, sum.to_be_bytes());
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 0x16];
    frame.extend_from_slice(&link.mac);
    frame.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
    let len = u8::try_from(8 + message.len()).ok()?;
    frame.extend_from_slice(&[0, len, 0, 1]);
    frame.extend_from_slice(&from.octets());
    frame.extend_from_slice(&ROUTERS_6.octets());
    frame.extend_from_slice(&[58, 0, 5, 2, 0, 0, 1, 0]);
    frame.extend_from_slice(&message);
    Some(frame)
}

/// The group that a question of IGMP or MLD is about, with whether it is one of an old
/// version of IGMP.
fn question(packet: &[u8]) -> Option<(IpAddr, bool)> {
    match packet.first()? >> 4 {
        4 if packet.get(9) == Some(&2) => {
            let head = usize::from(packet.first()? & 15) * 4;
            let len = usize::from(u16::from_be_bytes(*packet.get(2..)?.first_chunk::<2>()?));
            let message = packet.get(head..len)?;
            let [QUERY, _, _, _, group @ ..] = *message.first_chunk::<8>()? else {
                return None;
            };
            let sound = checksum(message) == 0;
            let group = Ipv4Addr::from(*group.first_chunk::<4>()?);
            sound.then_some((group.into(), message.len() < 12))
        }
        6 if packet.get(6) == Some(&0) && packet.get(HEAD_V6) == Some(&58) => {
            let options = (usize::from(*packet.get(HEAD_V6 + 1)?) + 1) * 8;
            let message = packet.get(HEAD_V6 + options..)?.first_chunk::<24>()?;
            let group = *message.last_chunk::<16>()?;
            let hops = packet.get(7) == Some(&1);
            (message[0] == QUERY_6 && hops).then_some((Ipv6Addr::from(group).into(), false))
        }
        _ => None,
    }
}

impl Port {
    /// A packet may be a question for members.
    pub(super) fn ask_members(&mut self, packet: &[u8]) {
        if let Some((group, old)) = question(packet) {
            let now = now();
            if old {
                self.members.old_until = Some(now + OLD);
            }
            self.members.ask(group, now);
        }
    }

    /// Says what is to be said of memberships.
    pub(super) fn report(&mut self, guest: &Stack, now: Instant) {
        if self.members.next().is_some_and(|at| at <= now)
            && let Some(link) = guest.links.get().link(self.link)
        {
            for frame in self.members.due(link, now) {
                self.send_frame(&frame);
            }
        }
    }
}

impl Engine {
    /// Some socket has joined or left a group.
    pub(super) fn regroup(&mut self) {
        let Some(guest) = self.stack.upgrade() else {
            return;
        };
        let now = now();
        for port in &mut self.ports {
            let mut groups = guest.members(port.link);
            groups.retain(|group| !is_everybodys(*group));
            while groups.len() > MAX {
                groups.pop_last();
            }
            port.members.change(groups, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use smoltcp::time::{Duration, Instant};

    use super::{Members, question};
    use crate::net::inet::links::{Link, Prefix};
    use crate::net::inet::packet::checksum;

    fn link() -> Link {
        let address = |ip: &str, len| Prefix {
            ip: ip.parse().unwrap(),
            len,
        };
        Link {
            index: 2,
            name: "eth0".to_owned(),
            mac: [2, 0, 0, 0, 0, 7],
            addresses: vec![address("10.0.0.2", 24), address("fe80::2", 64)],
            ..Link::loopback()
        }
    }

    fn group(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn joins_are_told_twice_and_leaving_too() {
        let now = Instant::from_secs(5);
        let mut members = Members::default();
        members.change([group("239.1.2.3"), group("ff02::5")].into(), now);
        let frames = members.due(&link(), now);
        assert_eq!(frames.len(), 2);
        let igmp = &frames[0];
        assert_eq!(igmp[..6], [1, 0, 0x5e, 0, 0, 22]);
        assert_eq!((checksum(&igmp[14..38]), checksum(&igmp[38..])), (0, 0));
        assert_eq!(igmp[46..], [4, 0, 0, 0, 239, 1, 2, 3]);
        let mld = &frames[1];
        assert_eq!(mld[54..62], [58, 0, 5, 2, 0, 0, 1, 0]);
        assert_eq!(mld[62], 143);
        assert_eq!(members.due(&link(), now).len(), 0);
        let later = now + Duration::from_secs(1);
        assert_eq!(members.due(&link(), later).len(), 2);
        members.change([group("ff02::5")].into(), later);
        let frames = members.due(&link(), later);
        assert_eq!(frames[0][46..], [3, 0, 0, 0, 239, 1, 2, 3]);
    }

    #[test]
    fn who_is_asked_answers() {
        let now = Instant::from_secs(5);
        let mut members = Members::default();
        members.change([group("239.1.2.3")].into(), now);
        let later = now + Duration::from_secs(2);
        members.due(&link(), later);
        members.ask(group("239.1.2.4"), later);
        members.ask(group("::"), later);
        assert_eq!(members.next(), None);
        members.ask(group("0.0.0.0"), later);
        members.ask(group("239.1.2.3"), later);
        assert_eq!(members.due(&link(), later)[0][46..48], [2, 0]);
        members.old_until = Some(later + Duration::from_secs(9));
        members.ask(group("0.0.0.0"), later);
        assert_eq!(members.due(&link(), later)[0][38], 0x16);
    }

    #[test]
    fn other_packets_are_no_questions() {
        for len in 0..80 {
            for first in [0x40, 0x46, 0x4f, 0x60] {
                let mut packet = vec![0; len];
                for (at, byte) in [(0, first), (9, 2), (6, 0), (40, 58)] {
                    if let Some(place) = packet.get_mut(at) {
                        *place = byte;
                    }
                }
                assert_eq!(question(&packet), None);
            }
        }
    }
}
