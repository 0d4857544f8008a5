//! Sending frames.

use std::net::IpAddr;

use syscalls::Errno;
use syscalls::abi::net::{MessageFlags, PACKET_LOSS};
use syscalls::errno::{EINVAL, EMSGSIZE, ENETDOWN, ENXIO};

use super::{ADDRESS, Direction, HEAD, PacketSocket};
use crate::net::inet::Link;
use crate::net::inet::links::LOOPBACK;
use crate::net::inet::packet::Packet;
use crate::net::{Address, Kind};
use crate::vfs::Source;

/// Bytes that a frame may be larger by than the interface's packets: a VLAN's tag.
const TAG: usize = 4;
/// The most bytes of a frame.
const MAX: usize = 65536 + HEAD + TAG;

impl PacketSocket {
    pub(super) fn send_to(
        &self,
        src: &mut Source<'_>,
        to: Option<&Address>,
        _: MessageFlags,
    ) -> Result<usize, Errno> {
        let (mut index, mut protocol) = {
            let inner = self.inner.lock();
            (inner.link, inner.protocol)
        };
        let mut hardware = [0; ADDRESS];
        if let Some(to) = to {
            let name = Self::parse(to)?;
            index = u32::try_from(name.ifindex).map_err(|_| ENXIO)?;
            protocol = u16::from_be_bytes(name.protocol);
            if let Some(start) = name.addr.first_chunk::<ADDRESS>() {
                hardware = *start;
            }
        }
        let network = self.stack.links.get();
        let link = network.link(index).ok_or(ENXIO)?;
        if !link.up {
            return Err(ENETDOWN);
        }
        if self.rings.lock().sends() {
            return self.send_ring(link, protocol, hardware);
        }
        if src.remaining() > MAX {
            return Err(EMSGSIZE);
        }
        let data = src.read_all()?;
        self.send_data(link, protocol, hardware, data)
    }

    /// Sends what the program has put into its ring.
    fn send_ring(
        &self,
        link: &Link,
        protocol: u16,
        hardware: [u8; ADDRESS],
    ) -> Result<usize, Errno> {
        let mut all = 0;
        // A frame is a place, of which there are not so many.
        loop {
            let next = self.rings.lock().next_to_send();
            let Some((place, data)) = next else {
                return Ok(all);
            };
            let sent = self.send_data(link, protocol, hardware, data);
            let skips = self.options.kept(-PACKET_LOSS) != 0;
            self.rings.lock().sent(place, sent.is_ok() || skips);
            match sent {
                Ok(len) => all += len,
                Err(_) if skips => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn send_data(
        &self,
        link: &Link,
        protocol: u16,
        hardware: [u8; ADDRESS],
        data: Vec<u8>,
    ) -> Result<usize, Errno> {
        let len = data.len();
        let mtu = usize::try_from(link.mtu).unwrap_or(MAX);
        let head = if self.kind == Kind::Raw { HEAD } else { 0 };
        if len > (mtu + head + TAG).min(MAX) {
            return Err(EMSGSIZE);
        }
        let frame = if self.kind == Kind::Raw {
            if len < HEAD {
                return Err(EINVAL);
            }
            data
        } else {
            let head = [&hardware[..], &link.mac, &protocol.to_be_bytes()];
            [&head.concat(), data.as_slice()].concat()
        };
        self.transmit(link.index, &frame)?;
        Ok(len)
    }

    fn transmit(&self, link: u32, frame: &[u8]) -> Result<(), Errno> {
        let stack = &self.stack;
        stack.tap_frame(link, Direction::Out, frame, Some(self));
        if link != LOOPBACK {
            return stack.send_frame(link, frame);
        }
        stack.tap_frame(link, Direction::In, frame, Some(self));
        // Addresses of the loopback in a packet that came without a route: a martian.
        let martian = |ip: IpAddr| ip.is_ipv4() && ip.is_loopback();
        let known = matches!(frame.get(12..HEAD), Some([0x08, 0x00] | [0x86, 0xdd]));
        let for_host = frame.get(..ADDRESS) == Some(&[0; ADDRESS]);
        let packet = frame.get(HEAD..).filter(|_| known && for_host);
        if let Some(packet) = packet.and_then(|bytes| Packet::parse(bytes.to_vec()))
            && !martian(packet.head.from)
            && !martian(packet.head.to)
        {
            stack.take_packet(&packet);
        }
        Ok(())
    }
}
