//! What was sent to a socket and not yet received.

use std::collections::VecDeque;

use syscalls::Errno;
use syscalls::abi::net::MessageFlags;
use syscalls::errno::{EAGAIN, EMSGSIZE, EPIPE};

use super::super::control::Identity;
use super::super::{Address, Control, Received};
use crate::pipe::Ring;
use crate::sync::{Level, Mutex};
use crate::vfs::{Sink, Source};
use crate::wait::WaitQueue;

/// One message, or a stretch of a stream whose bytes came with the same ancillary data.
struct Parcel {
    len: usize,
    from: Option<Address>,
    control: Control,
}

/// See the module.
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Where senders wait for room, in addition to their own queues.
    pub(super) room: WaitQueue,
}

#[derive(Default)]
struct State {
    bytes: Ring,
    parcels: VecDeque<Parcel>,
    /// Nobody sends any more.
    ended: bool,
    /// Nobody receives any more.
    refused: bool,
}

/// Messages that wait at most in a datagram socket (net.unix.max_dgram_qlen).
const MAX_MESSAGES: usize = 512;

impl Default for Inbox {
    fn default() -> Self {
        Inbox {
            state: Mutex::new(Level::Socket, State::default()),
            room: WaitQueue::new(),
        }
    }
}

/// What goes with data that is put in.
pub(super) struct Label {
    pub(super) from: Option<Address>,
    pub(super) control: Control,
}

impl Inbox {
    /// Appends to a stream as much as fits below `limit`.
    pub(super) fn put_stream(
        &self,
        src: &mut Source<'_>,
        limit: usize,
        label: Label,
    ) -> Result<usize, Errno> {
        let mut state = self.state.lock();
        if state.refused {
            return Err(EPIPE);
        }
        if src.remaining() == 0 {
            return Ok(0);
        }
        let room = limit.saturating_sub(state.bytes.len());
        if room == 0 {
            return Err(EAGAIN);
        }
        let count = state.bytes.write(src, room)?;
        // Bytes from the same sender without descriptors join what is there.
        let same = |a: &Option<Identity>, b: &Option<Identity>| match (a, b) {
            (Some(a), Some(b)) => a.is_same(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        match state.parcels.back_mut() {
            Some(last)
                if label.control.files.is_empty()
                    && last.control.files.is_empty()
                    && same(&last.control.credentials, &label.control.credentials) =>
            {
                last.len += count;
            }
            _ => state.parcels.push_back(Parcel {
                len: count,
                from: label.from,
                control: label.control,
            }),
        }
        Ok(count)
    }

    /// Puts one message in, whole; `EMSGSIZE` if it is larger than `limit`.
    pub(super) fn put_message(
        &self,
        src: &mut Source<'_>,
        limit: usize,
        label: Label,
    ) -> Result<usize, Errno> {
        let len = src.remaining();
        if len > limit {
            return Err(EMSGSIZE);
        }
        let mut state = self.state.lock();
        if state.refused {
            return Err(EPIPE);
        }
        let full = !state.parcels.is_empty() && state.bytes.len() + len > limit;
        if full || state.parcels.len() >= MAX_MESSAGES {
            return Err(EAGAIN);
        }
        let before = state.bytes.len();
        let count = state.bytes.write(src, len)?;
        if count < len {
            // The sender's buffer ended in a fault: no part of a message counts.
            state.bytes.truncate(before);
            return Err(syscalls::errno::EFAULT);
        }
        state.parcels.push_back(Parcel {
            len,
            from: label.from,
            control: label.control,
        });
        Ok(len)
    }

    /// Takes from a stream; bytes with different ancillary data never come together.
    pub(super) fn take_stream(
        &self,
        dst: &mut Sink<'_>,
        flags: MessageFlags,
    ) -> Result<Received, Errno> {
        let peek = flags.contains(MessageFlags::PEEK);
        let mut state = self.state.lock();
        let State {
            bytes,
            parcels,
            ended,
            refused,
        } = &mut *state;
        let Some(first) = parcels.front_mut() else {
            return if *ended || *refused {
                Ok(Received::default())
            } else {
                Err(EAGAIN)
            };
        };
        if dst.remaining() == 0 {
            return Ok(Received::default());
        }
        let want = first.len.min(dst.remaining());
        if peek {
            let count = dst.write(&bytes.peek(want))?;
            let control = first.control.clone();
            return Ok(Received {
                count,
                whole: count,
                from: first.from.clone(),
                control,
                ..Received::default()
            });
        }
        let count = bytes.read(dst, want)?;
        first.len -= count;
        let control = Control {
            files: std::mem::take(&mut first.control.files),
            credentials: first.control.credentials.clone(),
            ..Control::default()
        };
        let from = first.from.clone();
        if first.len == 0 {
            parcels.pop_front();
        }
        Ok(Received {
            count,
            whole: count,
            from,
            control,
            ..Received::default()
        })
    }

    /// Takes one message; what does not fit is lost.
    pub(super) fn take_message(
        &self,
        dst: &mut Sink<'_>,
        flags: MessageFlags,
    ) -> Result<Received, Errno> {
        let mut state = self.state.lock();
        let State {
            bytes,
            parcels,
            ended,
            refused,
        } = &mut *state;
        let Some(first) = parcels.front() else {
            return if *ended || *refused {
                Ok(Received::default())
            } else {
                Err(EAGAIN)
            };
        };
        let whole = first.len;
        let data = bytes.peek(whole);
        let count = dst.write(data.get(..whole.min(dst.remaining())).unwrap_or(&data))?;
        let (from, control) = (first.from.clone(), first.control.clone());
        if !flags.contains(MessageFlags::PEEK) {
            bytes.skip(whole);
            parcels.pop_front();
        }
        Ok(Received {
            count,
            whole,
            from,
            control,
            ..Received::default()
        })
    }

    /// Bytes that wait; of the first message only for `messages`.
    pub(super) fn waiting(&self, messages: bool) -> usize {
        let state = self.state.lock();
        if messages {
            state.parcels.front().map_or(0, |first| first.len)
        } else {
            state.bytes.len()
        }
    }

    /// True if a read would find something, the end included.
    pub(super) fn is_readable(&self) -> bool {
        let state = self.state.lock();
        !state.parcels.is_empty() || state.ended || state.refused
    }

    /// True if a sender finds room.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        let state = self.state.lock();
        state.refused || (state.bytes.len() * 2 <= limit && state.parcels.len() < MAX_MESSAGES)
    }

    /// No more is sent.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
    }

    /// True once nobody sends any more.
    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// No more is received; what waits is dropped.
    pub(super) fn refuse(&self, forget: bool) {
        let dropped = {
            let mut state = self.state.lock();
            state.refused = true;
            if !forget {
                return;
            }
            state.bytes = Ring::default();
            std::mem::take(&mut state.parcels)
        };
        // Files among it are closed without the lock.
        drop(dropped);
    }

    /// True once nobody receives any more.
    pub(super) fn is_refused(&self) -> bool {
        self.state.lock().refused
    }
}
