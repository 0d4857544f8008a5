//! Processes whose address space nobody needs any more, for the next one.
//!
//! To fork a process and to take it down costs the host more than to empty one. Only the
//! mapper stays, and it knows nothing of what it has mapped: its code, its registers and its
//! descriptors are out of the application's reach. Tasks run what an application wants, so
//! they are dead before anything is emptied (`reaper` does one after the other).

use std::sync::Arc;

use parking_lot::Mutex;

use super::mapper::{Answer, Mapper};
use super::reaper::end_at_once;
use super::template::forget;

/// As many processes wait for a use.
const SIZE: usize = 2;

/// See the module.
pub(super) struct Pool {
    /// `None` once nobody will take them.
    mappers: Mutex<Option<Vec<Mapper>>>,
}

impl Pool {
    pub(super) fn new() -> Self {
        Pool {
            mappers: Mutex::new(Some(Vec::new())),
        }
    }

    /// A process that has nothing mapped.
    pub(super) fn take(&self) -> Option<Mapper> {
        self.mappers.lock().as_mut()?.pop()
    }

    /// Whether one more is wanted.
    pub(super) fn has_room(&self) -> bool {
        let mappers = self.mappers.lock();
        mappers.as_ref().is_some_and(|list| list.len() < SIZE)
    }

    /// Takes no more, and ends those that there are.
    pub(super) fn close(&self) {
        let mappers = self.mappers.lock().take();
        let mappers = mappers.unwrap_or_default();
        mappers.iter().for_each(|mapper| end_at_once(mapper.pid()));
    }

    /// Empties a process; false if it is of no use any more.
    fn recycle(&self, mapper: &mut Mapper) -> bool {
        if !self.has_room()
            || !matches!(mapper.perform(&forget()), Ok(Answer::Done))
            || mapper.slot().clear().is_err()
        {
            return false;
        }
        let mut mappers = self.mappers.lock();
        let list = mappers.as_mut().filter(|list| list.len() < SIZE);
        list.map(|list| list.push(mapper.clone())).is_some()
    }
}

/// An address space that nobody needs. To be dropped when its tasks are gone.
pub(super) struct Retired<T> {
    pub(super) mapper: Mapper,
    pub(super) pool: Arc<Pool>,
    /// What others may have once nothing is mapped any more.
    pub(super) _kept: T,
}

impl<T> Drop for Retired<T> {
    fn drop(&mut self) {
        if !self.pool.recycle(&mut self.mapper) {
            end_at_once(self.mapper.pid());
        }
    }
}
