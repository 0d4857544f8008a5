//! Datagrams that came and were not yet received.

use std::collections::VecDeque;
use std::net::IpAddr;

use syscalls::Errno;
use syscalls::errno::EAGAIN;

use super::super::addr::Endpoint;
use crate::sync::{Level, Mutex};

/// A datagram with what its packet said.
#[derive(Clone, Debug)]
pub(in crate::net) struct Datagram {
    pub(in crate::net) data: Vec<u8>,
    pub(in crate::net) from: Endpoint,
    /// The address it was sent to.
    pub(in crate::net) to: IpAddr,
    /// The port it was sent to.
    pub(in crate::net) port: u16,
    /// The interface it came in by.
    pub(in crate::net) link: u32,
    pub(in crate::net) ttl: u8,
    pub(in crate::net) tos: u8,
    /// When, `CLOCK_REALTIME`, nanoseconds.
    pub(in crate::net) at: i128,
    /// UDP_SEGMENT: it stands for several, each but the last of so many bytes.
    pub(in crate::net) segment: Option<usize>,
}

/// What Linux charges a receive buffer for a packet of `len` bytes: they and the heads of the
/// network lie in memory that is a power of two, larger ones in pages of their own.
pub(in crate::net) fn truesize(len: usize) -> usize {
    const DESCRIPTION: usize = 256;
    const HEADS: usize = 364;
    const LINEAR: usize = 16384;
    const PAGE: usize = 4096;
    if len + HEADS <= LINEAR {
        (len + HEADS).next_power_of_two() + DESCRIPTION
    } else {
        HEADS.next_power_of_two() + DESCRIPTION + len.next_multiple_of(PAGE)
    }
}

pub(in crate::net::inet) struct Inbox(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Datagram>,
    charge: usize,
    drops: u64,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox(Mutex::new(Level::Socket, State::default()))
    }
}

fn charge(datagram: &Datagram) -> usize {
    truesize(datagram.data.len())
}

impl Inbox {
    /// Puts a datagram in; drops it where the buffer is full. True if it was taken.
    pub(in crate::net::inet) fn put(&self, datagram: Datagram, buffer: usize) -> bool {
        let mut state = self.0.lock();
        // As Linux: what crosses the limit is still taken.
        if state.charge > buffer {
            state.drops += 1;
            return false;
        }
        state.charge += charge(&datagram);
        state.waiting.push_back(datagram);
        true
    }

    /// The next one; `EAGAIN`.
    pub(in crate::net::inet) fn take(&self) -> Result<Datagram, Errno> {
        let mut state = self.0.lock();
        let datagram = state.waiting.pop_front().ok_or(EAGAIN)?;
        state.charge = state.charge.saturating_sub(charge(&datagram));
        Ok(datagram)
    }

    /// A copy of the next one; `EAGAIN`.
    pub(in crate::net::inet) fn peek(&self) -> Result<Datagram, Errno> {
        self.0.lock().waiting.front().cloned().ok_or(EAGAIN)
    }

    /// A copy of what comes after so many bytes, SO_PEEK_OFF: the rest of a datagram, or the
    /// next one; `EAGAIN`.
    pub(in crate::net::inet) fn peek_from(&self, mut offset: usize) -> Result<Datagram, Errno> {
        let state = self.0.lock();
        for datagram in &state.waiting {
            if offset == 0 || offset < datagram.data.len() {
                let mut datagram = datagram.clone();
                datagram.data.drain(..offset);
                return Ok(datagram);
            }
            offset -= datagram.data.len();
        }
        Err(EAGAIN)
    }

    /// Bytes of the next one, `None` if there is none.
    pub(in crate::net::inet) fn next_len(&self) -> Option<usize> {
        self.0.lock().waiting.front().map(|next| next.data.len())
    }

    /// What the receive buffer is charged.
    pub(in crate::net::inet) fn charge(&self) -> usize {
        self.0.lock().charge
    }

    /// Datagrams for which there was no room.
    pub(in crate::net::inet) fn drops(&self) -> u64 {
        self.0.lock().drops
    }
}
