//! A packet socket as a device of the stack.
//!
//! The host leaves checksums of what came from its own interfaces open, and hands over many
//! segments as one frame: a header in front of each frame says so
//! ([`platform::host::packet::HEADER`]).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use platform::host::packet::HEADER;
use smoltcp::phy::{
    Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken,
};
use smoltcp::time::Instant;
use smoltcp::wire::TcpSeqNumber;

use super::frame::end_of_segment;

/// Bytes of the head of Ethernet.
const ETHERNET: usize = 14;
/// The largest frame, with its header, bytes: a packet of IPv6 that is put together.
const MAX: usize = HEADER + ETHERNET + 40 + 65536;
/// Flags of the header: what is open, and what was looked at, needs no look.
const TRUSTED: u8 = 1 | 2;

/// See the module.
pub(super) struct Wire {
    socket: OwnedFd,
    mtu: usize,
    received: Vec<u8>,
    len: usize,
    /// The received frame is still to be given to the stack.
    fresh: bool,
    sent: Vec<u8>,
    /// Up to where a stream of TCP was sent.
    end: Option<TcpSeqNumber>,
}

/// A frame that has arrived.
#[derive(Clone, Copy)]
pub(super) struct Arrived<'a> {
    pub(super) bytes: &'a [u8],
    /// Its checksums need no look.
    pub(super) trusted: bool,
}

impl Wire {
    pub(super) fn new(socket: OwnedFd, mtu: usize) -> Self {
        Wire {
            socket,
            mtu,
            received: vec![0; MAX],
            len: 0,
            fresh: false,
            end: None,
            sent: vec![0; MAX],
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes the next frame off the socket. False if there is none.
    pub(super) fn next(&mut self) -> bool {
        self.fresh = false;
        let fd = self.socket.as_raw_fd();
        match recv(fd, &mut self.received, MsgFlags::MSG_DONTWAIT) {
            Ok(len) => {
                self.len = len;
                true
            }
            Err(Errno::EINTR) => {
                self.len = 0;
                true
            }
            // ENETDOWN and the like: told once, then there is nothing.
            Err(_) => false,
        }
    }

    /// The frame that was taken.
    pub(super) fn frame(&self) -> Arrived<'_> {
        Arrived {
            bytes: self.received.get(HEADER..self.len).unwrap_or_default(),
            trusted: self
                .received
                .first()
                .is_some_and(|flags| flags & TRUSTED != 0),
        }
    }

    /// The packet in the frame that was taken.
    pub(super) fn packet(&self) -> &[u8] {
        self.frame().bytes.get(ETHERNET..).unwrap_or_default()
    }

    /// Puts a packet in the place of the one in the frame that was taken.
    pub(super) fn replace(&mut self, packet: &[u8]) {
        let start = HEADER + ETHERNET;
        if let Some(place) = self.received.get_mut(start..start + packet.len()) {
            place.copy_from_slice(packet);
            self.len = start + packet.len();
        }
        if let Some(header) = self.received.get_mut(..HEADER) {
            header.fill(0);
        }
    }

    /// Puts a frame in the place of the one that was taken.
    pub(super) fn put(&mut self, frame: &[u8]) {
        if let Some(place) = self.received.get_mut(HEADER..HEADER + frame.len()) {
            place.copy_from_slice(frame);
            self.len = HEADER + frame.len();
        }
    }

    /// Up to where a stream of TCP was sent since the last call.
    pub(super) fn take_end(&mut self) -> Option<TcpSeqNumber> {
        self.end.take()
    }

    /// The most that a packet may have, bytes.
    pub(super) fn mtu(&self) -> usize {
        self.mtu
    }

    /// The stack is given the frame that was taken.
    pub(super) fn offer(&mut self) {
        self.fresh = true;
    }
}

/// The frame that was taken.
pub(super) struct Incoming<'a>(&'a [u8]);

/// Room for one to be sent.
pub(super) struct Outgoing<'a> {
    socket: &'a OwnedFd,
    buffer: &'a mut [u8],
    end: &'a mut Option<TcpSeqNumber>,
}

impl RxToken for Incoming<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let end = HEADER + len;
        let Some(whole) = self.buffer.get_mut(..end) else {
            // No packet of IP is larger than the buffer.
            return f(&mut vec![0; len]);
        };
        let (header, frame) = whole.split_at_mut(HEADER);
        header.fill(0);
        let result = f(frame);
        if let Some(end) = end_of_segment(frame) {
            *self.end = Some(self.end.map_or(end, |before| before.max(end)));
        }
        // What does not go out is lost, as packets are: who cares sends again.
        let _ = send(self.socket.as_raw_fd(), whole, MsgFlags::MSG_DONTWAIT);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Incoming<'a>;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Incoming<'_>, Outgoing<'_>)> {
        if !std::mem::take(&mut self.fresh) {
            return None;
        }
        let frame = self.received.get(HEADER..self.len)?;
        let outgoing = Outgoing {
            socket: &self.socket,
            buffer: &mut self.sent,
            end: &mut self.end,
        };
        Some((Incoming(frame), outgoing))
    }

    fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing {
            socket: &self.socket,
            buffer: &mut self.sent,
            end: &mut self.end,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut checksum = ChecksumCapabilities::default();
        // Verified by us, where the host says that it is needed.
        checksum.tcp = Checksum::Tx;
        checksum.udp = Checksum::Tx;
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.mtu + 14;
        capabilities.checksum = checksum;
        capabilities
    }
}
