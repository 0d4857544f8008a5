//! proc_pid_mem(5): another process's memory.

use std::any::Any;
use std::sync::{Arc, Weak};

use syscalls::errno::{EACCES, EINVAL, EIO};
use syscalls::{Errno, UserAddr};

use super::Process;
use crate::mm::Mm;
use crate::task::Current;
use crate::vfs::{File, FileOps, OpenMode, SeekFrom, Sink, Source};

/// An open one: of the program that ran when it was opened.
struct Memory(Weak<Mm>);

/// Copied at a time, bytes.
const CHUNK: usize = 64 << 10;

pub(super) fn open(
    process: &Process,
    task: &Current,
    _: OpenMode,
) -> Result<Box<dyn FileOps>, Errno> {
    let other = process.task()?;
    if !task.may_inspect(&other) {
        return Err(EACCES);
    }
    let mm = other.mm.get();
    Ok(Box::new(Memory(
        mm.map_or_else(Weak::new, |mm| Arc::downgrade(&mm)),
    )))
}

impl FileOps for Memory {
    fn seekable(&self) -> bool {
        true
    }

    /// Reads as far as there is something to read; `EIO` if there is nothing.
    fn read(&self, _: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        let Some(mm) = self.0.upgrade() else {
            return Ok(0);
        };
        let mut done = 0;
        let mut buf = vec![0; dst.remaining().min(CHUNK)];
        while dst.remaining() > 0 {
            let want = dst.remaining().min(CHUNK);
            let piece = buf.get_mut(..want).ok_or(EINVAL)?;
            let at = UserAddr::new(pos.checked_add(done as u64).ok_or(EIO)?);
            let found = mm.read_partial(at, piece);
            if found == 0 {
                break;
            }
            let copied = match dst.write(piece.get(..found).unwrap_or_default()) {
                Ok(copied) => copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            done += copied;
            if copied < want {
                break;
            }
        }
        if done == 0 && dst.remaining() > 0 {
            return Err(EIO);
        }
        Ok(done)
    }

    /// Also where the process itself may not write.
    fn write(&self, _: &File, src: &mut Source<'_>, pos: u64) -> Result<usize, Errno> {
        let Some(mm) = self.0.upgrade() else {
            return Ok(0);
        };
        let mut done = 0;
        while src.remaining() > 0 {
            let mut piece = vec![0; src.remaining().min(CHUNK)];
            let mut peek = src.clone();
            let count = match peek.read(&mut piece) {
                Ok(count) => count,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            let at = UserAddr::new(pos.checked_add(done as u64).ok_or(EIO)?);
            let written = mm.force_write(at, piece.get(..count).unwrap_or_default());
            src.skip(written);
            done += written;
            if written < count || count == 0 {
                break;
            }
        }
        if done == 0 && src.remaining() > 0 {
            return Err(EIO);
        }
        Ok(done)
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        match from {
            SeekFrom::Start(pos) => Ok(pos),
            _ => Err(EINVAL),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
