//! The socket as calls see it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::abi::net::{
    AF_PACKET, MessageFlags, PACKET_AUXDATA, PACKET_HDRLEN, SOL_PACKET, SockaddrLl, TpacketAuxdata,
};
use syscalls::errno::{EAGAIN, EINVAL, ENETDOWN, ENODEV, EOPNOTSUPP};
use syscalls::{Errno, Stop};
use zerocopy::IntoBytes;

use super::ring::{OPEN, USER};
use super::{Frame, HEAD, PacketSocket};
use crate::mm::Mappable;
use crate::net::control::Note;
use crate::net::inet::message::truesize;
use crate::net::{
    Address, Asked, Control, Given, Kind, Options, Outgoing, Received, Shutdown, Socket, timestamp,
};
use crate::task::Current;
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, WaitQueue};

impl PacketSocket {
    /// Where the socket's data begins in a frame.
    pub(super) fn start(&self) -> usize {
        if self.kind == Kind::Raw { 0 } else { HEAD }
    }

    fn notes(&self, frame: &Frame) -> Vec<Note> {
        let mut notes = Vec::new();
        timestamp::note(&self.options, frame.at, &mut notes);
        if self.options.kept(-PACKET_AUXDATA) != 0 {
            let len = u32::try_from(frame.len).unwrap_or(0);
            let kept = frame.bytes.len() - self.start();
            let told = TpacketAuxdata {
                status: if frame.open { USER | OPEN } else { USER },
                len,
                snaplen: u32::try_from(kept).unwrap_or(0),
                mac: 0,
                net: u16::try_from(HEAD - self.start()).unwrap_or(0),
                vlan_tci: 0,
                vlan_tpid: 0,
            };
            notes.push(Note {
                level: SOL_PACKET,
                kind: PACKET_AUXDATA,
                body: told.as_bytes().to_vec(),
            });
        }
        notes
    }
}

impl Socket for PacketSocket {
    fn family(&self) -> i32 {
        AF_PACKET
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn take_error(&self) -> Option<Errno> {
        self.inner.lock().error.take()
    }

    fn note_inode(&self, ino: u64) {
        self.ino.store(ino, Ordering::Relaxed);
    }

    fn bind(&self, _: &Current, to: &Address) -> Result<(), Errno> {
        let name = Self::parse(to)?;
        if i32::from(to.family) != AF_PACKET {
            return Err(EINVAL);
        }
        let index = u32::try_from(name.ifindex).map_err(|_| ENODEV)?;
        let network = self.stack.links.get();
        let link = match index {
            0 => None,
            index => Some(network.link(index).ok_or(ENODEV)?),
        };
        let down = link.is_some_and(|link| !link.up);
        let mut inner = self.inner.lock();
        inner.link = index;
        let protocol = u16::from_be_bytes(name.protocol);
        if protocol != 0 {
            inner.protocol = protocol;
        }
        inner.error = down.then_some(ENETDOWN);
        Ok(())
    }

    fn connect(&self, _: &Current, _: &Address, _: bool) -> Result<(), Stop> {
        Err(EOPNOTSUPP.into())
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        self.send_to(src, message.to.as_ref(), message.flags)
    }

    fn send_plain(&self, src: &mut Source<'_>, flags: MessageFlags) -> Result<usize, Errno> {
        self.send_to(src, None, flags)
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        let known = MessageFlags::PEEK
            | MessageFlags::DONTWAIT
            | MessageFlags::TRUNC
            | MessageFlags::CMSG_COMPAT
            | MessageFlags::CMSG_CLOEXEC
            | MessageFlags::ERRQUEUE;
        if !known.contains(flags) {
            return Err(EINVAL);
        }
        if flags.contains(MessageFlags::ERRQUEUE) {
            return Err(EAGAIN);
        }
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        let frame = {
            let mut inbox = self.inbox.lock();
            if flags.contains(MessageFlags::PEEK) {
                inbox.waiting.front().cloned().ok_or(EAGAIN)?
            } else {
                let frame = inbox.waiting.pop_front().ok_or(EAGAIN)?;
                let charge = truesize(frame.bytes.len());
                inbox.charge = inbox.charge.saturating_sub(charge);
                frame
            }
        };
        self.options.note_stamp(frame.at);
        let data = frame.bytes.get(self.start()..).unwrap_or_default();
        let whole = data.len();
        let room = whole.min(dst.remaining());
        let count = dst.write(data.get(..room).unwrap_or_default())?;
        let control = Control {
            notes: self.notes(&frame),
            ..Control::default()
        };
        Ok(Received {
            count,
            whole,
            from: Some(Self::named(&frame.from, size_of::<SockaddrLl>())),
            control,
            ..Received::default()
        })
    }

    fn shutdown(&self, _: Shutdown) -> Result<(), Errno> {
        Err(EOPNOTSUPP)
    }

    fn local(&self) -> Address {
        let (link, protocol) = {
            let inner = self.inner.lock();
            (inner.link, inner.protocol)
        };
        let (name, len) = Self::address(&self.stack.links.get(), link, protocol);
        Self::named(&name, len)
    }

    fn peer(&self) -> Result<Address, Errno> {
        Err(EOPNOTSUPP)
    }

    fn get_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        if level == SOL_PACKET {
            asked.room()?;
        }
        let value = match (level, name) {
            (SOL_PACKET, PACKET_HDRLEN) if asked.len >= 4 => task.mem().read_slice(asked.at, 4)?,
            _ => Vec::new(),
        };
        self.option(level, name, &value)
    }

    fn set_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        self.change_option(task, level, name, value)
    }

    fn mappable(&self) -> Result<Arc<dyn Mappable>, Errno> {
        let memory = self.rings.lock().memory().ok_or(EINVAL)?;
        Ok(memory)
    }

    fn readable_bytes(&self) -> Result<usize, Errno> {
        let inbox = self.inbox.lock();
        let first = inbox.waiting.front();
        Ok(first.map_or(0, |frame| frame.bytes.len() - self.start()))
    }

    fn poll(&self) -> Ready {
        let mut ready = Ready::WRITABLE;
        ready.set(Ready::ERR, self.inner.lock().error.is_some());
        let waits = !self.inbox.lock().waiting.is_empty();
        if waits || self.rings.lock().is_readable() {
            ready |= Ready::READABLE;
        }
        ready
    }

    fn queue(&self) -> &WaitQueue {
        &self.queue
    }
}
