//! Fragments of IPv6, RFC 8200: packets are put together from them, and cut into them.
//!
//! (Those of IPv4 are the stack's business.)

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv6Addr;

use smoltcp::time::{Duration, Instant};

use super::super::packet::{HEAD_V6, put};

/// IPPROTO_FRAGMENT.
pub(super) const FRAGMENT: u8 = 44;
/// Bytes of the header.
const HEAD: usize = 8;
/// How long the parts of a packet may take to come (net.ipv6.ip6frag_time).
const PATIENCE: Duration = Duration::from_secs(60);
/// Packets that are waited for; the one that has waited longest gives way.
const MAX: usize = 64;
/// The most that a packet carries.
const LARGEST: usize = 65535;

/// Packets of which some parts are here.
#[derive(Default)]
pub(super) struct Fragments(HashMap<Key, Parts>);

type Key = (Ipv6Addr, Ipv6Addr, u32);

struct Parts {
    /// What comes before the first part's header of fragments, with the number of the
    /// protocol that follows it there.
    start: Option<(Vec<u8>, u8)>,
    /// By their offsets.
    parts: BTreeMap<usize, Vec<u8>>,
    bytes: usize,
    /// Known once the last part is here.
    len: Option<usize>,
    since: Instant,
}

/// What a fragment says of itself.
struct Fragment<'a> {
    key: Key,
    offset: usize,
    last: bool,
    next: u8,
    /// The headers before.
    start: &'a [u8],
    data: &'a [u8],
}

/// Where the header of fragments stands in a packet: behind headers that every router
/// reads. `None` for a packet that is whole.
pub(super) fn place(packet: &[u8]) -> Option<usize> {
    let mut next = *packet.get(6)?;
    let mut at = HEAD_V6;
    loop {
        match next {
            FRAGMENT => return Some(at),
            // Options hop by hop, a route, options for the destination.
            0 | 43 | 60 => {
                let [following, units] = *packet.get(at..)?.first_chunk::<2>()?;
                next = following;
                at += (usize::from(units) + 1) * 8;
            }
            _ => return None,
        }
    }
}

fn address(packet: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets = packet.get(at..at + 16)?.first_chunk::<16>()?;
    Some(Ipv6Addr::from(*octets))
}

fn parse(packet: &[u8]) -> Option<Fragment<'_>> {
    let [a, b] = *packet.get(4..6)?.first_chunk::<2>()?;
    let packet = packet.get(..HEAD_V6 + usize::from(u16::from_be_bytes([a, b])))?;
    let at = place(packet)?;
    let [next, _, high, low, c, d, e, f] = *packet.get(at..)?.first_chunk::<HEAD>()?;
    let word = u16::from_be_bytes([high, low]);
    Some(Fragment {
        key: (
            address(packet, 8)?,
            address(packet, 24)?,
            u32::from_be_bytes([c, d, e, f]),
        ),
        offset: usize::from(word & !7),
        last: word & 1 == 0,
        next,
        start: packet.get(..at)?,
        data: packet.get(at + HEAD..)?,
    })
}

impl Fragments {
    /// Takes a fragment; the whole packet if it was the one that was missing.
    pub(super) fn add(&mut self, packet: &[u8], now: Instant) -> Option<Vec<u8>> {
        let fragment = parse(packet)?;
        let end = fragment.offset + fragment.data.len();
        let odd = fragment.data.len() % 8 != 0 && !fragment.last;
        if odd || end > LARGEST || (fragment.data.is_empty() && !fragment.last) {
            return None;
        }
        self.0.retain(|_, parts| parts.since + PATIENCE > now);
        if self.0.len() >= MAX && !self.0.contains_key(&fragment.key) {
            let oldest = self.0.iter().min_by_key(|(_, parts)| parts.since);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.and_then(|key| self.0.remove(&key));
        }
        let key = fragment.key;
        let parts = self.0.entry(key).or_insert_with(|| Parts {
            start: None,
            parts: BTreeMap::new(),
            bytes: 0,
            len: None,
            since: now,
        });
        match parts.take(&fragment, end) {
            Some(true) => self.0.remove(&key)?.join(),
            Some(false) => None,
            None => {
                self.0.remove(&key);
                None
            }
        }
    }
}

impl Parts {
    /// True once nothing is missing; `None` for parts that do not fit together, of which
    /// none counts (RFC 5722).
    fn take(&mut self, fragment: &Fragment<'_>, end: usize) -> Option<bool> {
        let before = self.parts.range(..=fragment.offset).next_back();
        if let Some((&at, part)) = before {
            if at == fragment.offset && *part == fragment.data {
                // The same once more.
                return Some(false);
            }
            if at + part.len() > fragment.offset || at == fragment.offset {
                return None;
            }
        }
        if let Some((&after, _)) = self.parts.range(fragment.offset..).next()
            && after < end
        {
            return None;
        }
        if fragment.last && self.len.is_some_and(|len| len != end) {
            return None;
        }
        if fragment.last {
            self.len = Some(end);
        }
        if self.len.is_some_and(|len| end > len) {
            return None;
        }
        if fragment.offset == 0 {
            self.start = Some((fragment.start.to_vec(), fragment.next));
        }
        self.bytes += fragment.data.len();
        self.parts.insert(fragment.offset, fragment.data.to_vec());
        Some(self.len == Some(self.bytes) && self.start.is_some())
    }

    fn join(self) -> Option<Vec<u8>> {
        let (mut whole, next) = self.start?;
        let named = last_name(&whole)?;
        *whole.get_mut(named)? = next;
        for part in self.parts.into_values() {
            whole.extend_from_slice(&part);
        }
        let len = u16::try_from(whole.len() - HEAD_V6).ok()?;
        put(&mut whole, 4, len.to_be_bytes());
        Some(whole)
    }
}

/// Where the last of some headers says what follows.
fn last_name(headers: &[u8]) -> Option<usize> {
    let (mut name, mut at) = (6, HEAD_V6);
    while at < headers.len() {
        name = at;
        at += (usize::from(*headers.get(at + 1)?) + 1) * 8;
    }
    Some(name)
}

/// A packet of IPv6 in pieces of at most `mtu` bytes; itself if that is all.
pub(super) fn cut(packet: &[u8], mtu: usize, id: u32) -> Vec<Vec<u8>> {
    let size = mtu.saturating_sub(HEAD_V6 + HEAD) / 8 * 8;
    let is_v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    let (head, body) = packet.split_at(HEAD_V6.min(packet.len()));
    if !is_v6 || packet.len() <= mtu || size == 0 {
        return vec![packet.to_vec()];
    }
    let next = head.get(6).copied().unwrap_or(0);
    let count = body.len().div_ceil(size);
    let piece = |(at, data): (usize, &[u8])| {
        let mut piece = head.to_vec();
        let len = u16::try_from(HEAD + data.len()).unwrap_or(0);
        put(&mut piece, 4, len.to_be_bytes());
        if let Some(place) = piece.get_mut(6) {
            *place = FRAGMENT;
        }
        let offset = u16::try_from(at * size).unwrap_or(0) | u16::from(at + 1 < count);
        piece.extend_from_slice(&[next, 0]);
        piece.extend_from_slice(&offset.to_be_bytes());
        piece.extend_from_slice(&id.to_be_bytes());
        piece.extend_from_slice(data);
        piece
    };
    body.chunks(size).enumerate().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use smoltcp::time::{Duration, Instant};

    use super::{Fragments, MAX, PATIENCE, cut};

    fn packet(len: usize) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        packet.extend_from_slice(&[17, 64]);
        packet.extend((0..32).map(|byte| byte + 1));
        packet.extend((0..len).map(|at| u8::try_from(at % 251).unwrap()));
        packet
    }

    fn now() -> Instant {
        Instant::from_millis(5)
    }

    #[test]
    fn what_was_cut_is_put_together_in_any_order() {
        for len in [1, 1232, 1233, 3000, 65535] {
            let packet = packet(len);
            let mut pieces = cut(&packet, 1280, 9);
            assert!(pieces.iter().all(|piece| piece.len() <= 1280));
            if pieces.len() == 1 {
                assert_eq!(pieces, [packet]);
                continue;
            }
            let mut fragments = Fragments::default();
            pieces.reverse();
            // One of them twice.
            pieces.insert(1, pieces[0].clone());
            let last = pieces.pop().unwrap();
            for piece in pieces {
                assert_eq!(fragments.add(&piece, now()), None);
            }
            assert_eq!(fragments.add(&last, now()), Some(packet));
            assert!(fragments.0.is_empty());
        }
    }

    #[test]
    fn parts_that_overlap_are_none() {
        let pieces = cut(&packet(3000), 1280, 9);
        let mut fragments = Fragments::default();
        assert_eq!(fragments.add(&pieces[0], now()), None);
        let mut other = pieces[1].clone();
        // Eight bytes too early.
        let word = u16::from_be_bytes([other[42], other[43]]) - 8;
        other[42..44].copy_from_slice(&word.to_be_bytes());
        assert_eq!(fragments.add(&other, now()), None);
        assert!(fragments.0.is_empty());
        assert_eq!(fragments.add(&pieces[1], now()), None);
        assert_eq!(fragments.add(&pieces[2], now()), None);
    }

    #[test]
    fn few_are_waited_for_and_not_for_ever() {
        let mut fragments = Fragments::default();
        for id in 0..1000 {
            assert_eq!(fragments.add(&cut(&packet(3000), 1280, id)[0], now()), None);
        }
        assert_eq!(fragments.0.len(), MAX);
        let late = now() + PATIENCE + Duration::from_secs(1);
        assert_eq!(fragments.add(&cut(&packet(3000), 1280, 1)[0], late), None);
        assert_eq!(fragments.0.len(), 1);
    }

    #[test]
    fn garbage_is_no_fragment() {
        let mut fragments = Fragments::default();
        for len in 0..48 {
            let piece = &cut(&packet(3000), 1280, 1)[0];
            assert_eq!(fragments.add(&piece[..len], now()), None);
        }
        let mut piece = cut(&packet(3000), 1280, 1).remove(0);
        // A header that follows none.
        piece[6] = 60;
        piece[41] = 255;
        assert_eq!(fragments.add(&piece, now()), None);
    }
}
