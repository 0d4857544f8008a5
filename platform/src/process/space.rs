//! An address space: a mapper, and what it has mapped.

use std::any::Any;
use std::sync::Arc;

use nix::unistd::Pid;
use parking_lot::Mutex;
use syscalls::Errno;
use syscalls::errno::EPROTO;

use super::layout::command::{KIND_FORK, KIND_TASK};
use super::mapped::Mapped;
use super::mapper::{Answer, Mapper};
use super::operation::plan;
use super::task::GuestTask;
use super::{Common, host_error};
use crate::{AddressSpace, Error, MapOp};

/// A guest address space in a host process.
pub(crate) struct ProcessSpace {
    common: Arc<Common>,
    state: Mutex<State>,
}

struct State {
    mapper: Mapper,
    mapped: Mapped,
    /// A change failed half-way: what is mapped is not known any more.
    broken: Option<Errno>,
}

impl ProcessSpace {
    pub(super) fn new(common: Arc<Common>, mapper: Mapper, mapped: Mapped) -> Self {
        let state = State {
            mapper,
            mapped,
            broken: None,
        };
        ProcessSpace {
            common,
            state: Mutex::new(state),
        }
    }

    /// A new process with a copy of the mappings.
    pub(crate) fn fork_process(&self) -> Result<ProcessSpace, Error> {
        let take = self.common.commands.take();
        let slot = take.map_err(host_error("find a command page"))?;
        let mut state = self.state.lock();
        state.check()?;
        let answer = state.mapper.command(&[], KIND_FORK, slot.offset())?;
        let pipe = self.common.reports.take(state.mapper.pid());
        let pid = made(answer, "fork an address space")?;
        match pipe {
            Ok(Some(done)) => {
                let mapper = Mapper::new(pid, slot, done, state.mapper.place());
                let common = Arc::clone(&self.common);
                Ok(ProcessSpace::new(common, mapper, state.mapped.clone()))
            }
            result => {
                super::mapper::end(pid);
                let errno = result.err().unwrap_or(EPROTO);
                Err(host_error("receive a mapper's pipe")(errno))
            }
        }
    }

    /// A task in this address space. It must be gone before the space is dropped.
    pub(crate) fn new_task(&self) -> Result<GuestTask, Error> {
        let mut state = self.state.lock();
        state.check()?;
        let answer = state.mapper.command(&[], KIND_TASK, 0)?;
        made(answer, "make a task").map(GuestTask::new)
    }
}

impl State {
    fn check(&self) -> Result<(), Error> {
        match self.broken {
            Some(errno) => Err(host_error("use a broken address space")(errno)),
            None => Ok(()),
        }
    }
}

fn made(answer: Answer, what: &'static str) -> Result<Pid, Error> {
    match answer {
        Answer::Made(pid) => Ok(pid),
        Answer::Failed(errno) => Err(host_error(what)(errno)),
        Answer::Done => Err(host_error(what)(EPROTO)),
    }
}

impl AddressSpace for ProcessSpace {
    fn apply(&self, ops: &[MapOp]) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.check()?;
        let what = "change mappings";
        let state = &mut *state;
        let answer = match plan(ops, &mut state.mapped) {
            Ok(operations) => state.mapper.perform(&operations)?,
            Err(errno) => Answer::Failed(errno),
        };
        match answer {
            Answer::Done => Ok(()),
            Answer::Failed(errno) => {
                state.broken = Some(errno);
                Err(host_error(what)(errno))
            }
            Answer::Made(_) => {
                state.broken = Some(EPROTO);
                Err(host_error(what)(EPROTO))
            }
        }
    }

    fn fork(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        Ok(Arc::new(self.fork_process()?))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
