//! Data between guests and sockets of the host, through buffers of bounded size.

use platform::host::socket::{self as calls, MAX_ADDRESS};
use syscalls::Errno;
use syscalls::abi::net::{
    CmsgHdr, MessageFlags, SCM_RIGHTS, SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_UDP,
};
use syscalls::errno::{EAGAIN, EFAULT, EINVAL};
use zerocopy::{FromBytes, IntoBytes};

use crate::fs::host::Descriptor;
use crate::net::control::Note;
use crate::net::{Address, Control, Kind, Received};
use crate::vfs::{Sink, Source};
use crate::wait::Ready;

/// Bytes of a stream that are moved at once.
const CHUNK: usize = 64 << 10;
/// The largest message that a host takes or gives, and one more, so that it can refuse.
const LARGEST: usize = 65_536 + 4096;
/// Bytes of a stream that one call receives at most.
const MOST: usize = 1 << 20;
/// Room for ancillary data that arrive, bytes.
const CONTROL: usize = 1024;
/// Bytes of a message's head.
const HEADER: usize = size_of::<CmsgHdr>();

fn align(len: usize) -> usize {
    len.next_multiple_of(8)
}

/// MSG_* for the host: without what is the Sentry's own to do, or would have the host keep our
/// buffer.
pub(super) fn flags(flags: MessageFlags) -> i32 {
    let ours = MessageFlags::WAITALL | MessageFlags::ZEROCOPY | MessageFlags::CMSG_COMPAT;
    i32::from_ne_bytes((flags - ours).bits().to_ne_bytes())
}

/// Ancillary data for the host: what IP and UDP understand.
pub(super) fn control(notes: &[Note]) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    for note in notes {
        if !matches!(note.level, SOL_IP | SOL_IPV6 | SOL_UDP) {
            continue;
        }
        let len = u64::try_from(HEADER + note.body.len()).map_err(|_| EINVAL)?;
        let (level, kind) = (note.level, note.kind);
        bytes.extend_from_slice(CmsgHdr { len, level, kind }.as_bytes());
        bytes.extend_from_slice(&note.body);
        bytes.resize(align(bytes.len()), 0);
    }
    Ok(bytes)
}

fn notes(mut rest: &[u8]) -> Vec<Note> {
    let mut notes = Vec::new();
    while let Ok((head, _)) = CmsgHdr::read_from_prefix(rest) {
        let len = usize::try_from(head.len).unwrap_or(0);
        let Some(body) = rest.get(HEADER..len) else {
            break;
        };
        // Descriptors never come by these sockets.
        if (head.level, head.kind) != (SOL_SOCKET, SCM_RIGHTS) {
            notes.push(Note {
                level: head.level,
                kind: head.kind,
                body: body.to_vec(),
            });
        }
        rest = rest.get(align(len)..).unwrap_or_default();
    }
    notes
}

/// What a host descriptor can do besides being waited for.
pub(super) trait Messages {
    /// Sends as much as the host takes at once.
    fn send(
        &self,
        kind: Kind,
        src: &mut Source<'_>,
        message: calls::Outgoing<'_>,
    ) -> Result<usize, Errno>;
    /// Receives what is there.
    fn receive(
        &self,
        kind: Kind,
        dst: &mut Sink<'_>,
        flags: MessageFlags,
    ) -> Result<Received, Errno>;
}

impl Messages for Descriptor {
    fn send(
        &self,
        kind: Kind,
        src: &mut Source<'_>,
        message: calls::Outgoing<'_>,
    ) -> Result<usize, Errno> {
        let most = if kind == Kind::Stream { CHUNK } else { LARGEST };
        let mut data = vec![0; src.remaining().min(most)];
        let mut ahead = src.clone();
        let count = ahead.read(&mut data)?;
        if count < data.len() && kind != Kind::Stream {
            return Err(EFAULT);
        }
        data.truncate(count);
        let sent = calls::send(self.fd(), &data, message).inspect_err(|&error| {
            if error == EAGAIN {
                self.missed(Ready::WRITABLE);
            }
        })?;
        if sent < data.len() {
            self.missed(Ready::WRITABLE);
        }
        src.skip(sent);
        Ok(sent)
    }

    fn receive(
        &self,
        kind: Kind,
        dst: &mut Sink<'_>,
        told: MessageFlags,
    ) -> Result<Received, Errno> {
        let stream = kind == Kind::Stream;
        let mut all = Received::default();
        loop {
            // What is looked at, or thrown away, is so at once.
            let apart = MessageFlags::PEEK | MessageFlags::TRUNC | MessageFlags::ERRQUEUE;
            let once = !stream || told.intersects(apart | MessageFlags::OOB);
            let most = if once { MOST } else { CHUNK };
            let most = if stream { most } else { LARGEST };
            let mut data = vec![0; dst.remaining().min(most)];
            let one = match self.receive_once(&mut data, flags(told)) {
                Err(EAGAIN) if all.count > 0 => break,
                one => one?,
            };
            let len = one.whole.min(data.len());
            let skips = stream && told.contains(MessageFlags::TRUNC);
            if !skips {
                let copied = dst.write(data.get(..len).unwrap_or_default());
                // Rather part of it than nothing, once it was taken.
                if copied.is_err() && len > 0 && all.count == 0 {
                    return copied.map(|_| all);
                }
            }
            let count = all.count + len;
            all = Received {
                count,
                whole: if stream { count } else { one.whole },
                ..one
            };
            if once || len < data.len() || dst.remaining() == 0 || count >= MOST {
                break;
            }
        }
        Ok(all)
    }
}

impl Descriptor {
    fn receive_once(&self, data: &mut [u8], flags: i32) -> Result<Received, Errno> {
        const TOLD: MessageFlags = MessageFlags::OOB
            .union(MessageFlags::TRUNC)
            .union(MessageFlags::CTRUNC)
            .union(MessageFlags::EOR)
            .union(MessageFlags::ERRQUEUE);
        let mut address = [0; MAX_ADDRESS];
        let mut control = [0; CONTROL];
        let received = calls::receive(self.fd(), data, &mut address, &mut control, flags);
        let received = received.inspect_err(|&error| {
            if error == EAGAIN {
                self.missed(Ready::READABLE | Ready::RDHUP | Ready::PRI);
            }
        })?;
        self.used(Ready::READABLE | Ready::RDHUP | Ready::PRI);
        let told = u32::from_ne_bytes(received.flags.to_ne_bytes());
        Ok(Received {
            count: 0,
            whole: received.len,
            from: Address::from_bytes(address.get(..received.address).unwrap_or_default()),
            control: Control {
                notes: notes(control.get(..received.control).unwrap_or_default()),
                ..Control::default()
            },
            told: MessageFlags::from_bits_retain(told) & TOLD,
        })
    }
}
