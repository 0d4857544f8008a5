//! Reading and writing open files: positions, limits, waiting, and what a transfer does
//! besides moving bytes.

use std::sync::Arc;

use syscalls::abi::fs::RwFlags;
use syscalls::abi::sched::RLIM_INFINITY;
use syscalls::errno::{EAGAIN, EBADF, EFBIG, EINVAL, EOPNOTSUPP, EPIPE, ESPIPE, ETIMEDOUT};
use syscalls::{Errno, Stop, SysResult};

use super::io::Segment;
use super::notify::{self, Event};
use super::{File, FileKind, OpenMode, OutsidePosition, Sink, Source, seals, set_id};
use crate::signal::Signal;
use crate::task::{Current, Resource};
use crate::wait::Ready;

/// Where a transfer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At the file's position, which moves on.
    Position,
    /// There; the position stays.
    Offset(u64),
}

impl At {
    /// From an argument of pread(2); `EINVAL` for a negative one.
    pub fn offset(raw: i64) -> Result<Self, Errno> {
        u64::try_from(raw).map(At::Offset).map_err(|_| EINVAL)
    }
}

/// Flags that calls may have: all but ATOMIC, which no file here can promise.
const FLAGS: RwFlags = RwFlags::all().difference(RwFlags::ATOMIC);

fn check_flags(flags: RwFlags) -> Result<(), Errno> {
    if !FLAGS.contains(flags) {
        return Err(EOPNOTSUPP);
    }
    if flags.contains(RwFlags::APPEND | RwFlags::NOAPPEND) {
        return Err(EINVAL);
    }
    Ok(())
}

impl Current {
    /// Reads into guest buffers, whose lengths were bounded by the caller.
    pub fn read_file(
        &self,
        file: &Arc<File>,
        buffers: &[Segment],
        at: At,
        flags: RwFlags,
    ) -> SysResult {
        check_position(file, at)?;
        if !file.mode().reads() {
            return Err(EBADF.into());
        }
        check_flags(flags)?;
        file.ops.before_read(self)?;
        let mut sink = Sink::guest(self.mem(), buffers);
        check_range(file, at, sink.remaining())?;
        let empty = sink.remaining() == 0;
        let wait = may_wait(file, flags) && !empty;
        let ready = Ready::READABLE | Ready::RDHUP;
        let mut count = match self.transfer(file, ready, wait, || file.read_once(&mut sink, at)) {
            Err(Stop::Errno(EAGAIN)) if empty => 0,
            Err(Stop::Errno(EAGAIN)) if wait => file.ops.read_late()?,
            result => result?,
        };
        while wait
            && count > 0
            && sink.remaining() > 0
            && let Some(limit) = file.ops.reads_on(count)
            && let Some(queue) = file.ops.wait_queue()
        {
            let attempt = || Ok(file.read_once(&mut sink, at)?);
            match self.block_on(&queue, ready, Some(limit), attempt) {
                Ok(more) if more > 0 => count += more,
                // Late, interrupted or at the end: what there is counts.
                _ => break,
            }
        }
        if count > 0 {
            notify::event(Event::Access, &file.location);
        }
        Ok(count as u64)
    }

    /// Writes guest buffers, whose lengths were bounded by the caller. Sends SIGPIPE and
    /// SIGXFSZ where Linux does.
    pub fn write_file(
        &self,
        file: &Arc<File>,
        buffers: &[Segment],
        at: At,
        flags: RwFlags,
    ) -> SysResult {
        check_position(file, at)?;
        if !file.mode().writes() {
            return Err(EBADF.into());
        }
        check_flags(flags)?;
        let mut source = Source::guest(self.mem(), buffers);
        self.write_source(file, &mut source, at, flags)
    }

    /// Writes whatever `source` gives; the file is open for writing.
    pub(super) fn write_source(
        &self,
        file: &Arc<File>,
        source: &mut Source<'_>,
        at: At,
        flags: RwFlags,
    ) -> SysResult {
        file.ops.before_write(self)?;
        check_range(file, at, source.remaining())?;
        let regular = file.inode().kind() == FileKind::Regular;
        if regular && source.remaining() == 0 {
            return Ok(0);
        }
        if regular {
            let from = match at {
                At::Offset(offset) => offset,
                At::Position => file.position()?,
            };
            seals::check_write(file.inode(), from, source.remaining())?;
            set_id::before_write(&self.creds.get(), file.inode())?;
        }
        let append = (file.mode().contains(OpenMode::APPEND) && !flags.contains(RwFlags::NOAPPEND))
            || flags.contains(RwFlags::APPEND);
        let limit = regular.then(|| self.group.limits.soft(Resource::Fsize));
        let wait = may_wait(file, flags);
        let mut total = 0;
        let end = loop {
            let step = self.transfer(file, Ready::WRITABLE, wait, || {
                file.write_once(source, at, append, limit)
            });
            match step {
                Ok(count) => {
                    total += count;
                    let more = count > 0 && wait && source.remaining() > 0;
                    if !(more && file.ops.writes_whole()) {
                        break Ok(());
                    }
                }
                Err(stop) => break Err(stop),
            }
        };
        match end {
            Err(Stop::Errno(EPIPE)) => self.raise(Signal::PIPE),
            Err(Stop::Errno(EFBIG)) if total == 0 && limit.is_some_and(|l| l < RLIM_INFINITY) => {
                self.raise(Signal::XFSZ);
            }
            _ => {}
        }
        if total == 0 {
            end?;
            return Ok(0);
        }
        notify::event(Event::Modify, &file.location);
        self.sync_written(file, flags)?;
        Ok(total as u64)
    }

    /// O_SYNC, O_DSYNC and their flags of one call.
    fn sync_written(&self, file: &File, flags: RwFlags) -> Result<(), Errno> {
        let mode = file.mode();
        let all = mode.contains(OpenMode::SYNC) || flags.contains(RwFlags::SYNC);
        let data = mode.contains(OpenMode::DSYNC) || flags.contains(RwFlags::DSYNC);
        if (all || data) && file.inode().kind() == FileKind::Regular {
            file.ops.sync(file, !all)?;
        }
        Ok(())
    }

    /// `attempt`, waiting while it says `EAGAIN` if `wait` allows that.
    pub(super) fn transfer(
        &self,
        file: &File,
        ready: Ready,
        wait: bool,
        mut attempt: impl FnMut() -> Result<usize, Errno>,
    ) -> Result<usize, Stop> {
        match file.ops.wait_queue() {
            Some(queue) if wait => {
                let deadline = file.ops.wait_limit(ready);
                match self.block_on(&queue, ready, deadline, || Ok(attempt()?)) {
                    // SO_RCVTIMEO and SO_SNDTIMEO end as if the file did not block.
                    Err(Stop::Errno(ETIMEDOUT)) if deadline.is_some() => Err(EAGAIN.into()),
                    result => result,
                }
            }
            _ => Ok(attempt()?),
        }
    }
}

fn may_wait(file: &File, flags: RwFlags) -> bool {
    !file.nonblocking() && !flags.contains(RwFlags::NOWAIT)
}

/// `ESPIPE` for a position in a file without positions, whatever it is open for.
pub(super) fn check_position(file: &File, at: At) -> Result<(), Errno> {
    if matches!(at, At::Offset(_)) && !file.ops.seekable() {
        return Err(ESPIPE);
    }
    Ok(())
}

/// Positions of files without one, and beyond what 63 bits count.
fn check_range(file: &File, at: At, len: usize) -> Result<(), Errno> {
    let At::Offset(offset) = at else {
        return Ok(());
    };
    if !file.ops.seekable() {
        return Err(ESPIPE);
    }
    let end = offset.checked_add(len as u64).ok_or(EINVAL)?;
    i64::try_from(end).map(|_| ()).map_err(|_| EINVAL)
}

impl File {
    /// One read, without waiting.
    pub(super) fn read_once(&self, sink: &mut Sink<'_>, at: At) -> Result<usize, Errno> {
        match at {
            At::Offset(offset) => self.ops.read(self, sink, offset),
            At::Position if let Some(outside) = self.ops.outside_position() => outside.read(sink),
            At::Position if self.ops.seekable() => {
                let mut offset = self.offset.lock();
                let count = self.ops.read(self, sink, *offset)?;
                *offset += count as u64;
                Ok(count)
            }
            At::Position => self.ops.read(self, sink, 0),
        }
    }

    /// One write, without waiting. `EFBIG` at `limit`, RLIMIT_FSIZE.
    pub(crate) fn write_once(
        &self,
        source: &mut Source<'_>,
        at: At,
        append: bool,
        limit: Option<u64>,
    ) -> Result<usize, Errno> {
        if !self.ops.seekable() {
            return self.ops.write(self, source, 0);
        }
        if let At::Offset(offset) = at
            && !append
        {
            return self.write_limited(source, offset, limit);
        }
        if at == At::Position
            && let Some(outside) = self.ops.outside_position()
        {
            return self.write_outside(outside, source, append, limit);
        }
        let mut offset = self.offset.lock();
        if append {
            if let Some(limit) = limit {
                let end = self.inode().attr()?.size;
                bound(source, end, limit)?;
            }
            let (count, end) = self.ops.append(self, source)?;
            if at == At::Position {
                *offset = end;
            }
            Ok(count)
        } else {
            let count = self.write_limited(source, *offset, limit)?;
            *offset += count as u64;
            Ok(count)
        }
    }

    fn write_outside(
        &self,
        outside: &dyn OutsidePosition,
        source: &mut Source<'_>,
        append: bool,
        limit: Option<u64>,
    ) -> Result<usize, Errno> {
        if append {
            outside.set(self.inode().attr()?.size)?;
        }
        if let Some(limit) = limit {
            bound(source, outside.get()?, limit)?;
        }
        outside.write(source)
    }

    fn write_limited(
        &self,
        source: &mut Source<'_>,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<usize, Errno> {
        if let Some(limit) = limit {
            bound(source, offset, limit)?;
        }
        self.ops.write(self, source, offset)
    }
}

/// Shortens what is left so that the file stays within `limit` bytes; `EFBIG` if nothing
/// would be.
fn bound(source: &mut Source<'_>, offset: u64, limit: u64) -> Result<(), Errno> {
    let limit = limit.min(i64::MAX as u64);
    let room = limit.saturating_sub(offset);
    if room == 0 && source.remaining() > 0 {
        return Err(EFBIG);
    }
    source.limit(usize::try_from(room).unwrap_or(usize::MAX));
    Ok(())
}
