//! A guest thread under its tracer.

use std::sync::Arc;

use syscalls::Errno;

use super::stop::{Signal, Stops};
use super::tracee::{Tracee, Wait};
use crate::host::cpu_time::ThreadClock;
use crate::process::ProcessSpace;
use crate::process::interrupt::{Interrupter, KICK, Target};
use crate::process::pair::{Pair, Pairs};
use crate::{AddressSpace, Context, Error, Event, FpState, Interrupt, Regs};

/// One guest thread.
pub(super) struct PtraceContext {
    bound: Option<Bound>,
    /// The vector state while no task holds it.
    fp: FpState,
    interrupter: Arc<Interrupter>,
    stops: Stops,
    pair: Option<Pair>,
}

/// A task in an address space.
struct Bound {
    tracee: Tracee,
    /// The registers it has now.
    regs: Regs,
    /// Declared last, as fields are dropped in order: the task goes before its space may.
    space: Arc<dyn AddressSpace>,
}

impl PtraceContext {
    pub(super) fn new(pairs: Option<&Arc<Pairs>>) -> Self {
        PtraceContext {
            pair: pairs.map(Pair::new),
            bound: None,
            fp: FpState::initial(),
            interrupter: Arc::new(Interrupter::new()),
            stops: Stops::default(),
        }
    }

    fn run(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error> {
        self.bind(space)?;
        if self.interrupter.is_wanted() {
            return Ok(Event::Interrupted);
        }
        let Some(bound) = &mut self.bound else {
            return Err(Error::Died);
        };
        bound.load(regs)?;
        if let Some(pair) = &mut self.pair {
            pair.switch(bound.tracee.pid());
        }
        loop {
            let resumed = bound.tracee.resume();
            resumed.map_err(failed("resume a guest task"))?;
            let signal = match bound.tracee.wait()? {
                Wait::Syscall => {
                    bound.store(regs)?;
                    return Ok(self.stops.syscall(regs));
                }
                Wait::Signal(signal) if signal == KICK as i32 => {
                    if self.interrupter.is_wanted() {
                        bound.store(regs)?;
                        return Ok(Event::Interrupted);
                    }
                    // Late: the switch that it was to end has ended otherwise.
                    continue;
                }
                Wait::Signal(signal) => bound.signal(signal)?,
                Wait::Other => continue,
            };
            // Signals that somebody on the host sent are no concern of the guest.
            let Some(signal) = signal else {
                continue;
            };
            bound.store(regs)?;
            if let Some(event) = self.stops.exception(signal, regs) {
                return Ok(event);
            }
        }
    }

    /// Makes sure that there is a task in `space`.
    fn bind(&mut self, space: &Arc<dyn AddressSpace>) -> Result<(), Error> {
        let bound = self.bound.as_ref();
        if bound.is_some_and(|bound| Arc::ptr_eq(&bound.space, space)) {
            return Ok(());
        }
        self.release();
        let process = space.as_any().downcast_ref::<ProcessSpace>();
        let process = process.ok_or(Error::Host {
            what: "run in an address space of another platform",
            errno: syscalls::errno::EINVAL,
        })?;
        let tracee = Tracee::start(process)?;
        if let Some(pair) = &mut self.pair {
            pair.start(tracee.pid());
        }
        let loaded = tracee.set_fp_state(&self.fp);
        loaded.map_err(failed("load vector state"))?;
        let regs = tracee.regs().map_err(failed("read registers"))?;
        self.interrupter.set_task(Some(Target {
            pid: tracee.pid(),
            pages: None,
            clock: ThreadClock::of_process(tracee.pid()),
        }));
        self.bound = Some(Bound {
            tracee,
            regs,
            space: Arc::clone(space),
        });
        Ok(())
    }

    /// Forgets the task, which ends with that.
    fn unbind(&mut self) {
        self.interrupter.set_task(None);
        if let Some(pair) = &mut self.pair {
            pair.part();
        }
        self.bound = None;
    }
}

impl Bound {
    /// Gives the task these registers.
    fn load(&mut self, regs: &Regs) -> Result<(), Error> {
        let wanted = regs.sanitized();
        if wanted != self.regs {
            let set = self.tracee.set_regs(&wanted);
            set.map_err(failed("set registers"))?;
            self.regs = wanted;
        }
        Ok(())
    }

    /// Fetches the task's registers.
    fn store(&mut self, regs: &mut Regs) -> Result<(), Error> {
        self.regs = self.tracee.regs().map_err(failed("read registers"))?;
        *regs = self.regs;
        Ok(())
    }

    /// The exception behind a signal; `None` if somebody sent it.
    fn signal(&self, number: i32) -> Result<Option<Signal>, Error> {
        let info = self.tracee.siginfo().map_err(failed("read a signal"))?;
        // Codes above zero are the kernel's own.
        if info.si_code <= 0 {
            return Ok(None);
        }
        // SAFETY: plain data whatever the signal; exceptions have an address there.
        let addr = unsafe { info.si_addr() };
        Ok(Some(Signal {
            number,
            code: info.si_code,
            addr: addr.addr() as u64,
        }))
    }
}

/// The task is stopped, so a call on it fails only because it was killed meanwhile, or for
/// a reason that is our own mistake.
fn failed(what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| match errno {
        syscalls::errno::ESRCH => Error::Died,
        errno => Error::Host { what, errno },
    }
}

impl Context for PtraceContext {
    fn switch(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error> {
        if !self.interrupter.start() {
            return Ok(Event::Interrupted);
        }
        let result = self.run(space, regs);
        if !self.interrupter.finish(&result) {
            self.unbind();
        }
        result
    }

    fn fp_state(&mut self) -> Result<FpState, Error> {
        match &self.bound {
            Some(bound) => bound.tracee.fp_state().map_err(failed("read vector state")),
            None => Ok(self.fp.clone()),
        }
    }

    fn set_fp_state(&mut self, state: &FpState) -> Result<(), Error> {
        if let Some(bound) = &self.bound {
            let set = bound.tracee.set_fp_state(state);
            set.map_err(failed("set vector state"))?;
        }
        self.fp = state.clone();
        Ok(())
    }

    fn interrupter(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.interrupter) as Arc<dyn Interrupt>
    }

    fn confine(&mut self, cpus: u64) {
        if let Some(pair) = &mut self.pair {
            let task = self.bound.as_ref().map(|bound| bound.tracee.pid());
            pair.confine(cpus, task);
        }
    }

    fn release(&mut self) {
        if let Some(bound) = &self.bound {
            // A task that was killed has no state left to keep.
            if let Ok(state) = bound.tracee.fp_state() {
                self.fp = state;
            }
        }
        self.unbind();
    }

    fn finish(&mut self) {
        self.unbind();
        self.fp = FpState::initial();
    }
}

impl Drop for PtraceContext {
    fn drop(&mut self) {
        self.unbind();
    }
}
