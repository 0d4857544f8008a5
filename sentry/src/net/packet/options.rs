//! Options of packet sockets.

use syscalls::Errno;
use syscalls::abi::net::{
    PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_COPY_THRESH, PACKET_DROP_MEMBERSHIP,
    PACKET_FANOUT, PACKET_HDRLEN, PACKET_IGNORE_OUTGOING, PACKET_LOSS, PACKET_ORIGDEV,
    PACKET_QDISC_BYPASS, PACKET_RESERVE, PACKET_ROLLOVER_STATS, PACKET_RX_RING, PACKET_STATISTICS,
    PACKET_TIMESTAMP, PACKET_TX_HAS_OFF, PACKET_TX_RING, PACKET_VERSION, PACKET_VNET_HDR,
    PACKET_VNET_HDR_SZ, PacketMreq, SOL_PACKET,
};
use syscalls::errno::{EINVAL, ENODEV, ENOPROTOOPT};
use zerocopy::FromBytes;

use super::{ADDRESS, PacketSocket};
use crate::net::Kind;

/// Numbers that are kept and told: name, least, most. The first are flags: what is not 0
/// counts as 1.
const FLAGS: &[i32] = &[
    PACKET_AUXDATA,
    PACKET_ORIGDEV,
    PACKET_LOSS,
    PACKET_TX_HAS_OFF,
    PACKET_QDISC_BYPASS,
];
const NUMBERS: &[(i32, i32, i32)] = &[
    (PACKET_VERSION, 0, 2),
    (PACKET_RESERVE, 0, i32::MAX),
    (PACKET_TIMESTAMP, i32::MIN, i32::MAX),
    (PACKET_COPY_THRESH, i32::MIN, i32::MAX),
    (PACKET_IGNORE_OUTGOING, 0, 1),
    (PACKET_VNET_HDR, 0, 0),
];

/// PACKET_MR_*: the highest kind of membership.
const UNICAST: u16 = 3;
/// Bytes of `struct tpacket_req`.
const RING: usize = 16;
/// Bytes of the heads of frames in a ring, by version.
const RING_HEADS: [i32; 3] = [32, 32, 48];

impl PacketSocket {
    pub(super) fn change_option(&self, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        if level != SOL_PACKET {
            return Err(ENOPROTOOPT);
        }
        match name {
            PACKET_ADD_MEMBERSHIP | PACKET_DROP_MEMBERSHIP => {
                let (request, _) = PacketMreq::read_from_prefix(value).map_err(|_| EINVAL)?;
                if usize::from(request.alen) > request.address.len() {
                    return Err(EINVAL);
                }
                // Everything that comes is shown anyway.
                if name == PACKET_DROP_MEMBERSHIP {
                    return Ok(());
                }
                let index = u32::try_from(request.ifindex).map_err(|_| ENODEV)?;
                self.stack.links.get().link(index).ok_or(ENODEV)?;
                let wrong = usize::from(request.alen) > ADDRESS || request.kind > UNICAST;
                return if wrong { Err(EINVAL) } else { Ok(()) };
            }
            PACKET_RX_RING | PACKET_TX_RING if value.len() < RING => return Err(EINVAL),
            PACKET_RX_RING | PACKET_TX_RING | PACKET_FANOUT => {
                return Err(ENOPROTOOPT.why("rings of packet sockets"));
            }
            _ => {}
        }
        let number = || {
            value
                .first_chunk::<4>()
                .map(|value| i32::from_ne_bytes(*value))
        };
        if FLAGS.contains(&name) {
            self.options
                .keep(-name, i32::from(number().ok_or(EINVAL)? != 0));
            return Ok(());
        }
        let row = NUMBERS.iter().find(|row| row.0 == name);
        let (_, least, most) = row.ok_or(ENOPROTOOPT)?;
        if name == PACKET_VNET_HDR && self.kind != Kind::Raw {
            return Err(EINVAL);
        }
        let number = number().filter(|number| (least..=most).contains(&number));
        self.options.keep(-name, number.ok_or(EINVAL)?);
        Ok(())
    }

    pub(super) fn option(&self, level: i32, name: i32, value: &[u8]) -> Result<Vec<u8>, Errno> {
        if level != SOL_PACKET {
            return Err(ENOPROTOOPT);
        }
        let number = match name {
            PACKET_STATISTICS => {
                let (seen, drops) = {
                    let mut inbox = self.inbox.lock();
                    let all = inbox.seen.saturating_add(inbox.drops);
                    inbox.seen = 0;
                    (all, std::mem::take(&mut inbox.drops))
                };
                return Ok([seen.to_ne_bytes(), drops.to_ne_bytes()].concat());
            }
            PACKET_HDRLEN => {
                let version = value.first_chunk::<4>().ok_or(EINVAL)?;
                let version = usize::try_from(i32::from_ne_bytes(*version)).map_err(|_| EINVAL)?;
                *RING_HEADS.get(version).ok_or(EINVAL)?
            }
            PACKET_FANOUT | PACKET_VNET_HDR_SZ => 0,
            PACKET_ROLLOVER_STATS => return Err(EINVAL),
            name if FLAGS.contains(&name) || NUMBERS.iter().any(|row| row.0 == name) => {
                self.options.kept(-name)
            }
            _ => return Err(ENOPROTOOPT),
        };
        Ok(number.to_ne_bytes().to_vec())
    }
}
