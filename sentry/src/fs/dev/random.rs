//! random(4): the host's generator behind both names.

use std::any::Any;
use std::sync::Arc;

use platform::host;
use syscalls::errno::{EINVAL, EPERM};
use syscalls::{Errno, SysResult, UserAddr};

use crate::task::{Capabilities, Current};
use crate::vfs::{File, FileOps, SeekFrom, Sink, Source};

/// /dev/random and /dev/urandom.
pub(super) struct Random;

/// Requests of random(4). Those that would change the pool change nothing.
const RNDGETENTCNT: u32 = 0x8004_5200;
const RNDADDTOENTCNT: u32 = 0x4004_5201;
const RNDADDENTROPY: u32 = 0x4008_5203;
const RNDZAPENTCNT: u32 = 0x5204;
const RNDCLEARPOOL: u32 = 0x5206;
const RNDRESEEDCRNG: u32 = 0x5207;
/// What the pool holds, bits: it is always full.
const ENTROPY: i32 = 256;

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

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, arg: u64) -> SysResult {
        match command {
            RNDGETENTCNT => {
                task.mem().write(UserAddr::new(arg).cast(), &ENTROPY)?;
                Ok(0)
            }
            RNDADDTOENTCNT | RNDADDENTROPY | RNDZAPENTCNT | RNDCLEARPOOL | RNDRESEEDCRNG => {
                if !task.creds.get().has(Capabilities::SYS_ADMIN) {
                    return Err(EPERM.into());
                }
                Ok(0)
            }
            _ => Err(EINVAL.into()),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
