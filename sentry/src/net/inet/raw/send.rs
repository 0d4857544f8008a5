//! Sending packets.

use std::net::{IpAddr, Ipv4Addr};

use syscalls::Errno;
use syscalls::abi::net::{
    IP_HDRINCL, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_RAW, IPV6_HDRINCL, MessageFlags,
};
use syscalls::errno::{EDESTADDRREQ, EINVAL, EMSGSIZE, EOPNOTSUPP, EPIPE};

use super::super::addr::{Endpoint, Family};
use super::super::links::Way;
use super::super::message::labels::Wishes;
use super::super::packet::{Fragments, HEAD_V4, HEAD_V6, Head, Packet, checksum, put};
use super::RawSocket;
use crate::vfs::Source;

/// The most that a packet of IPv4 carries, and all of it.
const MAX: usize = 65535;
/// An identification for packets whose maker left it out.
const ID: u16 = 1;

impl RawSocket {
    /// The program makes the header of IP itself.
    fn makes_header(&self) -> bool {
        match self.version() {
            Family::V4 => self.numbers.is_set(IPPROTO_IP, IP_HDRINCL),
            Family::V6 => {
                self.protocol == IPPROTO_RAW || self.numbers.is_set(IPPROTO_IPV6, IPV6_HDRINCL)
            }
        }
    }

    pub(super) fn send_to(
        &self,
        src: &mut Source<'_>,
        to: Option<Endpoint>,
        wishes: Wishes,
        flags: MessageFlags,
    ) -> Result<usize, Errno> {
        let len = src.remaining();
        if len > MAX {
            return Err(EMSGSIZE);
        }
        if flags.contains(MessageFlags::OOB) {
            return Err(EOPNOTSUPP);
        }
        let (local, peer, shut, sum_at) = {
            let inner = self.inner.lock();
            (inner.local, inner.peer, inner.shut.write, inner.checksum)
        };
        let to = to.or(peer).ok_or(EDESTADDRREQ)?;
        let way = self.way(local, to.ip, wishes)?;
        if shut {
            return Err(EPIPE);
        }
        if flags.contains(MessageFlags::PROBE) {
            return Ok(len);
        }
        if let Some(error) = self.errors.take() {
            return Err(error);
        }
        let data = src.read_all()?;
        if self.makes_header() {
            self.stack.dispatch(way, &finish(data, way)?)?;
        } else if let Some((way, wishes, data)) = self.cork((way, wishes, data), flags)? {
            let packet = self.wrap(data, way, wishes, sum_at)?;
            self.stack.dispatch(way, &packet)?;
        }
        Ok(len)
    }

    /// Adds to a packet that grows; gives it back once it is whole. `EMSGSIZE`: it has
    /// become too large, and is lost.
    fn cork(
        &self,
        (way, wishes, data): (Way, Wishes, Vec<u8>),
        flags: MessageFlags,
    ) -> Result<Option<(Way, Wishes, Vec<u8>)>, Errno> {
        let mut inner = self.inner.lock();
        let (way, wishes, mut whole) = match inner.corked.take() {
            Some(corked) => corked,
            None => (way, wishes, Vec::new()),
        };
        whole.extend_from_slice(&data);
        if whole.len() > MAX {
            return Err(EMSGSIZE);
        }
        if flags.contains(MessageFlags::MORE) {
            inner.corked = Some((way, wishes, whole));
            return Ok(None);
        }
        Ok(Some((way, wishes, whole)))
    }

    /// A packet with what the program wants in it.
    fn wrap(
        &self,
        mut data: Vec<u8>,
        way: Way,
        wishes: Wishes,
        sum_at: Option<usize>,
    ) -> Result<Packet, Errno> {
        let header = match way.to {
            IpAddr::V4(_) => HEAD_V4,
            IpAddr::V6(_) => 0,
        };
        if header + data.len() > MAX {
            return Err(EMSGSIZE);
        }
        let marks = self.marks(way.to, wishes);
        let head = Head {
            from: way.source,
            to: way.to,
            protocol: u8::try_from(self.protocol).map_err(|_| EINVAL)?,
            ttl: marks.ttl,
            tos: marks.tos,
        };
        if let Some(at) = sum_at {
            if at + 2 > data.len() {
                return Err(EINVAL);
            }
            put(&mut data, at, [0, 0]);
            let sum = head.checksum(&data);
            put(&mut data, at, sum.to_be_bytes());
        }
        Ok(Packet::new(head, &data, 0, Fragments::Never))
    }
}

/// A packet whose header the program made: the kernel fills in what was left out.
fn finish(mut data: Vec<u8>, way: Way) -> Result<Packet, Errno> {
    let mtu = usize::try_from(way.mtu).unwrap_or(MAX);
    if data.len() > mtu {
        return Err(EMSGSIZE);
    }
    let least = match way.to {
        IpAddr::V4(_) => HEAD_V4,
        IpAddr::V6(_) => HEAD_V6,
    };
    if data.len() < least {
        return Err(EINVAL);
    }
    if let IpAddr::V4(source) = way.source {
        let header = usize::from(data.first().copied().unwrap_or(0) & 15) * 4;
        if header > data.len() {
            return Err(EINVAL);
        }
        if header >= HEAD_V4 {
            complete(&mut data, source, header);
        }
    }
    Packet::parse(data).ok_or(EINVAL)
}

fn complete(data: &mut [u8], source: Ipv4Addr, header: usize) {
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX);
    put(data, 2, len.to_be_bytes());
    if data.get(4..6) == Some(&[0, 0]) {
        put(data, 4, ID.to_be_bytes());
    }
    if data.get(12..16) == Some(&[0; 4])
        && let Some(place) = data.get_mut(12..16)
    {
        place.copy_from_slice(&source.octets());
    }
    put(data, 10, [0, 0]);
    let sum = checksum(data.get(..header).unwrap_or_default());
    put(data, 10, sum.to_be_bytes());
}
