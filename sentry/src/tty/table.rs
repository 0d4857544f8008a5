//! All pseudoterminals.

use std::collections::BTreeMap;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EIO, ENOSPC};

use super::Pty;
use crate::sync::{Level, Mutex};
use crate::task::Task;

/// The most there can be, as Linux's default for a devpts instance.
const MAX: u32 = 1024;

/// Pseudoterminals by number, as /dev/pts lists them.
pub struct PtyTable(Mutex<BTreeMap<u32, Arc<Pty>>>);

impl Default for PtyTable {
    fn default() -> Self {
        PtyTable(Mutex::new(Level::Wait, BTreeMap::new()))
    }
}

impl PtyTable {
    /// A new pseudoterminal with the lowest free number, of whoever asks for it; the master
    /// has to be opened next. `ENOSPC` if there are too many.
    pub fn create(&self, task: &Task) -> Result<Arc<Pty>, Errno> {
        let creds = task.creds.get();
        let owner = (creds.uid.fs, creds.gid.fs);
        let mut ptys = self.0.lock();
        let index = (0..MAX)
            .find(|index| !ptys.contains_key(index))
            .ok_or(ENOSPC)?;
        let pty = Pty::new(Arc::downgrade(&task.kernel), index, owner);
        ptys.insert(index, pty.clone());
        Ok(pty)
    }

    /// The pseudoterminal with that number; `EIO` if its master is closed.
    pub fn get(&self, index: u32) -> Result<Arc<Pty>, Errno> {
        self.0.lock().get(&index).cloned().ok_or(EIO)
    }

    /// Numbers in use.
    pub fn list(&self) -> Vec<u32> {
        self.0.lock().keys().copied().collect()
    }

    pub(super) fn remove(&self, index: u32) {
        let removed = self.0.lock().remove(&index);
        drop(removed);
    }
}
