//! A guest thread and its task.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::bound::{At, Bound, broken};
use super::handoff;
use super::tempo::{Room, Slept, Tempo};
use crate::host::cpu_time::ThreadClock;
use crate::process::ProcessSpace;
use crate::process::interrupt::{Interrupter, Target};
use crate::process::layout::thread as page;
use crate::{AddressSpace, Context, Error, Event, FpState, Interrupt, OwnAnswers, Regs};

/// One guest thread.
pub(super) struct SystrapContext {
    bound: Option<Bound>,
    /// The vector state while no task holds it.
    fp: FpState,
    interrupter: Arc<Interrupter>,
    tempo: Option<Tempo>,
    answers: OwnAnswers,
}

impl SystrapContext {
    pub(super) fn new(room: Option<&Arc<Room>>) -> Self {
        SystrapContext {
            bound: None,
            fp: FpState::initial(),
            interrupter: Arc::new(Interrupter::new()),
            tempo: room.map(Tempo::new),
            answers: OwnAnswers::default(),
        }
    }

    fn run(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error> {
        let mut slept = Slept::Nobody;
        let bound = self.bound.as_ref();
        if bound.is_some_and(|bound| Arc::ptr_eq(&bound.space, space)) {
            let Some(bound) = &mut self.bound else {
                return Err(Error::Died);
            };
            if let Some(tempo) = &mut self.tempo {
                bound.looks = tempo.before(bound.task.pid(), &bound.pages);
            }
            if bound.resume(regs, &self.interrupter)? {
                slept = Slept::Task;
            }
        } else {
            self.release();
            self.start(space, regs)?;
        }
        let Some(bound) = &mut self.bound else {
            return Err(Error::Died);
        };
        loop {
            let waited = bound.wait(page::TURN_APPLICATION, &self.interrupter)?;
            if waited && slept == Slept::Nobody {
                slept = Slept::Sentry;
            }
            if let Some(event) = bound.event(&self.interrupter)? {
                if let Some(tempo) = &mut self.tempo {
                    tempo.after(slept, &bound.pages);
                }
                *regs = bound.regs;
                return Ok(event);
            }
            // A signal that means nothing.
            handoff::give(&bound.pages, page::TURN_APPLICATION);
        }
    }

    /// Has a task run in `space`: one that another thread left, or a new one.
    fn start(&mut self, space: &Arc<dyn AddressSpace>, regs: &Regs) -> Result<(), Error> {
        let process = space.as_any().downcast_ref::<ProcessSpace>();
        let process = process.ok_or(Error::Host {
            what: "run in an address space of another platform",
            errno: syscalls::errno::EINVAL,
        })?;
        if let Some(mut spare) = Bound::spare(process, space) {
            self.bind_to(&spare, |clock| clock.started_now());
            spare.set_answers(&self.answers);
            if spare.begin(regs, &self.fp, &self.interrupter).is_ok() {
                self.bound = Some(spare);
                self.interrupter.catch_up();
                return Ok(());
            }
            // Dead, or spoilt by the application.
            self.interrupter.set_task(None);
            spare.end();
        }
        let bound = Bound::new(process, space, regs, &self.fp)?;
        bound.set_answers(&self.answers);
        self.bind_to(&bound, |clock| clock);
        self.bound = Some(bound);
        self.interrupter.catch_up();
        Ok(())
    }

    fn bind_to(&mut self, bound: &Bound, clock: impl FnOnce(ThreadClock) -> ThreadClock) {
        let pid = bound.task.pid();
        if let Some(tempo) = &mut self.tempo {
            tempo.start(pid);
        }
        self.interrupter.set_task(Some(Target {
            pid,
            pages: Some(Arc::clone(&bound.pages)),
            clock: clock(ThreadClock::of_process(pid)),
        }));
    }

    /// Ends the task, if there is one.
    fn end(&mut self) {
        if let Some(bound) = self.unbind() {
            bound.end();
        }
    }

    /// Leaves the task, if there is one, to the next thread of its address space.
    fn leave(&mut self) {
        if let Some(bound) = self.unbind() {
            bound.leave();
        }
    }

    /// Takes the task out, if there is one. Nobody interrupts it any more.
    fn unbind(&mut self) -> Option<Bound> {
        self.interrupter.set_task(None);
        if let Some(tempo) = &mut self.tempo {
            tempo.part();
        }
        self.bound.take()
    }
}

impl Context for SystrapContext {
    fn switch(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error> {
        if let Some(bound) = &self.bound {
            bound.pages.word(page::KICK).store(0, Ordering::Relaxed);
        }
        if !self.interrupter.start() {
            return Ok(Event::Interrupted);
        }
        let result = self.run(space, regs);
        if !self.interrupter.finish(&result) {
            self.end();
        }
        result
    }

    fn fp_state(&mut self) -> Result<FpState, Error> {
        let Some(bound) = &mut self.bound else {
            return Ok(self.fp.clone());
        };
        bound.promote(&self.interrupter)?;
        match &bound.at {
            At::Frame(frame) => frame.fp_state(&bound.pages).map_err(broken),
            At::Call => Err(Error::Died),
        }
    }

    fn set_fp_state(&mut self, state: &FpState) -> Result<(), Error> {
        if let Some(bound) = &mut self.bound {
            bound.promote(&self.interrupter)?;
            if let At::Frame(frame) = &bound.at {
                frame.set_fp_state(&bound.pages, state).map_err(broken)?;
            }
        }
        self.fp = state.clone();
        Ok(())
    }

    fn interrupter(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.interrupter) as Arc<dyn Interrupt>
    }

    fn confine(&mut self, cpus: u64) {
        if let Some(tempo) = &mut self.tempo {
            let bound = self.bound.as_ref();
            let task = bound.map(|bound| (bound.task.pid(), &*bound.pages));
            tempo.confine(cpus, task);
        }
    }

    fn was_slow_call(&self) -> bool {
        let bound = self.bound.as_ref();
        bound.is_some_and(|bound| matches!(bound.at, At::Frame(_)))
    }

    fn set_answers(&mut self, answers: &OwnAnswers) {
        self.answers = *answers;
        if let Some(bound) = &self.bound {
            bound.set_answers(answers);
        }
    }

    fn leave_trampoline(&mut self) {
        if let Some(bound) = &mut self.bound {
            bound.call = None;
        }
    }

    fn release(&mut self) {
        if self.bound.is_none() {
            return;
        }
        match self.fp_state() {
            Ok(state) => {
                self.fp = state;
                self.leave();
            }
            // A task that was killed has no state left to keep.
            Err(_) => self.end(),
        }
    }

    fn finish(&mut self) {
        self.leave();
        self.fp = FpState::initial();
    }
}

impl Drop for SystrapContext {
    fn drop(&mut self) {
        self.end();
    }
}
