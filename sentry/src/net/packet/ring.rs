//! Rings of packet sockets, packet(7) and packet_mmap: memory that a program maps, where
//! frames are put, or taken from to be sent, without a call for each.
//!
//! The versions 1 and 2 have a head and a frame in each place; version 3 has blocks that
//! many frames share. A word in each tells whose it is. Differs from Linux: a block of
//! version 3 is handed over as soon as the program has given the one before back, and no
//! timer is waited for; so there is one frame in it, or all that came meanwhile.

use std::sync::Arc;

use platform::MemoryFile;
use syscalls::Errno;
use syscalls::abi::net::SockaddrLl;
use syscalls::errno::{EBUSY, EINVAL, ENOMEM};
use zerocopy::IntoBytes;

use super::Frame;
use crate::fs::page_cache::PageCache;
use crate::mm::Mappable as _;
use crate::net::{Given, Kind};
use crate::vfs::{Sink, Source};

/// TP_STATUS_*: whose a place is; what is said of the frame in it.
const KERNEL: u32 = 0;
pub(super) const USER: u32 = 1;
const LOSING: u32 = 4;
pub(super) const OPEN: u32 = 8;
const EARLY: u32 = 1 << 5;
const SEND_REQUEST: u32 = 1;
const WRONG_FORMAT: u32 = 4;
/// Places are aligned to this (TPACKET_ALIGNMENT), what is in blocks to that.
const ALIGNMENT: usize = 16;
const IN_BLOCK: usize = 8;
/// Bytes of the head of a block of version 3.
const BLOCK_HEAD: usize = 48;
/// Bytes of `struct sockaddr_ll`.
const NAME: usize = size_of::<SockaddrLl>();
/// The most bytes of both rings together.
const MOST: usize = 1 << 30;
/// A frame's head of the link layer, and what is kept free for it.
const HEAD: usize = super::HEAD;
const LEAST_HEAD: usize = 16;

/// PACKET_VERSION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
    V3,
}

impl Version {
    fn new(number: i32) -> Self {
        match number {
            1 => Version::V2,
            2 => Version::V3,
            _ => Version::V1,
        }
    }

    /// Bytes of the head of a frame.
    fn head(self) -> usize {
        match self {
            Version::V1 | Version::V2 => 32,
            Version::V3 => 48,
        }
    }
}

/// Which of a socket's two rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Receive,
    Send,
}

/// The rings of a socket, in one piece of memory: what is received comes first.
#[derive(Default)]
pub(super) struct Rings {
    memory: Option<Arc<PageCache>>,
    receive: Option<Ring>,
    send: Option<Ring>,
}

struct Ring {
    version: Version,
    /// Bytes before it in the memory.
    start: usize,
    block: usize,
    blocks: usize,
    frame: usize,
    /// Bytes before each frame that the program wants (PACKET_RESERVE).
    reserve: usize,
    /// Bytes of each block that are the program's own.
    private: usize,
    /// The place, or the block, that is next.
    next: usize,
    open: Option<Block>,
    /// Blocks that were begun.
    begun: u64,
}

/// The block that is being filled.
struct Block {
    /// Where the next frame goes, and where the last one is.
    end: usize,
    last: usize,
    frames: u32,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It goes elsewhere.
    NoRing,
    Lost,
    /// The program has something new.
    Told,
    /// It will have, later.
    Kept,
}

fn up(number: usize, to: usize) -> usize {
    number.next_multiple_of(to)
}

impl Ring {
    /// From `struct tpacket_req` or `tpacket_req3`.
    fn new(version: Version, reserve: usize, words: &[u32]) -> Result<Self, Errno> {
        let word = |at: usize| {
            let word = words.get(at).copied().unwrap_or(0);
            usize::try_from(word).map_err(|_| EINVAL)
        };
        let (block, blocks, frame, frames) = (word(0)?, word(1)?, word(2)?, word(3)?);
        let private = word(5)?;
        let least = version.head() + NAME + reserve;
        let page = usize::try_from(syscalls::PAGE_SIZE).map_err(|_| EINVAL)?;
        let rest = block.saturating_sub(BLOCK_HEAD + up(private.min(block), IN_BLOCK));
        let wrong = block == 0
            || block % page != 0
            || frame < least
            || frame % ALIGNMENT != 0
            || (version == Version::V3 && rest < least)
            || (block / frame).checked_mul(blocks) != Some(frames)
            || frames == 0;
        if wrong {
            return Err(EINVAL);
        }
        let whole = block.checked_mul(blocks).ok_or(ENOMEM)?;
        if whole > MOST {
            return Err(ENOMEM);
        }
        Ok(Ring {
            version,
            start: 0,
            block,
            blocks,
            frame,
            reserve,
            private: up(private, IN_BLOCK),
            next: 0,
            open: None,
            begun: 0,
        })
    }

    fn len(&self) -> usize {
        self.block * self.blocks
    }

    /// Where a place is.
    fn place(&self, number: usize) -> usize {
        let in_block = self.block / self.frame;
        self.start + number / in_block * self.block + number % in_block * self.frame
    }

    fn places(&self) -> usize {
        self.block / self.frame * self.blocks
    }

    /// Where the network layer of a frame begins, from its head on, and the frame itself.
    fn offsets(&self, kind: Kind) -> (usize, usize) {
        let head = self.version.head() + NAME;
        if kind == Kind::Raw {
            let net = up(head + LEAST_HEAD, ALIGNMENT) + self.reserve;
            (net, net - HEAD)
        } else {
            let net = up(head, ALIGNMENT) + LEAST_HEAD + self.reserve;
            (net, net)
        }
    }

    /// The head of a frame, and its sender's name behind it.
    fn head(&self, frame: &Frame, kept: usize, (net, mac): (usize, usize), status: u32) -> Vec<u8> {
        let seconds = u32::try_from(frame.at / 1_000_000_000).unwrap_or(u32::MAX);
        let nanos = u32::try_from(frame.at % 1_000_000_000).unwrap_or(0);
        let len = u32::try_from(frame.len).unwrap_or(0);
        let kept = u32::try_from(kept).unwrap_or(0);
        let places = [mac, net].map(|at| u16::try_from(at).unwrap_or(0).to_ne_bytes());
        let mut head = Vec::with_capacity(self.version.head() + NAME);
        let mut words = |words: &[u32]| {
            for word in words {
                head.extend_from_slice(&word.to_ne_bytes());
            }
        };
        match self.version {
            Version::V1 => words(&[status, 0, len, kept]),
            Version::V2 => words(&[status, len, kept]),
            Version::V3 => words(&[0, seconds, nanos, kept, len, status]),
        }
        head.extend_from_slice(&places.concat());
        match self.version {
            Version::V1 => {
                head.extend_from_slice(&seconds.to_ne_bytes());
                head.extend_from_slice(&(nanos / 1000).to_ne_bytes());
            }
            Version::V2 => {
                head.extend_from_slice(&seconds.to_ne_bytes());
                head.extend_from_slice(&nanos.to_ne_bytes());
            }
            Version::V3 => {}
        }
        head.resize(self.version.head(), 0);
        head.extend_from_slice(frame.from.as_bytes());
        head
    }
}

/// Reads and writes words of the memory.
struct Words<'a>(&'a PageCache);

impl Words<'_> {
    fn get(&self, at: usize) -> Option<u32> {
        let mut word = [0; 4];
        let read = self.0.read(&mut Sink::kernel(&mut word), at as u64);
        (read == Ok(4)).then(|| u32::from_ne_bytes(word))
    }

    fn put(&self, at: usize, bytes: &[u8]) -> bool {
        let written = self.0.write(&mut Source::kernel(bytes), at as u64);
        written == Ok(bytes.len())
    }
}

impl Rings {
    /// PACKET_RX_RING and PACKET_TX_RING; no places give the ring back.
    pub(super) fn set(
        &mut self,
        memory: &MemoryFile,
        way: Way,
        (version, reserve): (i32, i32),
        value: Given<'_>,
    ) -> Result<(), Errno> {
        let version = Version::new(version);
        let size = if version == Version::V3 { 28 } else { 16 };
        if value.len() < size {
            return Err(EINVAL);
        }
        let bytes = value.bytes()?;
        let bytes = bytes.get(..size).ok_or(EINVAL)?;
        let (words, _) = bytes.as_chunks::<4>();
        let words: Vec<u32> = words.iter().map(|word| u32::from_ne_bytes(*word)).collect();
        if self
            .memory
            .as_ref()
            .is_some_and(|m| m.mappings().is_mapped())
        {
            return Err(EBUSY);
        }
        let ring = match way {
            Way::Receive => &mut self.receive,
            Way::Send => &mut self.send,
        };
        if words.get(1) == Some(&0) {
            if words.get(3) != Some(&0) {
                return Err(EINVAL);
            }
            *ring = None;
        } else {
            if ring.is_some() {
                return Err(EBUSY);
            }
            let reserve = usize::try_from(reserve).unwrap_or(0);
            let new = Ring::new(version, reserve, &words)?;
            let timed = words.get(4..7).is_some_and(|rest| rest != [0; 3]);
            if way == Way::Send && version == Version::V3 && timed {
                return Err(EINVAL);
            }
            *ring = Some(new);
        }
        let received = self.receive.as_ref().map_or(0, Ring::len);
        if let Some(send) = &mut self.send {
            send.start = received;
        }
        let whole = received + self.send.as_ref().map_or(0, Ring::len);
        self.memory = (whole > 0).then(|| {
            let pages = PageCache::new(memory.clone(), None, None, whole as u64);
            Arc::new(pages)
        });
        Ok(())
    }

    /// True if there is one.
    pub(super) fn is_set(&self) -> bool {
        self.memory.is_some()
    }

    pub(super) fn sends(&self) -> bool {
        self.send.is_some()
    }

    pub(super) fn memory(&self) -> Option<Arc<PageCache>> {
        self.memory.clone()
    }

    /// Puts a frame, of which the socket sees what is behind `start`, into its ring.
    pub(super) fn put(&mut self, kind: Kind, frame: &Frame, start: usize, lost: bool) -> Put {
        let (Some(memory), Some(ring)) = (&self.memory, &mut self.receive) else {
            return Put::NoRing;
        };
        let words = Words(memory);
        let data = frame.bytes.get(start..).unwrap_or_default();
        let mut status = if frame.open { USER | OPEN } else { USER };
        if lost {
            status |= LOSING;
        }
        match ring.version {
            Version::V1 | Version::V2 => ring.put_place(&words, kind, frame, data, status),
            Version::V3 => ring.put_block(&words, kind, frame, data, status),
        }
    }

    /// True if the program has something to look at.
    pub(super) fn is_readable(&mut self) -> bool {
        let (Some(memory), Some(ring)) = (&self.memory, &mut self.receive) else {
            return false;
        };
        let words = Words(memory);
        if ring.version == Version::V3 && ring.hand_over(&words) {
            return true;
        }
        ring.before(&words).is_some_and(|status| status != KERNEL)
    }

    /// Takes the next frame that is to be sent; its place is the program's again once
    /// [`Rings::sent`] says so.
    pub(super) fn next_to_send(&mut self) -> Option<(usize, Vec<u8>)> {
        let (Some(memory), Some(ring)) = (&self.memory, &self.send) else {
            return None;
        };
        let words = Words(memory);
        let place = ring.place(ring.next);
        let (status, len, offset) = match ring.version {
            Version::V1 => (0, 8, 32),
            Version::V2 => (0, 4, 32),
            Version::V3 => (20, 16, 48),
        };
        if words.get(place + status)? & SEND_REQUEST == 0 {
            return None;
        }
        let len = usize::try_from(words.get(place + len)?).ok()?;
        let len = len.min(ring.frame - offset);
        let mut data = vec![0; len];
        let at = (place + offset) as u64;
        memory.read(&mut Sink::kernel(&mut data), at).ok()?;
        Some((place + status, data))
    }

    /// The frame of a place was sent, or was none that could be.
    pub(super) fn sent(&mut self, status: usize, good: bool) {
        if let (Some(memory), Some(ring)) = (&self.memory, &mut self.send) {
            let word = if good { KERNEL } else { WRONG_FORMAT };
            Words(memory).put(status, &word.to_ne_bytes());
            if good {
                ring.next = (ring.next + 1) % ring.places();
            }
        }
    }
}

impl Ring {
    fn put_place(
        &mut self,
        words: &Words<'_>,
        kind: Kind,
        frame: &Frame,
        data: &[u8],
        status: u32,
    ) -> Put {
        let place = self.place(self.next);
        if words.get(place) != Some(KERNEL) {
            return Put::Lost;
        }
        let (net, mac) = self.offsets(kind);
        let kept = data.len().min(self.frame.saturating_sub(mac));
        let head = self.head(frame, kept, (net, mac), status);
        let data = data.get(..kept).unwrap_or_default();
        let (first, rest) = head.split_at(head.len().min(4));
        // Whose it is comes last.
        let whole =
            words.put(place + mac, data) && words.put(place + 4, rest) && words.put(place, first);
        if !whole {
            return Put::Lost;
        }
        self.next = (self.next + 1) % self.places();
        Put::Told
    }

    fn put_block(
        &mut self,
        words: &Words<'_>,
        kind: Kind,
        frame: &Frame,
        data: &[u8],
        status: u32,
    ) -> Put {
        let (net, mac) = self.offsets(kind);
        let first = BLOCK_HEAD + self.private;
        let kept = data.len().min(self.block.saturating_sub(first + mac));
        let size = up(mac + kept, IN_BLOCK);
        if self
            .open
            .as_ref()
            .is_some_and(|block| block.end + size > self.block)
        {
            self.close(words, 0);
        }
        let at = self.start + self.next * self.block;
        if self.open.is_none() {
            if words.get(at + 8) != Some(KERNEL) {
                return Put::Lost;
            }
            self.begun += 1;
            self.open = Some(Block {
                end: first,
                last: first,
                frames: 0,
            });
        }
        let head = self.head(frame, kept, (net, mac), status);
        let data = data.get(..kept).unwrap_or_default();
        let Some(block) = &mut self.open else {
            return Put::Lost;
        };
        let place = at + block.end;
        if !(words.put(place + mac, data) && words.put(place, &head)) {
            return Put::Lost;
        }
        if block.frames > 0 {
            let step = u32::try_from(block.end - block.last).unwrap_or(0);
            words.put(at + block.last, &step.to_ne_bytes());
        }
        (block.last, block.end) = (block.end, block.end + size);
        block.frames += 1;
        if self.hand_over(words) {
            Put::Told
        } else {
            Put::Kept
        }
    }

    /// Gives the open block to the program if that has given the one before back.
    fn hand_over(&mut self, words: &Words<'_>) -> bool {
        if self.open.is_none() || self.before(words) != Some(KERNEL) {
            return false;
        }
        self.close(words, EARLY);
        true
    }

    /// Whose the last place or block before the next one is.
    fn before(&self, words: &Words<'_>) -> Option<u32> {
        let last = |all: usize| (self.next + all - 1) % all;
        match self.version {
            Version::V1 | Version::V2 => words.get(self.place(last(self.places()))),
            Version::V3 => words.get(self.start + last(self.blocks) * self.block + 8),
        }
    }

    fn close(&mut self, words: &Words<'_>, why: u32) {
        let Some(block) = self.open.take() else {
            return;
        };
        let at = self.start + self.next * self.block;
        let first = BLOCK_HEAD + self.private;
        let number = |bytes: usize| u32::try_from(bytes).unwrap_or(0);
        let time = |place: usize| {
            let seconds = words.get(at + place + 4).unwrap_or(0);
            (seconds, words.get(at + place + 8).unwrap_or(0))
        };
        let (begin, end) = (time(first), time(block.last));
        let mut head = Vec::with_capacity(BLOCK_HEAD);
        let version = 2;
        for word in [version, number(BLOCK_HEAD), USER | why, block.frames] {
            head.extend_from_slice(&u32::to_ne_bytes(word));
        }
        for word in [number(first), number(block.end)] {
            head.extend_from_slice(&word.to_ne_bytes());
        }
        head.extend_from_slice(&self.begun.to_ne_bytes());
        for word in [begin.0, begin.1, end.0, end.1] {
            head.extend_from_slice(&word.to_ne_bytes());
        }
        let (whose, rest) = (head.get(8..12), head.get(12..));
        words.put(at, head.get(..8).unwrap_or_default());
        words.put(at + 12, rest.unwrap_or_default());
        words.put(at + 8, whose.unwrap_or_default());
        self.next = (self.next + 1) % self.blocks;
    }
}
