//! What was sent to a socket and not yet received.

use std::collections::VecDeque;

use syscalls::Errno;
use syscalls::abi::net::MessageFlags;
use syscalls::errno::{EAGAIN, EINVAL, EMSGSIZE, EPIPE};

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
    /// The latest out-of-band byte, or the place where it was.
    mark: bool,
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

/// How a receive wants its data.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    pub(super) peek: bool,
    /// SO_PEEK_OFF: what is looked at begins after so many bytes.
    pub(super) offset: usize,
    /// SO_OOBINLINE.
    pub(super) inline: bool,
    /// Bytes of different senders never come together.
    pub(super) apart: bool,
}

fn same(a: &Option<Identity>, b: &Option<Identity>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.is_same(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl Inbox {
    /// Appends to a stream as much as fits below `limit`, `most` bytes at most.
    pub(super) fn put_stream(
        &self,
        src: &mut Source<'_>,
        (limit, most): (usize, usize),
        label: Label,
    ) -> Result<usize, Errno> {
        let mut state = self.state.lock();
        if state.refused {
            return Err(EPIPE);
        }
        if src.remaining() == 0 {
            return Ok(0);
        }
        let room = limit.saturating_sub(state.bytes.len()).min(most);
        if room == 0 {
            return Err(EAGAIN);
        }
        let count = state.bytes.write(src, room)?;
        // Bytes from the same sender without descriptors join what is there.
        match state.parcels.back_mut() {
            Some(last)
                if label.control.files.is_empty()
                    && last.control.files.is_empty()
                    && !last.mark
                    && same(&last.control.credentials, &label.control.credentials) =>
            {
                last.len += count;
            }
            _ => state.parcels.push_back(Parcel {
                len: count,
                from: label.from,
                control: label.control,
                mark: false,
            }),
        }
        Ok(count)
    }

    /// Appends an out-of-band byte; the one before is one like all others from now on.
    pub(super) fn put_urgent(&self, byte: u8, limit: usize, label: Label) -> Result<(), Errno> {
        let mut state = self.state.lock();
        if state.refused {
            return Err(EPIPE);
        }
        if state.bytes.len() >= limit {
            return Err(EAGAIN);
        }
        state.bytes.write(&mut Source::kernel(&[byte]), 1)?;
        state.parcels.retain_mut(|parcel| {
            parcel.mark = false;
            parcel.len > 0
        });
        state.parcels.push_back(Parcel {
            len: 1,
            from: label.from,
            control: label.control,
            mark: true,
        });
        Ok(())
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
            mark: false,
        });
        Ok(len)
    }

    /// Takes from a stream: up to the next out-of-band byte, and up to the first bytes with
    /// descriptors, those included.
    pub(super) fn take_stream(
        &self,
        dst: &mut Sink<'_>,
        manner: Manner,
    ) -> Result<Received, Errno> {
        let mut state = self.state.lock();
        if dst.remaining() == 0 {
            return Ok(Received::default());
        }
        let taken = state.take(dst, manner)?;
        if taken.is_none() && !(state.ended || state.refused) {
            return Err(EAGAIN);
        }
        Ok(taken.unwrap_or_default())
    }

    /// Takes the out-of-band byte; `EINVAL` if there is none.
    pub(super) fn take_urgent(
        &self,
        dst: &mut Sink<'_>,
        manner: Manner,
    ) -> Result<Received, Errno> {
        let mut state = self.state.lock();
        let at = state.urgent().filter(|_| !manner.inline).ok_or(EINVAL)?;
        let before = state.parcels.iter().take(at).map(|parcel| parcel.len).sum();
        let count = dst.write(&state.bytes.peek_at(before, 1))?;
        if !manner.peek {
            state.bytes.remove(before);
            if let Some(parcel) = state.parcels.get_mut(at) {
                parcel.len = 0;
            }
        }
        Ok(Received {
            count,
            whole: count,
            told: MessageFlags::OOB,
            ..Received::default()
        })
    }

    /// Takes one message; what does not fit is lost.
    pub(super) fn take_message(
        &self,
        dst: &mut Sink<'_>,
        manner: Manner,
    ) -> Result<Received, Errno> {
        let mut state = self.state.lock();
        let over = state.ended || state.refused;
        let State { bytes, parcels, .. } = &mut *state;
        // SO_PEEK_OFF goes beyond whole messages.
        let (mut at, mut start, mut offset) = (0, 0, manner.offset);
        while let Some(parcel) = parcels.get(at).filter(|p| offset > 0 && offset >= p.len) {
            start += parcel.len;
            offset -= parcel.len;
            at += 1;
        }
        let Some(parcel) = parcels.get(at) else {
            return if over {
                Ok(Received::default())
            } else {
                Err(EAGAIN)
            };
        };
        let whole = parcel.len - offset;
        let count = dst.write(&bytes.peek_at(start + offset, whole.min(dst.remaining())))?;
        let (from, control) = (parcel.from.clone(), parcel.control.clone());
        let len = parcel.len;
        if !manner.peek {
            bytes.skip(len);
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

    /// Bytes that wait; of the first message only for datagrams.
    pub(super) fn waiting(&self, first_only: bool) -> usize {
        let state = self.state.lock();
        if first_only {
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

    /// True if an out-of-band byte waits.
    pub(super) fn has_urgent(&self) -> bool {
        self.state.lock().urgent().is_some()
    }

    /// SIOCATMARK: the next byte is, or was, the out-of-band one.
    pub(super) fn is_at_mark(&self) -> bool {
        let state = self.state.lock();
        let mut next = state.parcels.iter();
        match next.next() {
            Some(first) if first.mark => first.len > 0 || !next.any(|parcel| parcel.mark),
            _ => false,
        }
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

    /// No more is received; what waits is dropped. True if that was anything.
    pub(super) fn refuse(&self, forget: bool) -> bool {
        let dropped = {
            let mut state = self.state.lock();
            state.refused = true;
            if !forget {
                return false;
            }
            state.bytes = Ring::default();
            std::mem::take(&mut state.parcels)
        };
        // Files among it are closed without the lock.
        !dropped.is_empty()
    }

    /// True once nobody receives any more.
    pub(super) fn is_refused(&self) -> bool {
        self.state.lock().refused
    }
}

impl State {
    /// Where the out-of-band byte is among the parcels.
    fn urgent(&self) -> Option<usize> {
        let is = |parcel: &Parcel| parcel.mark && parcel.len > 0;
        self.parcels.iter().position(is)
    }

    /// See [`Inbox::take_stream`]; `None` if there is nothing.
    fn take(&mut self, dst: &mut Sink<'_>, manner: Manner) -> Result<Option<Received>, Errno> {
        let mut received: Option<Received> = None;
        // The parcel, where its bytes begin, and what SO_PEEK_OFF leaves out of them.
        let (mut at, mut start, mut offset) = (0, 0, manner.offset);
        while let Some(parcel) = self.parcels.get_mut(at) {
            if dst.remaining() == 0 {
                break;
            }
            if parcel.mark {
                if received.is_some() {
                    break;
                }
                let skipped = !manner.inline || parcel.len == 0;
                if !manner.peek {
                    if skipped {
                        if parcel.len > 0 {
                            self.bytes.remove(start);
                        }
                        self.parcels.remove(at);
                        continue;
                    }
                    parcel.mark = false;
                } else if skipped {
                    start += parcel.len;
                    at += 1;
                    continue;
                }
            }
            if offset >= parcel.len {
                offset -= parcel.len;
                start += parcel.len;
                at += 1;
                continue;
            }
            let first = received.is_none();
            let total = received.get_or_insert_with(Received::default);
            if first {
                total.from = parcel.from.clone();
                total.control.credentials = parcel.control.credentials.clone();
            } else if manner.apart && !same(&total.control.credentials, &parcel.control.credentials)
            {
                break;
            }
            let want = (parcel.len - offset).min(dst.remaining());
            let wrote = if manner.peek {
                dst.write(&self.bytes.peek_at(start + offset, want))
            } else {
                self.bytes.read(dst, want)
            };
            let count = match wrote {
                Err(error) if first => return Err(error),
                wrote => wrote.unwrap_or(0),
            };
            total.count += count;
            total.whole += count;
            let whole = count == parcel.len - offset;
            let carries = !parcel.control.files.is_empty();
            if manner.peek {
                total
                    .control
                    .files
                    .extend(parcel.control.files.iter().cloned());
                start += parcel.len;
                offset = 0;
                at += 1;
            } else {
                parcel.len -= count;
                total.control.files.append(&mut parcel.control.files);
                if parcel.len == 0 {
                    self.parcels.pop_front();
                }
            }
            if carries || !whole {
                break;
            }
        }
        Ok(received)
    }
}
