//! sendto(2), sendmsg(2), recvfrom(2), recvmsg(2) and their vectors.

use std::sync::Arc;

use syscalls::abi::net::{AF_UNIX, MMSG_MAX, MMsgHdr, MessageFlags, MsgHdr, SO_PASSPIDFD};
use syscalls::errno::{EAGAIN, EINVAL, EMSGSIZE, EPIPE, ETIMEDOUT};
use syscalls::{Errno, Run, Stop, SysResult, UserPtr, call};

use super::control::Wants;
use super::file::lookup;
use super::{Address, Control, Kind, Outgoing, Received, Socket};
use crate::signal::Signal;
use crate::task::Current;
use crate::vfs::io::Segment;
use crate::vfs::{File, Sink, Source};
use crate::wait::{Deadline, Ready};

/// The most segments of one message, IOV_MAX.
const MAX_SEGMENTS: u64 = 1024;
/// The most bytes of one message, MAX_RW_COUNT.
const MAX_BYTES: usize = 0x7fff_f000;

fn segments(task: &Current, header: &MsgHdr) -> Result<Vec<Segment>, Errno> {
    if header.iovlen > MAX_SEGMENTS {
        return Err(EMSGSIZE);
    }
    let count = usize::try_from(header.iovlen).map_err(|_| EMSGSIZE)?;
    crate::vfs::segments(task.mem(), header.iov, count)
}

/// A single buffer; `EFAULT` for one that reaches beyond the user's addresses.
fn one(buf: UserPtr<u8>, len: usize) -> Result<[Segment; 1], Errno> {
    Ok([crate::vfs::segment(
        buf.addr(),
        len.min(MAX_BYTES),
        MAX_BYTES,
    )?])
}

/// No program here is one of 32 bits.
fn not_compat(flags: MessageFlags) -> Result<(), Errno> {
    if flags.contains(MessageFlags::CMSG_COMPAT) {
        return Err(EINVAL);
    }
    Ok(())
}

fn waits(file: &File, flags: MessageFlags) -> bool {
    !file.nonblocking() && !flags.contains(MessageFlags::DONTWAIT)
}

/// Sends everything, waiting for room unless told not to.
fn send(
    task: &Current,
    file: &Arc<File>,
    socket: &Arc<dyn Socket>,
    buffers: &[Segment],
    mut message: Outgoing<'_>,
) -> SysResult {
    let mut source = Source::guest(task.mem(), buffers);
    let stream = socket.kind() == Kind::Stream;
    let wait = waits(file, message.flags);
    let silent = message.flags.contains(MessageFlags::NOSIGNAL);
    let deadline = socket.options().send_timeout().map(Deadline::after);
    let mut total = 0;
    let end: Result<(), Stop> = loop {
        let queue = wait.then(|| socket.send_queue(task, message.to.as_ref()));
        let mut attempt = || Ok(socket.send(&mut source, &mut message)?);
        let step = match queue {
            Some(queue) => task.block_on(&queue, Ready::WRITABLE, deadline, attempt),
            None => attempt(),
        };
        match step {
            Ok(count) => {
                total += count;
                if !stream || source.remaining() == 0 || (count == 0 && total > 0) {
                    break Ok(());
                }
            }
            Err(stop) => break Err(stop),
        }
    };
    match end {
        Err(Stop::Errno(EPIPE)) if !silent => task.raise(Signal::PIPE),
        Err(Stop::Errno(ETIMEDOUT)) if deadline.is_some() && total == 0 => {
            return Err(EAGAIN.into());
        }
        _ => {}
    }
    if total == 0 {
        end?;
    }
    Ok(total as u64)
}

/// Receives, waiting for something unless told not to.
fn receive(
    task: &Current,
    file: &Arc<File>,
    socket: &Arc<dyn Socket>,
    buffers: &[Segment],
    flags: MessageFlags,
) -> Result<Received, Stop> {
    let mut sink = Sink::guest(task.mem(), buffers);
    // What stands apart from the stream of data is there or not.
    let apart = MessageFlags::ERRQUEUE | MessageFlags::OOB;
    let wait = waits(file, flags) && !flags.intersects(apart);
    let deadline = socket.options().receive_timeout().map(Deadline::after);
    let all = flags.contains(MessageFlags::WAITALL)
        && socket.kind() == Kind::Stream
        && !flags.contains(MessageFlags::PEEK);
    let mut total: Option<Received> = None;
    loop {
        let mut attempt = || Ok(socket.receive(&mut sink, flags)?);
        let step = if wait {
            let mask = Ready::READABLE | Ready::RDHUP;
            match task.block_on(socket.queue(), mask, deadline, attempt) {
                Err(Stop::Errno(ETIMEDOUT)) if deadline.is_some() => Err(EAGAIN.into()),
                step => step,
            }
        } else {
            attempt()
        };
        match (step, total.take()) {
            (Ok(received), None) if all && wait && received.count > 0 && sink.remaining() > 0 => {
                total = Some(received);
            }
            (Ok(received), None) => return Ok(received),
            (Ok(more), Some(mut sum)) => {
                sum.count += more.count;
                if more.count == 0 || sink.remaining() == 0 || !more.control.is_empty() {
                    sum.control.files.extend(more.control.files);
                    return Ok(sum);
                }
                total = Some(sum);
            }
            (Err(_), Some(sum)) => return Ok(sum),
            (Err(stop), None) => return Err(stop),
        }
    }
}

impl Run<Current> for call::Sendto {
    fn run(self, task: &mut Current) -> SysResult {
        let buffers = one(self.buf, self.len)?;
        let (file, socket) = lookup(task, self.sockfd)?;
        let to = match self.dest_addr.non_null() {
            Some(at) => Some(Address::read(task.mem(), at, self.addrlen)?),
            None => None,
        };
        let message = Outgoing {
            to,
            control: Control::default(),
            flags: self.flags,
            task,
        };
        send(task, &file, &socket, &buffers, message)
    }
}

fn send_message(
    task: &Current,
    file: &Arc<File>,
    socket: &Arc<dyn Socket>,
    header: &MsgHdr,
    flags: MessageFlags,
) -> SysResult {
    let to = if header.name.is_null() || header.namelen == 0 {
        None
    } else {
        Some(Address::read(
            task.mem(),
            header.name.cast(),
            header.namelen,
        )?)
    };
    not_compat(flags)?;
    let buffers = segments(task, header)?;
    let control = Control::read(task, header, socket.family())?;
    send(
        task,
        file,
        socket,
        &buffers,
        Outgoing {
            to,
            control,
            flags,
            task,
        },
    )
}

impl Run<Current> for call::Sendmsg {
    fn run(self, task: &mut Current) -> SysResult {
        not_compat(self.flags)?;
        let (file, socket) = lookup(task, self.sockfd)?;
        let header = task.mem().read(self.msg)?;
        send_message(task, &file, &socket, &header, self.flags)
    }
}

impl Run<Current> for call::Sendmmsg {
    fn run(self, task: &mut Current) -> SysResult {
        not_compat(self.flags)?;
        let (file, socket) = lookup(task, self.sockfd)?;
        let mut done = 0;
        for index in 0..u64::from(self.vlen.min(MMSG_MAX)) {
            let sent = || -> Result<(), Stop> {
                let at = self.msgvec.at(index)?;
                let mut one: MMsgHdr = task.mem().read(at)?;
                one.len = u32::try_from(send_message(task, &file, &socket, &one.hdr, self.flags)?)
                    .unwrap_or(u32::MAX);
                Ok(task.mem().write(at, &one)?)
            };
            match sent() {
                Ok(()) => done += 1,
                Err(stop) if done == 0 => return Err(stop),
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

impl Run<Current> for call::Recvfrom {
    fn run(self, task: &mut Current) -> SysResult {
        let buffers = one(self.buf, self.len)?;
        let (file, socket) = lookup(task, self.sockfd)?;
        let received = receive(task, &file, &socket, &buffers, self.flags)?;
        if let Some(at) = self.src_addr.non_null() {
            match &received.from {
                Some(from) => from.write(task.mem(), at, self.addrlen)?,
                None => {
                    let room: i32 = task.mem().read(self.addrlen)?;
                    usize::try_from(room).map_err(|_| EINVAL)?;
                    task.mem().write(self.addrlen, &0)?;
                }
            }
        }
        Ok(result_count(&received, self.flags))
    }
}

/// With MSG_TRUNC the whole length of a datagram counts.
fn result_count(received: &Received, flags: MessageFlags) -> u64 {
    let whole = flags.contains(MessageFlags::TRUNC) && received.whole > received.count;
    (if whole {
        received.whole
    } else {
        received.count
    }) as u64
}

fn receive_message(
    task: &Current,
    file: &Arc<File>,
    socket: &Arc<dyn Socket>,
    header: &mut MsgHdr,
    flags: MessageFlags,
) -> SysResult {
    not_compat(flags)?;
    if header.namelen < 0 {
        return Err(EINVAL.into());
    }
    let buffers = segments(task, header)?;
    let mut received = receive(task, file, socket, &buffers, flags)?;
    let mut told = received.told;
    if received.whole > received.count {
        told |= MessageFlags::TRUNC;
    }
    let control = std::mem::take(&mut received.control);
    let unix = socket.family() == AF_UNIX && !flags.contains(MessageFlags::OOB);
    let options = socket.options();
    let wants = Wants {
        credentials: unix && options.passes_credentials(),
        pidfd: unix && options.kept(SO_PASSPIDFD) != 0,
    };
    let (used, cut) = control.write(task, header, flags, wants)?;
    header.controllen = used;
    told |= cut | (flags & MessageFlags::CMSG_CLOEXEC);
    header.flags = told.bits();
    if !header.name.is_null() {
        let bytes = received
            .from
            .as_ref()
            .map_or_else(Vec::new, Address::to_bytes);
        let room = usize::try_from(header.namelen)
            .unwrap_or(0)
            .min(bytes.len());
        task.mem()
            .write_slice(header.name.cast::<u8>(), bytes.get(..room).unwrap_or(&[]))?;
        header.namelen = i32::try_from(bytes.len()).unwrap_or(0);
    }
    Ok(result_count(&received, flags))
}

impl Run<Current> for call::Recvmsg {
    fn run(self, task: &mut Current) -> SysResult {
        not_compat(self.flags)?;
        let (file, socket) = lookup(task, self.sockfd)?;
        let mut header = task.mem().read(self.msg)?;
        let count = receive_message(task, &file, &socket, &mut header, self.flags)?;
        task.mem().write(self.msg, &header)?;
        Ok(count)
    }
}

impl Run<Current> for call::Recvmmsg {
    fn run(self, task: &mut Current) -> SysResult {
        not_compat(self.flags)?;
        let (file, socket) = lookup(task, self.sockfd)?;
        let deadline = match self.timeout.non_null() {
            Some(at) => Some(Deadline::after(crate::time::duration(
                task.mem().read(at)?,
            )?)),
            None => None,
        };
        let mut done = 0;
        let mut flags = self.flags - MessageFlags::WAITFORONE;
        for index in 0..u64::from(self.vlen.min(MMSG_MAX)) {
            let get = || -> Result<(), Stop> {
                let at = self.msgvec.at(index)?;
                let mut one: MMsgHdr = task.mem().read(at)?;
                let count = receive_message(task, &file, &socket, &mut one.hdr, flags)?;
                one.len = u32::try_from(count).unwrap_or(u32::MAX);
                Ok(task.mem().write(at, &one)?)
            };
            match get() {
                Ok(()) => done += 1,
                Err(stop) if done == 0 => return Err(stop),
                Err(_) => break,
            }
            if self.flags.contains(MessageFlags::WAITFORONE) {
                flags |= MessageFlags::DONTWAIT;
            }
            if deadline.is_some_and(|deadline| deadline.left().is_none()) {
                break;
            }
        }
        Ok(done)
    }
}
