//! A guest thread, which is inside the machine on its own thread of the Sentry.

use std::sync::Arc;

use super::door::Door;
use super::interrupt::Interrupter;
use super::pool::{Pool, Seat};
use super::space::KvmSpace;
use crate::host::placement;
use crate::{AddressSpace, Context, Error, Event, FpState, Interrupt, Regs};

/// One guest thread.
pub(super) struct KvmContext {
    pool: Arc<Pool>,
    seat: Arc<Seat>,
    interrupter: Arc<Interrupter>,
    /// The door that the interrupter knows.
    door: Option<Arc<Door>>,
}

impl KvmContext {
    /// For the calling thread, which may have been bound to the CPU of whoever gave it
    /// something to do.
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        placement::run_anywhere();
        KvmContext {
            pool: Arc::clone(pool),
            seat: pool.new_seat(),
            interrupter: Arc::default(),
            door: None,
        }
    }

    fn run(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error> {
        let machine = self.pool.machine();
        let process = space.as_any().downcast_ref::<KvmSpace>();
        let process = process.filter(|process| process.is_of(machine));
        let process = process.ok_or(Error::Host {
            what: "run in an address space of another platform",
            errno: syscalls::errno::EINVAL,
        })?;
        let mut seated = self.seat.lock();
        let vcpu = self.pool.seat(&mut seated)?;
        let door = vcpu.door();
        if self
            .door
            .as_ref()
            .is_none_or(|known| !Arc::ptr_eq(known, door))
        {
            self.door = Some(Arc::clone(door));
            self.interrupter.set_door(self.door.as_ref());
        }
        let interrupter = &self.interrupter;
        interrupter.set_inside(true);
        let result = vcpu.run(machine, process, regs, || interrupter.is_wanted());
        interrupter.set_inside(false);
        if result.is_err() {
            self.pool.lose(&mut seated);
        }
        result
    }
}

impl Context for KvmContext {
    fn switch(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error> {
        if !self.interrupter.start() {
            return Ok(Event::Interrupted);
        }
        let result = self.run(space, regs);
        self.interrupter
            .stop(matches!(result, Ok(Event::Interrupted)));
        result
    }

    fn fp_state(&mut self) -> Result<FpState, Error> {
        let seated = self.seat.lock();
        match &seated.vcpu {
            Some(vcpu) => vcpu.fp_state(),
            None => Ok(seated.fp.clone()),
        }
    }

    fn set_fp_state(&mut self, state: &FpState) -> Result<(), Error> {
        let mut seated = self.seat.lock();
        if let Some(vcpu) = &mut seated.vcpu {
            return vcpu.set_fp_state(state);
        }
        seated.fp = state.clone();
        Ok(())
    }

    fn interrupter(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.interrupter) as Arc<dyn Interrupt>
    }

    fn confine(&mut self, cpus: u64) {
        placement::confine(cpus);
    }

    fn release(&mut self) {
        let mut seated = self.seat.lock();
        if let Some(vcpu) = &seated.vcpu
            && let Ok(state) = vcpu.fp_state()
        {
            seated.fp = state;
        }
        self.pool.take_back(&mut seated);
    }

    fn finish(&mut self) {
        let mut seated = self.seat.lock();
        self.pool.take_back(&mut seated);
        seated.fp = FpState::initial();
    }
}

impl Drop for KvmContext {
    fn drop(&mut self) {
        self.pool.remove_seat(&self.seat);
    }
}
