//! The vCPUs of a machine: made when they are needed, and never more than so many.
//!
//! A guest thread keeps its vCPU, and with it its vector state, as long as nobody else
//! needs one. When all are taken, somebody who is not inside has to give one up.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::machine::Machine;
use super::vcpu::Vcpu;
use crate::{Error, FpState};

/// Where a guest thread has its vCPU, if it has one. Locked while it runs.
pub(super) type Seat = Mutex<Seated>;

/// What is in a [`Seat`].
pub(super) struct Seated {
    pub(super) vcpu: Option<Vcpu>,
    /// The vector state while there is no vCPU.
    pub(super) fp: FpState,
}

/// See the module.
pub(super) struct Pool {
    machine: Arc<Machine>,
    limit: u64,
    state: Mutex<State>,
}

struct State {
    made: u64,
    /// Of these, unusable.
    lost: u64,
    free: Vec<Vcpu>,
    /// Those that may have a vCPU.
    seats: Vec<Arc<Seat>>,
}

impl Pool {
    /// Of `limit` vCPUs, one of which may be there already.
    pub(super) fn new(machine: Arc<Machine>, first: Option<Vcpu>, limit: u64) -> Self {
        Pool {
            machine,
            limit,
            state: Mutex::new(State {
                made: u64::from(first.is_some()),
                lost: 0,
                free: first.into_iter().collect(),
                seats: Vec::new(),
            }),
        }
    }

    pub(super) fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// A new seat, without a vCPU.
    pub(super) fn new_seat(&self) -> Arc<Seat> {
        let seat = Arc::new(Mutex::new(Seated {
            vcpu: None,
            fp: FpState::initial(),
        }));
        self.state.lock().seats.push(Arc::clone(&seat));
        seat
    }

    /// Forgets a seat, whose vCPU is for others.
    pub(super) fn remove_seat(&self, seat: &Arc<Seat>) {
        self.take_back(&mut seat.lock());
        self.state
            .lock()
            .seats
            .retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// The vCPU is for others. The vector state in it is lost.
    pub(super) fn take_back(&self, seated: &mut Seated) {
        if let Some(vcpu) = seated.vcpu.take() {
            self.state.lock().free.push(vcpu);
        }
    }

    /// Nobody knows what state the vCPU is in: it is not used again.
    pub(super) fn lose(&self, seated: &mut Seated) {
        if seated.vcpu.take().is_some() {
            self.state.lock().lost += 1;
        }
    }

    /// Makes sure that there is a vCPU, with the thread's vector state.
    pub(super) fn seat<'a>(&self, seated: &'a mut Seated) -> Result<&'a mut Vcpu, Error> {
        if seated.vcpu.is_none() {
            let mut vcpu = self.vcpu()?;
            vcpu.set_fp_state(&seated.fp)?;
            seated.vcpu = Some(vcpu);
        }
        seated.vcpu.as_mut().ok_or(Error::Died)
    }

    fn vcpu(&self) -> Result<Vcpu, Error> {
        /// As long as all are inside; whoever is, will come out some time.
        const PAUSE: Duration = Duration::from_millis(1);
        loop {
            let seats = {
                let mut state = self.state.lock();
                if let Some(vcpu) = state.free.pop() {
                    return Ok(vcpu);
                }
                if state.made < self.limit {
                    let number = state.made;
                    state.made += 1;
                    drop(state);
                    return Vcpu::new(&self.machine, number);
                }
                if state.lost >= self.limit {
                    return Err(Error::Died);
                }
                // The oldest first.
                state.seats.clone()
            };
            if let Some(vcpu) = seats.iter().find_map(|seat| give_up(seat)) {
                return vcpu;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Takes the vCPU of somebody who is not inside.
fn give_up(seat: &Seat) -> Option<Result<Vcpu, Error>> {
    let mut seated = seat.try_lock()?;
    let vcpu = seated.vcpu.take()?;
    let state = vcpu.fp_state();
    Some(state.map(|state| {
        let _ = mem::replace(&mut seated.fp, state);
        vcpu
    }))
}
