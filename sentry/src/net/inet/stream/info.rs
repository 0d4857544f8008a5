//! TCP_INFO, tcp(7): what is true of a connection in memory, and for the rest what Linux
//! says of a connection over its loopback.

use syscalls::abi::net::TcpInfo;
use zerocopy::FromZeros;

use super::options::LOOPBACK_SEGMENT;
use super::{Role, StreamSocket};
use crate::net::inet::links::LOOPBACK_MTU;

/// Timestamps, selective acknowledgements, window scaling.
const OPTIONS: u8 = 1 | 2 | 4;
/// Both sides scale their windows by 2^7, a half-byte each.
const SCALES: u8 = 0x77;
/// Microseconds.
const RETRANSMIT_TIMEOUT: u32 = 201_000;
const FIRST_RETRANSMIT_TIMEOUT: u32 = 1_000_000;
const ROUND_TRIP: u32 = 20;
const WINDOW: u32 = 10;
const UNLIMITED: u32 = 0x7fff_ffff;

fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl StreamSocket {
    pub(super) fn info(&self) -> TcpInfo {
        let mut info = TcpInfo::new_zeroed();
        let inner = self.inner.lock();
        info.state = inner.state() as u8;
        info.snd_cwnd = WINDOW;
        info.snd_ssthresh = UNLIMITED;
        info.reordering = 3;
        info.max_pacing_rate = u64::MAX;
        match &inner.role {
            Role::Listening(listener) => {
                info.unacked = count(listener.ready());
                info.sacked = count(listener.backlog());
            }
            Role::Connected(flow) => {
                let segment = LOOPBACK_SEGMENT.unsigned_abs();
                info.options = OPTIONS;
                info.wscale = SCALES;
                info.rto = RETRANSMIT_TIMEOUT;
                info.ato = 40_000;
                info.snd_mss = segment;
                info.rcv_mss = DEFAULT_RECEIVED;
                info.advmss = segment;
                info.pmtu = LOOPBACK_MTU - 1;
                info.rtt = ROUND_TRIP;
                info.rttvar = ROUND_TRIP / 2;
                info.min_rtt = ROUND_TRIP;
                info.rcv_space = count(self.window());
                info.rcv_ssthresh = info.rcv_space;
                info.rcv_wnd = info.rcv_space;
                info.snd_wnd = info.rcv_space;
                info.bytes_sent = flow.tx.sent();
                info.bytes_acked = flow.tx.sent();
                info.bytes_received = flow.rx.sent();
                info.notsent_bytes = count(flow.tx.unsent());
            }
            Role::Idle | Role::Connecting(_) => info.rto = FIRST_RETRANSMIT_TIMEOUT,
        }
        info
    }
}

/// What Linux assumes of the other side's segments until it has seen some.
const DEFAULT_RECEIVED: u32 = 536;
