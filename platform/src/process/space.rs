//! An address space: a mapper, and what it has mapped.

use std::any::Any;
use std::mem;
use std::sync::Arc;

use nix::unistd::Pid;
use parking_lot::Mutex;
use syscalls::Errno;
use syscalls::errno::{EAGAIN, ENOMEM, EPROTO};

use super::commands::Slot;
use super::layout::command::{CAPACITY, KIND_FORK, KIND_RUN, KIND_TRACED};
use super::mapped::Mapped;
use super::mapper::{Answer, Mapper};
use super::operation::Operation;
use super::operation::plan;
use super::pool::Retired;
use super::reaper::{Reaper, end_at_once};
use super::task::GuestTask;
use super::thread::ThreadPages;
use super::{Common, host_error};
use crate::{AddressSpace, Error, MapOp};

/// A guest address space in a host process.
pub(crate) struct ProcessSpace {
    common: Arc<Common>,
    state: Mutex<State>,
    /// Pages of threads that have ended, still mapped.
    free_threads: FreeThreads,
    /// Tasks that wait for a thread to run.
    spare: Mutex<Vec<(GuestTask, Arc<ThreadPages>)>>,
}

/// Tasks kept for threads to come; beyond that, one that is not needed ends. Each is a
/// process to the host.
const SPARE: usize = 8;

type FreeThreads = Arc<Mutex<Vec<Arc<ThreadPages>>>>;

struct State {
    mapper: Mapper,
    mapped: Mapped,
    /// A task was made. Until then nobody sees what is mapped.
    inhabited: bool,
    /// Changes that are to be made before the first task is.
    deferred: Vec<Operation>,
    /// A copy is being made that nobody asked for yet, with this place for its commands.
    ahead: Option<Slot>,
    /// Pages of threads that were ever mapped: they are free for other spaces once this one
    /// is gone.
    threads: Vec<Arc<ThreadPages>>,
    /// What others may have once this is gone.
    kept: Vec<Box<dyn Send>>,
    /// A change failed half-way: what is mapped is not known any more.
    broken: Option<Errno>,
}

impl ProcessSpace {
    pub(super) fn new(common: Arc<Common>, mapper: Mapper, mapped: Mapped) -> Self {
        let state = State {
            mapper,
            mapped,
            inhabited: false,
            deferred: Vec::new(),
            ahead: None,
            threads: Vec::new(),
            kept: Vec::new(),
            broken: None,
        };
        ProcessSpace {
            common,
            state: Mutex::new(state),
            free_threads: FreeThreads::default(),
            spare: Mutex::default(),
        }
    }

    /// A new process with a copy of the mappings.
    pub(crate) fn fork_process(&self) -> Result<ProcessSpace, Error> {
        let mut state = self.state.lock();
        state.check()?;
        if let Some(slot) = state.ahead.take()
            && let Ok(space) = self.finish_fork(&mut state, slot)
        {
            return Ok(space);
        }
        // What was missing when the one ahead was made may be there now.
        let slot = self.begin_fork(&mut state)?;
        self.finish_fork(&mut state, slot)
    }

    /// Has the next copy made, for [`Self::fork_process`] to find. Nothing of the space may
    /// change any more.
    pub(super) fn fork_ahead(&self) {
        let mut state = self.state.lock();
        if state.ahead.is_none() && state.check().is_ok() {
            // If it cannot be had now, then perhaps when it is needed.
            state.ahead = self.begin_fork(&mut state).ok();
        }
    }

    fn begin_fork(&self, state: &mut State) -> Result<Slot, Error> {
        let take = self.common.commands.take();
        let slot = take.map_err(host_error("find a command page"))?;
        let deferred = mem::take(&mut state.deferred);
        if let Answer::Failed(errno) = state.mapper.perform(&deferred)? {
            state.broken = Some(errno);
            state.check()?;
        }
        state.mapper.send(&[], KIND_FORK, slot.offset())?;
        Ok(slot)
    }

    fn finish_fork(&self, state: &mut State, slot: Slot) -> Result<ProcessSpace, Error> {
        let receive = |state: &mut State| {
            let answer = state.mapper.answer()?;
            let pipe = self.common.reports.take(state.mapper.pid());
            Ok((answer, pipe))
        };
        let (mut answer, mut pipe) = receive(state)?;
        if self.was_short(answer) {
            state.mapper.send(&[], KIND_FORK, slot.offset())?;
            (answer, pipe) = receive(state)?;
        }
        let pid = made(answer, "fork an address space")?;
        match pipe {
            Ok(Some(done)) => {
                let mapper = Mapper::new(pid, slot, done, state.mapper.place());
                let common = Arc::clone(&self.common);
                Ok(ProcessSpace::new(common, mapper, state.mapped.clone()))
            }
            result => {
                end_at_once(pid);
                let errno = result.err().unwrap_or(EPROTO);
                Err(host_error("receive a mapper's pipe")(errno))
            }
        }
    }

    /// A task for the calling thread to trace.
    pub(crate) fn new_traced_task(&self) -> Result<GuestTask, Error> {
        let answer = self.make_task(&mut self.state.lock(), None, KIND_TRACED, 0)?;
        made(answer, "make a task").map(|pid| self.guest_task(pid))
    }

    /// A task that runs what `prepare` puts into its pages, whose turn it is. It ends by
    /// [`Self::end_task`].
    pub(crate) fn new_running_task(
        &self,
        prepare: impl FnOnce(&ThreadPages) -> Result<(), Errno>,
    ) -> Result<(GuestTask, Arc<ThreadPages>), Error> {
        let what = "make a task";
        let mut state = self.state.lock();
        let free = self.free_threads.lock().pop();
        let (pages, operations) = match free {
            Some(pages) => (pages, None),
            None => {
                let pages = ThreadPages::new(&self.common.commands);
                let pages = Arc::new(pages.map_err(host_error(what))?);
                let map = Operation::map_thread(&pages);
                // If no task can be made of it, perhaps it is mapped, perhaps not.
                state.threads.push(Arc::clone(&pages));
                (pages, Some(map))
            }
        };
        prepare(&pages).map_err(host_error(what))?;
        let answer = self.make_task(&mut state, operations, KIND_RUN, pages.address())?;
        let pid = made(answer, what)?;
        Ok((self.guest_task(pid), pages))
    }

    fn make_task(
        &self,
        state: &mut State,
        operations: Option<Operation>,
        kind: u32,
        subject: u64,
    ) -> Result<Answer, Error> {
        state.check()?;
        state.inhabited = true;
        let mut all = mem::take(&mut state.deferred);
        all.extend(operations);
        let answer = state.mapper.command(&all, kind, subject)?;
        if self.was_short(answer) {
            return state.mapper.command(&all, kind, subject);
        }
        Ok(answer)
    }

    fn guest_task(&self, pid: Pid) -> GuestTask {
        GuestTask::new(pid, Arc::clone(&self.common.reaper))
    }

    /// A task that was [kept](Self::keep_task): it waits in a signal's handler or in a call,
    /// with whatever registers.
    pub(crate) fn spare_task(&self) -> Option<(GuestTask, Arc<ThreadPages>)> {
        let spare = self.spare.lock().pop()?;
        self.state.lock().check().is_ok().then_some(spare)
    }

    /// Keeps a task that waits for its turn for the next thread; or ends it, if enough wait.
    pub(crate) fn keep_task(&self, task: GuestTask, pages: Arc<ThreadPages>) {
        let mut spare = self.spare.lock();
        if spare.len() < SPARE {
            spare.push((task, pages));
        } else {
            drop(spare);
            self.end_task(task, pages);
        }
    }

    /// Ends a task; its pages are for the next.
    pub(crate) fn end_task(&self, task: GuestTask, pages: Arc<ThreadPages>) {
        let free = Arc::clone(&self.free_threads);
        task.end(Box::new(Returned { pages, free }));
    }

    /// Whether the host refused for want of something that the dead may still hold. Then
    /// they do no longer, and it is worth another try.
    fn was_short(&self, answer: Answer) -> bool {
        let short = matches!(answer, Answer::Failed(EAGAIN | ENOMEM));
        if short {
            self.common.reaper.settle();
        }
        short
    }

    /// A space whose process another one had before.
    pub(super) fn emptied(&self) -> Option<ProcessSpace> {
        let mapper = self.common.pool.take()?;
        let common = Arc::clone(&self.common);
        Some(ProcessSpace::new(common, mapper, Mapped::default()))
    }

    /// No process is used again.
    pub(super) fn close_pool(&self) {
        self.common.pool.close();
    }

    /// Who waits for what has ended.
    pub(super) fn reaper(&self) -> &Reaper {
        &self.common.reaper
    }

    /// What only mappers and the Sentry know.
    pub(crate) fn token(&self) -> u64 {
        self.common.token
    }
}

impl Drop for ProcessSpace {
    fn drop(&mut self) {
        // Before the mapper: the reaper takes what it is given in order.
        self.spare.get_mut().clear();
        let state = self.state.get_mut();
        if state.ahead.is_some() {
            // Nobody knows its number yet.
            if let Ok(Answer::Made(pid)) = state.mapper.answer() {
                end_at_once(pid);
            }
        }
        let mapper = state.mapper.clone();
        let kept = (mem::take(&mut state.threads), mem::take(&mut state.kept));
        let (reaper, pool) = (&self.common.reaper, &self.common.pool);
        if state.check().is_ok() && pool.has_room() {
            reaper.afterwards(Box::new(Retired {
                mapper,
                pool: Arc::clone(pool),
                _kept: kept,
            }));
        } else {
            reaper.end(mapper.pid(), Box::new((mapper, kept)));
        }
    }
}

/// Gives the pages of a task that is gone to others of the same space.
struct Returned {
    pages: Arc<ThreadPages>,
    free: FreeThreads,
}

impl Drop for Returned {
    fn drop(&mut self) {
        // The next owner is a thread of the same process, but not of the same program's
        // making perhaps.
        if self.pages.reset().is_ok() {
            self.free.lock().push(Arc::clone(&self.pages));
        }
    }
}

/// More than the deferred operations there is only what maps a thread's pages.
const DEFERRED: usize = CAPACITY - 1;

impl State {
    /// Performs operations, or leaves them for later while nobody can tell.
    fn perform(&mut self, operations: Vec<Operation>) -> Result<Answer, Error> {
        if self.inhabited {
            return self.mapper.perform(&operations);
        }
        self.deferred.extend(operations);
        if self.deferred.len() <= DEFERRED {
            return Ok(Answer::Done);
        }
        self.mapper.perform(&mem::take(&mut self.deferred))
    }

    fn check(&self) -> Result<(), Error> {
        if self.mapper.has_ended() {
            return Err(Error::Died);
        }
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
            Ok(operations) => state.perform(operations)?,
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

    fn retire(&self, keep: Box<dyn Send>) {
        self.state.lock().kept.push(keep);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
