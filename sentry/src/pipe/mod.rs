//! Pipes and FIFOs, pipe(7) and fifo(7).

mod calls;
mod fifo;
mod file;
mod ring;

use syscalls::Errno;
use syscalls::errno::{EAGAIN, EBUSY, EINVAL, EPERM, EPIPE};

pub(crate) use self::ring::Ring;
use crate::sync::{Level, Mutex};
use crate::vfs::{OpenMode, Sink, Source};
use crate::wait::{Ready, WaitQueue};

pub use fifo::open_fifo;
pub use file::PipeEnd;

/// Writes of at most this many bytes are atomic (PIPE_BUF).
pub const ATOMIC: usize = 4096;
/// Bytes a new pipe holds.
const DEFAULT_CAPACITY: usize = 65536;
/// The most that F_SETPIPE_SZ gives without CAP_SYS_RESOURCE.
pub const MAX_UNPRIVILEGED: usize = 1 << 20;
/// The most at all, as Linux bounds it by the pages of one allocation.
const MAX_CAPACITY: usize = 1 << 31;

/// What both ends share.
pub struct Pipe {
    state: Mutex<State>,
    queue: WaitQueue,
}

struct State {
    ring: Ring,
    capacity: usize,
    readers: u32,
    writers: u32,
    /// Ends ever opened, so that opening a FIFO can wait for a peer that came and went.
    readers_ever: u64,
    writers_ever: u64,
    /// Lengths of packets (O_DIRECT), front first; bytes of a stream count as none.
    packets: std::collections::VecDeque<usize>,
}

/// Which end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// read(2).
    Read,
    /// write(2).
    Write,
    /// Both: a FIFO opened O_RDWR.
    Both,
}

impl End {
    /// What a FIFO opened in `mode` is; access mode 3 opens neither end.
    pub(crate) fn of(mode: OpenMode) -> Option<Self> {
        match (mode.reads(), mode.writes()) {
            (true, true) => Some(End::Both),
            (true, false) => Some(End::Read),
            (false, true) => Some(End::Write),
            (false, false) => None,
        }
    }

    fn reads(self) -> bool {
        self != End::Write
    }

    fn writes(self) -> bool {
        self != End::Read
    }
}

/// Whether each write stays a packet of its own (O_DIRECT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Stream,
    Packets,
}

impl Default for Pipe {
    fn default() -> Self {
        let state = State {
            ring: Ring::default(),
            capacity: DEFAULT_CAPACITY,
            readers: 0,
            writers: 0,
            readers_ever: 0,
            writers_ever: 0,
            packets: std::collections::VecDeque::new(),
        };
        Pipe {
            state: Mutex::new(Level::Pipe, state),
            queue: WaitQueue::new(),
        }
    }
}

/// What somebody who opens an end finds at the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Peers {
    present: bool,
    /// How often it was opened.
    ever: u64,
}

impl State {
    fn peers(&self, end: End) -> Peers {
        let (count, ever) = if end == End::Read {
            (self.writers, self.writers_ever)
        } else {
            (self.readers, self.readers_ever)
        };
        Peers {
            present: count > 0,
            ever,
        }
    }
}

impl Pipe {
    /// Also tells whom the opener met, in the same moment: a peer that waited for just this
    /// may be gone in the next.
    fn open(&self, end: End) -> Peers {
        let met = {
            let mut state = self.state.lock();
            let met = state.peers(end);
            if end.reads() {
                state.readers += 1;
                state.readers_ever += 1;
            }
            if end.writes() {
                state.writers += 1;
                state.writers_ever += 1;
            }
            met
        };
        self.queue.notify(Ready::all());
        met
    }

    fn close(&self, end: End) {
        {
            let mut state = self.state.lock();
            state.readers -= u32::from(end.reads()).min(state.readers);
            state.writers -= u32::from(end.writes()).min(state.writers);
            if state.readers == 0 && state.writers == 0 {
                // A FIFO forgets what nobody read.
                state.ring = Ring::default();
                state.packets.clear();
            }
        }
        self.queue.notify(Ready::all());
    }

    /// Takes bytes; 0 at the end; `EAGAIN` if a writer may still come with some.
    fn read(&self, dst: &mut Sink<'_>) -> Result<usize, Errno> {
        if dst.remaining() == 0 {
            return Ok(0);
        }
        let count = {
            let mut state = self.state.lock();
            let State {
                ring,
                packets,
                writers,
                ..
            } = &mut *state;
            if ring.len() == 0 {
                return if *writers == 0 { Ok(0) } else { Err(EAGAIN) };
            }
            match packets.front().copied() {
                Some(packet) => {
                    let count = ring.read(dst, packet)?;
                    // What did not fit is lost, pipe(7).
                    ring.skip(packet - count);
                    packets.pop_front();
                    count
                }
                None => ring.read(dst, usize::MAX)?,
            }
        };
        self.queue.notify(Ready::WRITABLE);
        Ok(count)
    }

    /// Puts bytes in, as many as fit; at most [`ATOMIC`] bytes go in whole or not at all.
    /// `EAGAIN` without room, `EPIPE` without readers.
    fn write(&self, src: &mut Source<'_>, framing: Framing) -> Result<usize, Errno> {
        let want = src.remaining();
        if want == 0 {
            return Ok(0);
        }
        let count = {
            let mut state = self.state.lock();
            if state.readers == 0 {
                return Err(EPIPE);
            }
            let room = state.capacity.saturating_sub(state.ring.len());
            let mixed = framing == Framing::Stream && !state.packets.is_empty();
            if room == 0 || mixed || (want <= ATOMIC && room < want) {
                return Err(EAGAIN);
            }
            match framing {
                Framing::Stream => state.ring.write(src, room)?,
                Framing::Packets if room < ATOMIC.min(want) => return Err(EAGAIN),
                Framing::Packets => {
                    let count = state.ring.write(src, ATOMIC.min(room))?;
                    state.packets.push_back(count);
                    count
                }
            }
        };
        self.queue.notify(Ready::READABLE);
        Ok(count)
    }

    fn poll(&self, end: End) -> Ready {
        let state = self.state.lock();
        let mut ready = Ready::empty();
        if end.reads() {
            if state.ring.len() > 0 {
                ready |= Ready::READABLE;
            }
            if state.writers == 0 && state.writers_ever > 0 {
                ready |= Ready::HUP;
            }
        }
        if end.writes() {
            if state.capacity.saturating_sub(state.ring.len()) >= ATOMIC.min(state.capacity) {
                ready |= Ready::WRITABLE;
            }
            if state.readers == 0 {
                ready |= Ready::ERR;
            }
        }
        ready
    }

    /// Bytes to read (FIONREAD).
    pub fn len(&self) -> usize {
        self.state.lock().ring.len()
    }

    /// True if there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// F_GETPIPE_SZ.
    pub fn capacity(&self) -> usize {
        self.state.lock().capacity
    }

    /// F_SETPIPE_SZ: rounds up to a power of two of pages; returns the capacity. `EBUSY`
    /// if what is in it would not fit, `EPERM` above `limit`.
    pub fn set_capacity(&self, bytes: usize, limit: usize) -> Result<usize, Errno> {
        if bytes > MAX_CAPACITY {
            return Err(EINVAL);
        }
        let capacity = bytes.max(4096).next_power_of_two();
        let mut state = self.state.lock();
        if capacity > limit && capacity > state.capacity {
            return Err(EPERM);
        }
        if capacity < state.ring.len() {
            return Err(EBUSY);
        }
        state.capacity = capacity;
        drop(state);
        self.queue.notify(Ready::WRITABLE);
        Ok(capacity)
    }

    /// Bytes that fit now; all the same to a pipe that nobody reads, so that the write
    /// finds out.
    pub(crate) fn room(&self) -> usize {
        let state = self.state.lock();
        if state.readers == 0 {
            ATOMIC
        } else {
            state.capacity.saturating_sub(state.ring.len())
        }
    }

    /// Puts back at the front what was just read.
    pub(crate) fn unread(&self, bytes: &[u8]) {
        self.state.lock().ring.unread(bytes);
        self.queue.notify(Ready::READABLE);
    }

    /// tee(2): the first `len` bytes without taking them.
    pub(crate) fn peek(&self, len: usize) -> Result<Vec<u8>, Errno> {
        let state = self.state.lock();
        if state.ring.len() == 0 {
            return if state.writers == 0 {
                Ok(Vec::new())
            } else {
                Err(EAGAIN)
            };
        }
        Ok(state.ring.peek(len))
    }
}
