//! SOL_SOCKET options as a socket keeps them, socket(7).

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use syscalls::Errno;
use syscalls::abi::net::{SO_PASSCRED, SO_PASSPIDFD, SO_PEEK_OFF};
use syscalls::errno::ENOENT;

use super::filter::Filter;
use crate::sync::{Level, Mutex, Slot};

/// What Linux gives a new socket (net.core.rmem_default).
const DEFAULT_BUFFER: i32 = 212_992;
/// The most that a program gets without privilege (net.core.rmem_max), before doubling.
const MAX_BUFFER: u32 = 4_194_304;
/// The largest window of TCP (net.ipv4.tcp_rmem).
const MAX_WINDOW: i32 = 33_554_432;
/// The least that SO_SNDBUF gives, after doubling.
const MIN_SEND: i32 = 4608;
/// The least that SO_RCVBUF gives, after doubling.
const MIN_RECEIVE: i32 = 2304;
/// Bits of `locked`, SO_BUF_LOCK.
const SEND_LOCKED: i32 = 1;
const RECEIVE_LOCKED: i32 = 2;

/// Which buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffer {
    /// SO_SNDBUF.
    Send,
    /// SO_RCVBUF.
    Receive,
}

/// Settings of a socket.
pub struct Options {
    /// SO_SNDBUF, doubled as Linux does.
    pub send_buffer: AtomicI32,
    /// SO_RCVBUF, doubled as Linux does.
    pub receive_buffer: AtomicI32,
    /// Which buffers the program chose, SO_BUF_LOCK.
    pub locked: AtomicI32,
    /// SO_SNDTIMEO, nanoseconds; 0: none.
    pub send_timeout: AtomicU64,
    /// SO_RCVTIMEO, nanoseconds; 0: none.
    pub receive_timeout: AtomicU64,
    /// SO_BINDTODEVICE: an interface's number, 0 for all.
    pub device: AtomicU32,
    /// Numbers that are kept and told, by option.
    pub kept: Mutex<Vec<(i32, i32)>>,
    /// SO_LINGER: on, seconds.
    pub linger: Mutex<(i32, i32)>,
    /// SIOCGSTAMP: when the last message came, nanoseconds; negative for never. `None` until
    /// somebody asked.
    pub(super) stamp: Mutex<Option<i128>>,
    /// SO_ATTACH_FILTER.
    pub(super) filter: Slot<Option<Arc<Filter>>>,
    /// SO_COOKIE, 0 until asked for.
    cookie: AtomicU64,
}

impl Default for Options {
    fn default() -> Self {
        Self::with_buffers(DEFAULT_BUFFER, DEFAULT_BUFFER)
    }
}

fn timeout(ns: &AtomicU64) -> Option<Duration> {
    Some(ns.load(Ordering::Relaxed))
        .filter(|&ns| ns > 0)
        .map(Duration::from_nanos)
}

impl Options {
    /// As a new socket has them whose buffers are so large.
    #[must_use]
    pub fn with_buffers(send: i32, receive: i32) -> Self {
        Options {
            send_buffer: AtomicI32::new(send),
            receive_buffer: AtomicI32::new(receive),
            locked: AtomicI32::new(0),
            send_timeout: AtomicU64::new(0),
            receive_timeout: AtomicU64::new(0),
            device: AtomicU32::new(0),
            kept: Mutex::new(Level::Leaf, Vec::new()),
            linger: Mutex::new(Level::Leaf, (0, 0)),
            stamp: Mutex::new(Level::Leaf, None),
            filter: Slot::new(Level::Leaf, None),
            cookie: AtomicU64::new(0),
        }
    }

    /// What an accepted socket has of its listener's.
    #[must_use]
    pub fn inherit(&self) -> Self {
        let copy = |number: &AtomicI32| AtomicI32::new(number.load(Ordering::Relaxed));
        let time = |number: &AtomicU64| AtomicU64::new(number.load(Ordering::Relaxed));
        let kept = self.kept.lock().clone();
        let linger = *self.linger.lock();
        Options {
            send_buffer: copy(&self.send_buffer),
            receive_buffer: copy(&self.receive_buffer),
            locked: copy(&self.locked),
            send_timeout: time(&self.send_timeout),
            receive_timeout: time(&self.receive_timeout),
            device: AtomicU32::new(self.device()),
            kept: Mutex::new(Level::Leaf, kept),
            linger: Mutex::new(Level::Leaf, linger),
            stamp: Mutex::new(Level::Leaf, None),
            filter: Slot::new(Level::Leaf, self.filter.get()),
            cookie: AtomicU64::new(0),
        }
    }

    /// SO_SNDBUF and SO_RCVBUF: doubled, within bounds that `forced` lifts.
    pub fn set_buffer(&self, which: Buffer, asked: i32, forced: bool) {
        const MOST: i32 = i32::MAX / 2;
        // Without privilege, a negative number is a very large one.
        let asked = if forced {
            asked.clamp(0, MOST)
        } else {
            i32::try_from(asked.cast_unsigned().min(MAX_BUFFER)).unwrap_or(MOST)
        };
        let doubled = asked * 2;
        let (buffer, least, lock) = match which {
            Buffer::Send => (&self.send_buffer, MIN_SEND, SEND_LOCKED),
            Buffer::Receive => (&self.receive_buffer, MIN_RECEIVE, RECEIVE_LOCKED),
        };
        buffer.store(doubled.max(least), Ordering::Relaxed);
        self.locked.fetch_or(lock, Ordering::Relaxed);
    }

    /// True if the program chose SO_SNDBUF.
    pub fn send_is_set(&self) -> bool {
        self.locked.load(Ordering::Relaxed) & SEND_LOCKED != 0
    }

    /// True if the program chose SO_RCVBUF.
    pub fn receive_is_set(&self) -> bool {
        self.locked.load(Ordering::Relaxed) & RECEIVE_LOCKED != 0
    }

    /// How long a send waits at most.
    pub fn send_timeout(&self) -> Option<Duration> {
        timeout(&self.send_timeout)
    }

    /// How long a receive waits at most.
    pub fn receive_timeout(&self) -> Option<Duration> {
        timeout(&self.receive_timeout)
    }

    /// SO_LINGER: how long close(2) waits at most; zero if the connection is to be reset,
    /// `None` if it is off.
    pub(super) fn lingers(&self) -> Option<Duration> {
        let (on, seconds) = *self.linger.lock();
        // A negative number is a very large one.
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        (on != 0).then_some(Duration::from_secs(seconds))
    }

    /// SO_PASSCRED.
    pub fn passes_credentials(&self) -> bool {
        self.kept(SO_PASSCRED) != 0
    }

    /// SO_BINDTODEVICE: an interface's number, 0 for all.
    pub fn device(&self) -> u32 {
        self.device.load(Ordering::Relaxed)
    }

    /// Bytes that may wait to be received by the peer.
    pub fn send_limit(&self) -> usize {
        usize::try_from(self.send_buffer.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Bytes that may wait to be received here.
    pub fn receive_limit(&self) -> usize {
        usize::try_from(self.receive_buffer.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// The most that SO_RCVLOWAT of TCP waits for.
    pub(super) fn half_window(&self) -> i32 {
        if self.receive_is_set() {
            self.receive_buffer.load(Ordering::Relaxed) / 2
        } else {
            MAX_WINDOW / 2
        }
    }

    /// SO_MEMINFO, of a socket in which so many bytes wait.
    pub(super) fn memory(&self, waiting: usize) -> Vec<u8> {
        let mut words = [0_u32; 9];
        let size = |number: &AtomicI32| number.load(Ordering::Relaxed).cast_unsigned();
        [words[0], words[1], words[3]] = [
            u32::try_from(waiting).unwrap_or(u32::MAX),
            size(&self.receive_buffer),
            size(&self.send_buffer),
        ];
        words.map(u32::to_ne_bytes).concat()
    }

    /// SO_COOKIE: a number that no other socket has.
    pub fn cookie(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
        let old = self
            .cookie
            .compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed);
        old.err().unwrap_or(fresh)
    }

    /// SO_PEEK_OFF: where MSG_PEEK begins; `None` for the front, always.
    pub(super) fn peek_offset(&self) -> Option<usize> {
        usize::try_from(self.kept_or(SO_PEEK_OFF, -1)).ok()
    }

    /// So many bytes were looked at.
    pub(super) fn peeked(&self, count: usize) {
        if let Some(offset) = self.peek_offset() {
            let moved = i32::try_from(offset.saturating_add(count)).unwrap_or(i32::MAX);
            self.keep(SO_PEEK_OFF, moved);
        }
    }

    /// So many bytes were taken.
    pub(super) fn taken(&self, count: usize) {
        if let Some(offset) = self.peek_offset().filter(|&offset| offset > 0) {
            let left = i32::try_from(offset.saturating_sub(count)).unwrap_or(0);
            self.keep(SO_PEEK_OFF, left);
        }
    }

    /// SO_PASSCRED or SO_PASSPIDFD: it is told who sends.
    pub(super) fn wants_sender(&self) -> bool {
        self.passes_credentials() || self.kept(SO_PASSPIDFD) != 0
    }

    /// A message that came at `at` was received.
    pub(super) fn note_stamp(&self, at: i128) {
        if let Some(stamp) = &mut *self.stamp.lock() {
            *stamp = at;
        }
    }

    /// When the last message came; `ENOENT` if none has since the first question.
    pub(super) fn last_stamp(&self) -> Result<i128, Errno> {
        let mut stamp = self.stamp.lock();
        let last = *stamp.get_or_insert(-1);
        if last < 0 { Err(ENOENT) } else { Ok(last) }
    }

    /// A kept number; 0 unless set.
    pub fn kept(&self, name: i32) -> i32 {
        self.kept_or(name, 0)
    }

    /// A kept number; `default` unless set.
    pub fn kept_or(&self, name: i32, default: i32) -> i32 {
        self.kept
            .lock()
            .iter()
            .find(|(kept, _)| *kept == name)
            .map_or(default, |(_, value)| *value)
    }

    /// Keeps a number.
    pub fn keep(&self, name: i32, value: i32) {
        let mut kept = self.kept.lock();
        kept.retain(|(other, _)| *other != name);
        kept.push((name, value));
    }
}
