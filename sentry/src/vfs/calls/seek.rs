//! lseek(2).

use syscalls::abi::fs::{SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use syscalls::errno::{EINVAL, ENXIO, EOVERFLOW, ESPIPE};
use syscalls::{Errno, Run, SysResult, call};

use crate::task::Current;
use crate::vfs::{File, SeekFrom};

/// The position after the seek.
fn seek(file: &File, offset: i64, whence: u32) -> Result<u64, Errno> {
    if file.ops.is_the_same_anywhere() && whence <= SEEK_HOLE {
        *file.offset.lock() = 0;
        return Ok(0);
    }
    if !file.ops.seekable() {
        return Err(if whence <= SEEK_HOLE { ESPIPE } else { EINVAL });
    }
    if file.ops.outside_position().is_some() {
        let at = target(file, file.position()?, offset, whence)?;
        file.set_position(at)?;
        return Ok(at);
    }
    let mut position = file.offset.lock();
    *position = target(file, *position, offset, whence)?;
    Ok(*position)
}

/// What the arguments name, `position` being where the file is.
fn target(file: &File, position: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
    let from = match whence {
        SEEK_SET => SeekFrom::Start(u64::try_from(offset).map_err(|_| EINVAL)?),
        SEEK_CUR if offset == 0 => return Ok(position),
        SEEK_CUR => SeekFrom::Start(position.checked_add_signed(offset).ok_or(EINVAL)?),
        SEEK_END => SeekFrom::End(offset),
        SEEK_DATA => SeekFrom::Data(u64::try_from(offset).map_err(|_| ENXIO)?),
        SEEK_HOLE => SeekFrom::Hole(u64::try_from(offset).map_err(|_| ENXIO)?),
        _ => return Err(EINVAL),
    };
    let at = file.ops.seek(file, from)?;
    i64::try_from(at).map_err(|_| match from {
        SeekFrom::Start(_) | SeekFrom::End(_) => EINVAL,
        SeekFrom::Data(_) | SeekFrom::Hole(_) => EOVERFLOW,
    })?;
    Ok(at)
}

impl Run<Current> for call::Lseek {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        Ok(seek(&file, self.offset, self.whence)?)
    }
}
