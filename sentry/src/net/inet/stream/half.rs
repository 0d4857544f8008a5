//! One direction of a connection: what was sent and not yet received.
//!
//! A socket has two of them, one that it writes and one that it reads, and never asks who
//! is at the other end: another socket of the sandbox, or the stack that talks to the
//! outside. Whoever writes tells the reader's queue and the other way round.
//!
//! Large pieces are copied outside the lock, so that both sides copy at once: the sender
//! reserves room, fills a chunk and hands it over; the receiver takes a chunk off, empties
//! it and puts the rest back. Receivers take turns.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use syscalls::Errno;
use syscalls::errno::{EAGAIN, ECONNRESET, EFAULT, EINVAL, EPIPE};

use super::chunk::{self, Chunk};
use crate::sync::{Level, Mutex};
use crate::time::now_monotonic;
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, WaitQueue};

/// See the module.
pub struct Half {
    state: Mutex<State>,
    /// Held by whoever takes bytes out.
    turn: Mutex<()>,
    /// Bytes that the reader's buffer takes, beyond those of the writer's.
    window: AtomicUsize,
    /// What the reader is to be told once, an errno; 0: nothing.
    error: AtomicI32,
    reader: WaitQueue,
    writer: WaitQueue,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// Bytes in `chunks`, and in one that a receiver has in its hands.
    len: usize,
    /// Bytes for which a sender has room and is still copying.
    reserved: usize,
    /// Bytes taken out so far.
    taken: u64,
    /// When the sender said that nothing follows, by the monotonic clock.
    fin: Option<u64>,
    /// The receiver closed its socket.
    reader_gone: bool,
    /// The connection was reset.
    dead: bool,
    /// Beyond the sandbox: the other side has all of it.
    acknowledged: bool,
    /// A sender found no room and waits to be told.
    starved: bool,
    /// The writer's limit when it last wrote.
    limit: usize,
    urgent: Option<Urgent>,
}

/// Urgent data: one byte, of the latest urgent send.
#[derive(Clone, Copy)]
struct Urgent {
    /// Its position among all bytes sent.
    at: u64,
    byte: u8,
    /// Already received by MSG_OOB.
    seen: bool,
}

/// Where urgent data goes, SO_OOBINLINE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrgentData {
    /// Only to who asks with MSG_OOB.
    Apart,
    /// Into the stream.
    Inline,
}

/// How a receive treats the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Moves them out.
    Consume,
    /// MSG_PEEK, after so many bytes.
    Peek(usize),
    /// MSG_TRUNC: drops them unseen.
    Discard,
}

/// Bytes up to which a copy is made under the lock.
const SMALL: usize = 4096;

impl Half {
    /// An empty direction whose receiver waits on `reader` and its sender on `writer`.
    #[must_use]
    pub fn new(reader: WaitQueue, writer: WaitQueue, window: usize) -> Self {
        Half {
            state: Mutex::new(Level::Socket, State::default()),
            turn: Mutex::new(Level::Turn, ()),
            window: AtomicUsize::new(window),
            error: AtomicI32::new(0),
            reader,
            writer,
        }
    }

    /// Changes what the receiver's buffer takes, bytes.
    pub fn set_window(&self, window: usize) {
        self.window.store(window, Ordering::Relaxed);
        self.writer.notify(Ready::WRITABLE);
    }

    fn limit(&self, send_buffer: usize) -> usize {
        send_buffer.saturating_add(self.window.load(Ordering::Relaxed))
    }

    /// Sends as much as there is room for: the sender's buffer and the window. `EAGAIN`
    /// without room, `EPIPE` on a connection that is over, `ECONNRESET` if the receiver
    /// closed its socket.
    pub fn write(&self, src: &mut Source<'_>, send_buffer: usize) -> Result<usize, Errno> {
        let limit = self.limit(send_buffer);
        let count = {
            let mut state = self.state.lock();
            if state.dead || state.fin.is_some() {
                return Err(EPIPE);
            }
            if state.reader_gone {
                return Err(ECONNRESET);
            }
            state.limit = limit;
            let want = src.remaining();
            if want == 0 {
                return Ok(0);
            }
            let room = limit.saturating_sub(state.len + state.reserved);
            if room == 0 {
                state.starved = true;
                return Err(EAGAIN);
            }
            let count = want.min(room);
            if count <= SMALL && state.reserved == 0 {
                Ok(state.append(src, count)?)
            } else {
                state.reserved += count;
                Err(count)
            }
        };
        let count = match count {
            Ok(count) => count,
            Err(reserved) => self.write_large(src, reserved)?,
        };
        self.reader.notify(Ready::READABLE);
        Ok(count)
    }

    /// Fills chunks without the lock; room for them is reserved.
    fn write_large(&self, src: &mut Source<'_>, reserved: usize) -> Result<usize, Errno> {
        let mut left = reserved;
        let mut done = 0;
        while left > 0 {
            let filled = Chunk::fill(src, left.min(chunk::SIZE));
            let mut state = self.state.lock();
            match filled {
                Ok(chunk) if !chunk.is_empty() => {
                    let count = chunk.len();
                    state.reserved = state.reserved.saturating_sub(count);
                    left = left.saturating_sub(count);
                    done += count;
                    if !state.dead {
                        state.len += count;
                        state.chunks.push_back(chunk);
                    }
                    drop(state);
                    if left > 0 {
                        self.reader.notify(Ready::READABLE);
                    }
                }
                failed => {
                    state.reserved = state.reserved.saturating_sub(left);
                    drop(state);
                    return match failed {
                        Err(error) if done == 0 => Err(error),
                        Ok(_) if done == 0 => Err(EFAULT),
                        _ => Ok(done),
                    };
                }
            }
        }
        Ok(done)
    }

    /// Sends urgent data, whose last byte is the urgent one.
    pub fn write_urgent(&self, src: &mut Source<'_>, send_buffer: usize) -> Result<usize, Errno> {
        let count = self.write(src, send_buffer)?;
        {
            let mut state = self.state.lock();
            if let Some(byte) = state.chunks.back().and_then(Chunk::last) {
                let at = (state.taken + state.len as u64).saturating_sub(1);
                state.urgent = Some(Urgent {
                    at,
                    byte,
                    seen: false,
                });
            }
        }
        self.reader.notify(Ready::PRI);
        Ok(count)
    }

    /// The urgent byte. `EINVAL` if there is none or it was received.
    pub fn read_urgent(&self, dst: &mut Sink<'_>, take: Take) -> Result<usize, Errno> {
        let mut state = self.state.lock();
        let urgent = state.urgent.as_mut().filter(|urgent| !urgent.seen);
        let urgent = urgent.ok_or(EINVAL)?;
        if take == Take::Consume {
            urgent.seen = true;
        }
        dst.write(&[urgent.byte])
    }

    /// Receives what there is. `EAGAIN` if something may still come; 0 at the end.
    pub fn read(&self, dst: &mut Sink<'_>, take: Take, urgent: UrgentData) -> Result<usize, Errno> {
        let turn = self.turn.lock();
        if dst.remaining() == 0 {
            // Nothing is asked for, and still something has to be there.
            let state = self.state.lock();
            return if state.len > 0 { Ok(0) } else { state.end() };
        }
        if let Take::Peek(skip) = take {
            return self.state.lock().peek(dst, skip);
        }
        let mut done = 0;
        let result = loop {
            if dst.remaining() == 0 {
                break Ok(done);
            }
            let (mut chunk, most) = {
                let mut state = self.state.lock();
                let most = state.pass_urgent(done > 0, urgent);
                if most == 0 && state.len > 0 {
                    break Ok(done);
                }
                let Some(chunk) = state.chunks.pop_front() else {
                    break if done > 0 { Ok(done) } else { state.end() };
                };
                (chunk, most)
            };
            let want = chunk.len().min(most);
            let moved = match take {
                Take::Discard => Ok(chunk.skip(want.min(dst.remaining()))),
                _ => chunk.drain(dst, want),
            };
            let count = *moved.as_ref().unwrap_or(&0);
            {
                let mut state = self.state.lock();
                state.len = state.len.saturating_sub(count);
                state.taken += count as u64;
                if !chunk.is_empty() {
                    state.chunks.push_front(chunk);
                }
            }
            done += count;
            match moved {
                Ok(count) if take == Take::Discard => dst.limit(dst.remaining() - count),
                Ok(count) if count < want => break Ok(done),
                Ok(_) => {}
                Err(_) if done > 0 => break Ok(done),
                Err(error) => break Err(error),
            }
        };
        drop(turn);
        if done > 0 {
            self.tell_writer();
        }
        result
    }

    /// Lets a sender that waits go on once a third of its buffer is free, as Linux does.
    fn tell_writer(&self) {
        let told = {
            let mut state = self.state.lock();
            let free = state.limit.saturating_sub(state.len);
            let told = state.starved && free * 2 >= state.len;
            state.starved &= !told;
            // Who has closed may wait for the rest to arrive.
            told || state.fin.is_some()
        };
        if told {
            self.writer.notify(Ready::WRITABLE);
        }
    }

    /// The sender sends no more.
    pub fn finish(&self) {
        {
            let mut state = self.state.lock();
            if state.fin.is_none() {
                state.fin = Some(now_monotonic());
            }
        }
        self.reader.notify(Ready::READABLE | Ready::RDHUP);
    }

    /// The receiver closed its socket; true if it left bytes unread.
    pub fn abandon(&self) -> bool {
        let (left, chunks) = {
            let mut state = self.state.lock();
            state.reader_gone = true;
            let left = state.len > 0;
            // They were sent, whatever becomes of them.
            state.taken += state.len as u64;
            state.len = 0;
            (left, std::mem::take(&mut state.chunks))
        };
        drop(chunks);
        self.writer.notify(Ready::WRITABLE);
        left
    }

    /// The connection is over at once; the reader is told why, unless `why` is `None`. Bytes
    /// that arrived before can still be read.
    pub fn reset(&self, why: Option<Errno>) {
        let first = {
            let mut state = self.state.lock();
            !std::mem::replace(&mut state.dead, true)
        };
        if let Some(why) = why.filter(|_| first) {
            self.error.store(i32::from(why.raw()), Ordering::Relaxed);
        }
        self.reader.notify(Ready::all());
        self.writer.notify(Ready::all());
    }

    /// What the reader is to be told, once.
    pub fn take_error(&self) -> Option<Errno> {
        if self.error.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let error = self.error.swap(0, Ordering::Relaxed);
        (error != 0).then(|| Errno::from_raw(error))
    }

    /// True if [`Self::take_error`] would give something.
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.error.load(Ordering::Relaxed) != 0
    }

    /// True once the connection was reset.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state.lock().dead
    }

    /// When the sender finished, by the monotonic clock.
    #[must_use]
    pub fn finished(&self) -> Option<u64> {
        self.state.lock().fin
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().len
    }

    /// Bytes that the receiver's buffer has no room for.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.len()
            .saturating_sub(self.window.load(Ordering::Relaxed))
    }

    /// True if nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The way out of the sandbox has heard that the other side has all of it, or will
    /// never hear.
    pub fn acknowledge(&self) {
        self.state.lock().acknowledged = true;
        self.writer.notify(Ready::WRITABLE);
    }

    /// True once the other side has what was sent, read or not, or never will.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        let window = self.window.load(Ordering::Relaxed);
        let state = self.state.lock();
        // The buffer of who is not in this sandbox is not this half's.
        let arrived = window > 0 && state.len + state.reserved <= window;
        arrived || state.acknowledged || state.reader_gone || state.dead
    }

    /// Bytes that were sent in all.
    #[must_use]
    pub fn sent(&self) -> u64 {
        let state = self.state.lock();
        state.taken + state.len as u64
    }

    /// Bytes up to the urgent byte, if that is ahead.
    #[must_use]
    pub fn before_urgent(&self) -> Option<usize> {
        let state = self.state.lock();
        let urgent = state.urgent?;
        let ahead = urgent.at.checked_sub(state.taken)?;
        usize::try_from(ahead).ok()
    }

    /// True if an urgent byte can be received by MSG_OOB.
    #[must_use]
    pub fn has_urgent(&self) -> bool {
        self.state.lock().urgent.is_some_and(|urgent| !urgent.seen)
    }

    /// True if `least` bytes wait, or the end.
    #[must_use]
    pub fn is_readable(&self, least: usize) -> bool {
        let state = self.state.lock();
        (state.len > 0 && state.len >= least) || state.fin.is_some() || state.dead
    }

    /// True if a sender is told to write: a third of its buffer is free.
    #[must_use]
    pub fn is_writable(&self, send_buffer: usize) -> bool {
        let limit = self.limit(send_buffer);
        let mut state = self.state.lock();
        let free = limit.saturating_sub(state.len + state.reserved);
        let writable = free > 0 && free * 2 >= state.len;
        if !writable {
            state.limit = limit;
            state.starved = true;
        }
        writable || state.dead || state.reader_gone
    }
}

impl State {
    /// Copies a little under the lock.
    fn append(&mut self, src: &mut Source<'_>, count: usize) -> Result<usize, Errno> {
        let appended = match self.chunks.back_mut().filter(|last| last.takes(count)) {
            Some(last) => last.append(src, count)?,
            None => {
                let chunk = Chunk::fill(src, count)?;
                let count = chunk.len();
                self.chunks.push_back(chunk);
                count
            }
        };
        self.len += appended;
        if appended == 0 {
            Err(EFAULT)
        } else {
            Ok(appended)
        }
    }

    /// How many bytes may be taken at once, so that a receive stops before an urgent byte;
    /// that itself is dropped unless it goes with the stream.
    fn pass_urgent(&mut self, some: bool, data: UrgentData) -> usize {
        let Some(ahead) = self.urgent.and_then(|u| u.at.checked_sub(self.taken)) else {
            return usize::MAX;
        };
        if ahead > 0 {
            return usize::try_from(ahead).unwrap_or(usize::MAX);
        }
        if some {
            return 0;
        }
        if data == UrgentData::Apart
            && let Some(chunk) = self.chunks.front_mut()
        {
            self.len -= chunk.skip(1).min(self.len);
            self.taken += 1;
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
        usize::MAX
    }

    fn peek(&self, dst: &mut Sink<'_>, mut skip: usize) -> Result<usize, Errno> {
        let mut done = 0;
        for chunk in &self.chunks {
            let bytes = chunk.bytes();
            let passed = skip.min(bytes.len());
            skip -= passed;
            let rest = bytes.get(passed..).unwrap_or_default();
            match dst.write(rest) {
                Ok(count) => done += count,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            if dst.remaining() == 0 {
                break;
            }
        }
        if done > 0 || dst.remaining() == 0 {
            Ok(done)
        } else {
            self.end()
        }
    }

    /// What a receive gives when nothing waits.
    fn end(&self) -> Result<usize, Errno> {
        if self.fin.is_some() || self.dead {
            Ok(0)
        } else {
            Err(EAGAIN)
        }
    }
}

#[cfg(test)]
mod tests {
    use syscalls::errno::EAGAIN;

    use super::{Half, Take, UrgentData};
    use crate::vfs::{Sink, Source};
    use crate::wait::WaitQueue;

    fn half() -> Half {
        Half::new(WaitQueue::new(), WaitQueue::new(), 1000)
    }

    fn read(half: &Half, len: usize, take: Take) -> Result<Vec<u8>, syscalls::Errno> {
        let mut buffer = vec![0; len];
        let count = half.read(&mut Sink::kernel(&mut buffer), take, UrgentData::Apart)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    #[test]
    fn bytes_come_out_in_order_and_room_is_bounded() {
        let half = half();
        let data: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        let mut source = Source::kernel(&data);
        assert_eq!(half.write(&mut source, 9_000), Ok(10_000));
        assert_eq!(half.write(&mut source, 9_000), Err(EAGAIN));
        assert!(!half.is_writable(9_000));
        assert_eq!(read(&half, 4, Take::Peek(3)), Ok(vec![3, 4, 5, 6]));
        assert_eq!(read(&half, 3000, Take::Discard).map(|v| v.len()), Ok(3000));
        let rest = read(&half, 20_000, Take::Consume);
        assert_eq!(rest.as_deref(), Ok(&data[3000..10_000]));
        assert_eq!(read(&half, 1, Take::Consume), Err(EAGAIN));
        assert_eq!(half.write(&mut source, 9_000), Ok(10_000));
        half.finish();
        let rest = read(&half, 20_000, Take::Consume);
        assert_eq!(rest.as_deref(), Ok(&data[10_000..]));
        assert_eq!(read(&half, 1, Take::Consume), Ok(vec![]));
    }

    #[test]
    fn urgent_data_stands_apart() {
        let half = half();
        half.write(&mut Source::kernel(b"ab"), 9).expect("room");
        half.write_urgent(&mut Source::kernel(b"cX"), 9)
            .expect("room");
        half.write(&mut Source::kernel(b"de"), 9).expect("room");
        assert_eq!(half.before_urgent(), Some(3));
        assert_eq!(read(&half, 9, Take::Consume), Ok(b"abc".to_vec()));
        assert_eq!(half.before_urgent(), Some(0));
        let mut byte = [0];
        let got = half.read_urgent(&mut Sink::kernel(&mut byte), Take::Consume);
        assert_eq!((got, byte), (Ok(1), *b"X"));
        assert!(!half.has_urgent());
        assert_eq!(read(&half, 9, Take::Consume), Ok(b"de".to_vec()));
    }
}
