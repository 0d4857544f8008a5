//! random(4): the host's generator behind both names.

use std::any::Any;

use platform::host;
use syscalls::Errno;
use syscalls::errno::EINVAL;

use crate::vfs::{File, FileOps, SeekFrom, Sink, Source};

/// /dev/random and /dev/urandom.
pub(super) struct Random;

/// Asked of the host at a time, bytes.
const CHUNK: usize = 4096;

impl FileOps for Random {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        let mut done = 0;
        let mut buf = [0; CHUNK];
        while dst.remaining() > 0 {
            let want = dst.remaining().min(CHUNK);
            let bytes = buf.get_mut(..want).ok_or(EINVAL)?;
            host::random::fill(bytes)?;
            match dst.write(bytes) {
                Ok(count) => {
                    done += count;
                    if count < want {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// What is written could stir the pool; the host's needs no help.
    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        let all = src.remaining();
        src.skip(all);
        Ok(all)
    }

    fn append(&self, file: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        Ok((self.write(file, src, 0)?, 0))
    }

    fn seek(&self, _: &File, _: SeekFrom) -> Result<u64, Errno> {
        Ok(0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
