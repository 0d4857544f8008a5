//! All pseudoterminals.

use std::collections::BTreeMap;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EIO, ENOSPC};

use super::Pty;
use crate::sync::{Level, Mutex};
use crate::task::Task;

/// The most there can be in an instance of devpts, as Linux's default.
const MAX: u32 = 1024;
/// The most in all, kernel.pty.max.
const MAX_IN_ALL: usize = 4096;

/// Pseudoterminals by instance of devpts, which is its device number, and by their own
/// number there, as /dev/pts lists them.
pub struct PtyTable(Mutex<BTreeMap<(u64, u32), Arc<Pty>>>);

impl Default for PtyTable {
    fn default() -> Self {
        PtyTable(Mutex::new(Level::Wait, BTreeMap::new()))
    }
}

impl PtyTable {
    /// A new pseudoterminal with the instance's lowest free number, of whoever asks for it; the master
    /// has to be opened next. `ENOSPC` if there are too many.
    pub fn create(&self, task: &Task, instance: u64) -> Result<Arc<Pty>, Errno> {
        let creds = task.creds.get();
        let owner = (creds.uid.fs, creds.gid.fs);
        let mut ptys = self.0.lock();
        let index = (0..MAX)
            .find(|index| !ptys.contains_key(&(instance, *index)))
            .filter(|_| ptys.len() < MAX_IN_ALL)
            .ok_or(ENOSPC)?;
        let kernel = Arc::downgrade(&task.kernel);
        let pty = Pty::new(kernel, (instance, index), owner);
        ptys.insert((instance, index), pty.clone());
        Ok(pty)
    }

    /// The pseudoterminal with that number; `EIO` if its master is closed.
    pub fn get(&self, instance: u64, index: u32) -> Result<Arc<Pty>, Errno> {
        self.0.lock().get(&(instance, index)).cloned().ok_or(EIO)
    }

    /// Numbers in use.
    pub fn list(&self, instance: u64) -> Vec<u32> {
        let ptys = self.0.lock();
        let own = ptys.range((instance, 0)..=(instance, u32::MAX));
        own.map(|((_, index), _)| *index).collect()
    }

    pub(super) fn remove(&self, pty: &Pty) {
        let removed = self.0.lock().remove(&(pty.instance, pty.index));
        drop(removed);
    }
}
