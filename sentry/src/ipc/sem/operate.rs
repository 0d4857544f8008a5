//! Performing operations, now or when others make it possible.

use std::sync::Arc;

use syscalls::abi::ipc::{IPC_NOWAIT, SEM_UNDO, SemBuf};
use syscalls::errno::{EAGAIN, EFBIG, EIDRM, ERANGE};
use syscalls::{Errno, Stop};

use super::{Operations, SEMAEM, SEMVMX, SemSet, Semaphore, State, Waiter, Waiting, wake};
use crate::task::Current;
use crate::wait::{Deadline, Ready, WaitQueue};

/// What became of operations.
enum Outcome {
    /// Performed; `true` if a value changed.
    Done(bool),
    /// This one has to wait.
    Blocked(usize),
    /// They never will be.
    Failed(Errno),
}

/// A flag of an operation.
fn has(flags: i16, flag: i32) -> bool {
    i32::from(flags) & flag != 0
}

impl State {
    /// Performs all or none.
    fn try_perform(&mut self, operations: &Operations) -> Outcome {
        let mut done = Vec::with_capacity(operations.list.len());
        let mut changed = false;
        for (index, operation) in operations.list.iter().enumerate() {
            match self.perform(operation, operations) {
                Ok(before) => done.push((operation, before)),
                Err(EAGAIN) if !has(operation.flg, IPC_NOWAIT) => {
                    self.take_back(done, operations.undo);
                    return Outcome::Blocked(index);
                }
                Err(error) => {
                    self.take_back(done, operations.undo);
                    return Outcome::Failed(error);
                }
            }
            changed |= operation.op != 0;
        }
        self.operated_at = crate::ipc::now();
        Outcome::Done(changed)
    }

    /// Performs one; returns how the semaphore was. `EAGAIN` if that is not possible now.
    fn perform(&mut self, operation: &SemBuf, operations: &Operations) -> Result<Semaphore, Errno> {
        let number = usize::from(operation.num);
        let change = i32::from(operation.op);
        let semaphore = self.semaphores.get_mut(number).ok_or(EFBIG)?;
        let before = *semaphore;
        let value = before.value + change;
        if (change == 0 && value != 0) || value < 0 {
            return Err(EAGAIN);
        }
        if value > SEMVMX {
            return Err(ERANGE);
        }
        if has(operation.flg, SEM_UNDO)
            && let Some(id) = operations.undo
            && let Some(undo) = self.undo.get_mut(&id).and_then(|u| u.get_mut(number))
        {
            let sum = *undo - change;
            if !(-SEMAEM - 1..=SEMAEM).contains(&sum) {
                return Err(ERANGE);
            }
            *undo = sum;
        }
        *semaphore = Semaphore {
            value,
            pid: operations.pid,
        };
        Ok(before)
    }

    fn take_back(&mut self, done: Vec<(&SemBuf, Semaphore)>, undo: Option<u64>) {
        for (operation, before) in done.into_iter().rev() {
            let number = usize::from(operation.num);
            if let Some(semaphore) = self.semaphores.get_mut(number) {
                *semaphore = before;
            }
            if has(operation.flg, SEM_UNDO)
                && let Some(id) = undo
                && let Some(undo) = self.undo.get_mut(&id).and_then(|u| u.get_mut(number))
            {
                *undo += i32::from(operation.op);
            }
        }
    }

    /// Performs what waits and has become possible; returns whom to wake.
    pub(super) fn serve_waiting(&mut self) -> Vec<Arc<Waiter>> {
        let mut served = Vec::new();
        let mut at = 0;
        while let Some(waiting) = self.waiting.get(at) {
            let waiter = waiting.waiter.clone();
            let (result, changed) = match self.try_perform(&waiter.operations) {
                Outcome::Done(changed) => (Ok(()), changed),
                Outcome::Failed(error) => (Err(error), false),
                Outcome::Blocked(index) => {
                    if let Some(waiting) = self.waiting.get_mut(at) {
                        waiting.blocked = index;
                    }
                    at += 1;
                    continue;
                }
            };
            self.waiting.remove(at);
            waiter.finish(result);
            served.push(waiter);
            if changed {
                // Who stands before may go on now.
                at = 0;
            }
        }
        served
    }

    /// The set is gone; returns whom to wake.
    pub(super) fn remove(&mut self) -> Vec<Arc<Waiter>> {
        self.removed = true;
        let waiting = std::mem::take(&mut self.waiting);
        let waiters = waiting.into_iter().map(|waiting| waiting.waiter);
        waiters
            .inspect(|waiter| waiter.finish(Err(EIDRM)))
            .collect()
    }
}

impl SemSet {
    /// semtimedop(2). `EAGAIN` at the deadline, `EIDRM`, `EINTR`.
    pub(super) fn operate(
        &self,
        task: &Current,
        operations: Operations,
        deadline: Option<Deadline>,
    ) -> Result<(), Stop> {
        let waiter = {
            let mut state = self.0.lock();
            if state.removed {
                return Err(EIDRM.into());
            }
            if let Some(id) = operations.undo {
                let count = state.semaphores.len();
                state.undo.entry(id).or_insert_with(|| vec![0; count]);
            }
            let blocked = match state.try_perform(&operations) {
                Outcome::Done(changed) => {
                    let served = if changed {
                        state.serve_waiting()
                    } else {
                        Vec::new()
                    };
                    drop(state);
                    wake(&served);
                    return Ok(());
                }
                Outcome::Failed(error) => return Err(error.into()),
                Outcome::Blocked(index) => index,
            };
            let waiter = Arc::new(Waiter {
                operations,
                result: std::sync::OnceLock::new(),
                queue: WaitQueue::new(),
            });
            state.waiting.push(Waiting {
                waiter: waiter.clone(),
                blocked,
            });
            waiter
        };
        let attempt = || match waiter.result.get() {
            Some(result) => Ok(*result),
            None => Err(EAGAIN.into()),
        };
        let waited = task.block_on(&waiter.queue, Ready::WRITABLE, deadline, attempt);
        let result = match waited {
            Ok(result) => result,
            Err(stop) => self.give_up(&waiter, stop),
        };
        Ok(result?)
    }

    /// Takes a waiter out, unless it was served at the last moment.
    fn give_up(&self, waiter: &Arc<Waiter>, stop: Stop) -> Result<(), Errno> {
        let mut state = self.0.lock();
        if let Some(result) = waiter.result.get() {
            return *result;
        }
        state
            .waiting
            .retain(|waiting| !Arc::ptr_eq(&waiting.waiter, waiter));
        Err(crate::ipc::given_up(stop))
    }
}
