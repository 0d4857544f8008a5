//! Options of packet sockets.

use syscalls::Errno;
use syscalls::abi::net::{
    PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA, PACKET_COPY_THRESH, PACKET_DROP_MEMBERSHIP,
    PACKET_FANOUT, PACKET_FANOUT_DATA, PACKET_HDRLEN, PACKET_IGNORE_OUTGOING, PACKET_LOSS,
    PACKET_ORIGDEV, PACKET_QDISC_BYPASS, PACKET_RESERVE, PACKET_ROLLOVER_STATS, PACKET_RX_RING,
    PACKET_STATISTICS, PACKET_TIMESTAMP, PACKET_TX_HAS_OFF, PACKET_TX_RING, PACKET_VERSION,
    PACKET_VNET_HDR, PACKET_VNET_HDR_SZ, PacketMreq, SOL_PACKET,
};
use syscalls::errno::{EBUSY, EINVAL, ENODEV, ENOPROTOOPT};
use zerocopy::FromBytes;

use super::ring::Way;
use super::{ADDRESS, PacketSocket};
use crate::net::given::Takes;
use crate::net::{Given, Kind};
use crate::task::Current;

/// Numbers that are kept and told; the first are flags.
const FLAGS: &[i32] = &[
    PACKET_AUXDATA,
    PACKET_ORIGDEV,
    PACKET_LOSS,
    PACKET_TX_HAS_OFF,
    PACKET_QDISC_BYPASS,
];
const NUMBERS: &[(i32, Takes)] = &[
    (PACKET_VERSION, Takes::Range(0, 2)),
    (PACKET_RESERVE, Takes::Range(0, i32::MAX)),
    (PACKET_TIMESTAMP, Takes::Any),
    (PACKET_COPY_THRESH, Takes::Any),
    (PACKET_IGNORE_OUTGOING, Takes::Range(0, 1)),
    // Frames have no head of their own here.
    (PACKET_VNET_HDR, Takes::Range(0, 0)),
    (PACKET_VNET_HDR_SZ, Takes::Range(0, 0)),
    // Nobody shares what comes.
    (PACKET_FANOUT, Takes::Range(1, 0)),
];

/// PACKET_MR_*: the highest kind of membership.
const UNICAST: u16 = 3;
/// PACKET_VERSION, the last.
const V3: i32 = 2;
/// Bytes of the heads of frames in a ring, by version.
const RING_HEADS: [i32; 3] = [32, 32, 48];

impl PacketSocket {
    pub(super) fn change_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        if level != SOL_PACKET {
            return Err(ENOPROTOOPT);
        }
        match name {
            PACKET_ADD_MEMBERSHIP | PACKET_DROP_MEMBERSHIP => {
                let request = value.prefix::<{ size_of::<PacketMreq>() }>()?;
                let request = PacketMreq::read_from_bytes(&request).map_err(|_| EINVAL)?;
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
            PACKET_FANOUT_DATA => return Err(EINVAL),
            PACKET_RX_RING | PACKET_TX_RING => {
                let way = match name {
                    PACKET_RX_RING => Way::Receive,
                    _ => Way::Send,
                };
                let form = (
                    self.options.kept(-PACKET_VERSION),
                    self.options.kept(-PACKET_RESERVE),
                );
                let memory = &task.kernel.memory;
                return self.rings.lock().set(memory, way, form, value);
            }
            PACKET_VERSION | PACKET_RESERVE if self.rings.lock().is_set() => {
                value.number()?;
                return Err(EBUSY);
            }
            _ => {}
        }
        if FLAGS.contains(&name) {
            let on = value.number()? != 0;
            self.options.keep(-name, on.into());
            return Ok(());
        }
        let row = NUMBERS.iter().find(|row| row.0 == name);
        let (_, takes) = row.ok_or(ENOPROTOOPT)?;
        if name == PACKET_VNET_HDR && self.kind != Kind::Raw {
            return Err(EINVAL);
        }
        let number = takes.admit(value.number()?, 0)?;
        self.options.keep(-name, number);
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
                let mut told = [seen.to_ne_bytes(), drops.to_ne_bytes()].concat();
                if self.options.kept(-PACKET_VERSION) == V3 {
                    // How often blocks were not given back in time: not counted.
                    told.extend_from_slice(&[0; 4]);
                }
                return Ok(told);
            }
            PACKET_HDRLEN => {
                let version = value.first_chunk::<4>().ok_or(EINVAL)?;
                let version = usize::try_from(i32::from_ne_bytes(*version)).map_err(|_| EINVAL)?;
                *RING_HEADS.get(version).ok_or(EINVAL)?
            }
            PACKET_ROLLOVER_STATS => return Err(EINVAL),
            name if FLAGS.contains(&name) || NUMBERS.iter().any(|row| row.0 == name) => {
                self.options.kept(-name)
            }
            _ => return Err(ENOPROTOOPT),
        };
        Ok(number.to_ne_bytes().to_vec())
    }
}
