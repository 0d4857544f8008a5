//! io_setup(2), io_destroy(2), io_submit(2), io_getevents(2), io_cancel(2).

use std::sync::Arc;

use syscalls::abi::aio::IoEvent;
use syscalls::errno::{EAGAIN, EINPROGRESS, EINTR, EINVAL, ETIMEDOUT};
use syscalls::{Errno, Run, Stop, SysResult, UserAddr, UserPtr, call};

use super::context::Context;
use super::submit::submit;
use crate::mm::{MapName, NewMapping, Placement};
use crate::poll::read_timeout;
use crate::task::Current;
use crate::wait::{Deadline, Ready};

/// Where the key stands in a request, and what it is.
const KEY_AT: u64 = 8;
const KEY: u32 = 0;
/// Requests of one context.
const MAX_REQUESTS: u32 = 0x1000_0000 / 32;

impl Run<Current> for call::IoSetup {
    /// The context is named by the address of a page in which Linux keeps a ring of
    /// events. Differs from Linux: the ring stays empty and without its magic number, so
    /// that libraries that could read it ask the kernel instead.
    fn run(self, task: &mut Current) -> SysResult {
        let before = task.mem().read(self.ctx_idp)?;
        if before != 0 || self.nr_events == 0 || self.nr_events > MAX_REQUESTS {
            return Err(EINVAL.into());
        }
        let most = task.kernel.sysctls.number("fs.aio-max-nr", 65_536);
        if i64::from(self.nr_events) > most {
            return Err(EAGAIN.into());
        }
        let context = Arc::new(Context::new(self.nr_events, task.kernel.cpus()));
        let id = task.mem().map(NewMapping {
            name: Some(MapName::SharedMemory(b"/[aio] (deleted)"[..].into())),
            ..NewMapping::zeros(Placement::Anywhere, context.ring_len)
        })?;
        let len = context.ring_len;
        task.mem().aio().put(id.get(), context);
        if let Err(error) = task.mem().write(self.ctx_idp, &id.get()) {
            task.mem().aio().take(id.get());
            task.mem().unmap(id, len)?;
            return Err(error.into());
        }
        Ok(0)
    }
}

fn context(task: &Current, id: u64) -> Result<Arc<Context>, Errno> {
    task.mem().aio().get(id).ok_or(EINVAL)
}

impl Run<Current> for call::IoDestroy {
    fn run(self, task: &mut Current) -> SysResult {
        let context = task.mem().aio().take(self.ctx_id).ok_or(EINVAL)?;
        context.end();
        // The program may have unmapped it itself.
        let _ = task
            .mem()
            .unmap(UserAddr::new(self.ctx_id), context.ring_len);
        Ok(0)
    }
}

impl Run<Current> for call::IoSubmit {
    fn run(self, task: &mut Current) -> SysResult {
        let count = u64::try_from(self.nr).map_err(|_| EINVAL)?;
        let context = context(task, self.ctx_id)?;
        let mut done = 0;
        while done < count {
            let one = || -> Result<(), Errno> {
                let at = task.mem().read(self.iocbpp.at(done)?)?;
                submit(task, &context, UserPtr::new(UserAddr::new(at)))
            };
            match one() {
                Ok(()) => done += 1,
                Err(error) if done == 0 => return Err(error.into()),
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

/// Takes at least `least` and at most `most` events, waiting until the deadline.
fn get_events(
    task: &Current,
    id: u64,
    (least, most): (i64, i64),
    to: UserPtr<IoEvent>,
    deadline: Option<Deadline>,
) -> SysResult {
    let context = context(task, id)?;
    let (Ok(least), Ok(most)) = (u64::try_from(least), u64::try_from(most)) else {
        return Err(EINVAL.into());
    };
    if least > most {
        return Err(EINVAL.into());
    }
    let mut taken = 0;
    let waited = task.block_on(&context.readers, Ready::READABLE, deadline, || {
        let room = usize::try_from(most - taken).unwrap_or(usize::MAX);
        let events = context.take(room);
        task.mem().write_slice(to.at(taken)?, &events)?;
        taken += events.len() as u64;
        if taken >= least || context.is_ended() {
            Ok(())
        } else {
            Err(EAGAIN.into())
        }
    });
    match waited {
        Ok(()) | Err(Stop::Errno(ETIMEDOUT)) => Ok(taken),
        Err(_) if taken > 0 => Ok(taken),
        Err(Stop::Restart(_)) => Err(EINTR.into()),
        Err(stop) => Err(stop),
    }
}

impl Run<Current> for call::IoGetevents {
    fn run(self, task: &mut Current) -> SysResult {
        let deadline = read_timeout(task, self.timeout)?;
        let range = (self.min_nr, self.nr);
        get_events(task, self.ctx_id, range, self.events, deadline)
    }
}

impl Run<Current> for call::IoPgetevents {
    fn run(self, task: &mut Current) -> SysResult {
        let deadline = read_timeout(task, self.timeout)?;
        let mask = match self.sigmask.non_null() {
            Some(at) => {
                let mask = task.mem().read(at)?;
                let size = usize::try_from(mask.size).map_err(|_| EINVAL)?;
                task.read_mask(mask.set, size)?
            }
            None => None,
        };
        let range = (self.min_nr, self.nr);
        task.with_mask(mask, |task| {
            get_events(task, self.ctx_id, range, self.events, deadline)
        })
    }
}

impl Run<Current> for call::IoCancel {
    /// Only what goes on in the background can be cancelled; its event comes as any other.
    fn run(self, task: &mut Current) -> SysResult {
        let key: u32 = task.mem().read(self.iocb.addr().add(KEY_AT)?.cast())?;
        if key != KEY {
            return Err(EINVAL.into());
        }
        let context = context(task, self.ctx_id)?;
        let poll = context.find(self.iocb.addr().get()).ok_or(EINVAL)?;
        if poll.cancel() {
            Err(EINPROGRESS.into())
        } else {
            Err(EINVAL.into())
        }
    }
}
