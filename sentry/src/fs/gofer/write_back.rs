//! Changed data on its way to the host.
//!
//! An inode with data to write stands in a list, which keeps it alive. A thread, started
//! with the first such inode, writes the list out a while after something got on it, and
//! sleeps otherwise; [`WriteBack::flush_all`] does it at the sandbox's end and for sync(2).

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

use platform::host::placement::run_anywhere;
use syscalls::Errno;

use super::inode::GoferInode;
use crate::sync::{Level, Mutex};

/// How long data may stay unwritten; Linux's default is 5 seconds for old data.
const DELAY: Duration = Duration::from_secs(2);

/// The inodes of a sandbox with data to write.
#[derive(Clone)]
pub struct WriteBack(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dirty: HashMap<usize, Arc<GoferInode>>,
    thread: Option<Thread>,
}

impl Default for WriteBack {
    fn default() -> Self {
        WriteBack(Arc::new(Shared {
            state: Mutex::new(Level::Timers, State::default()),
        }))
    }
}

fn key(inode: &Arc<GoferInode>) -> usize {
    Arc::as_ptr(inode).addr()
}

impl WriteBack {
    /// As [`Self::flush_all`], where nobody could do anything about a failure.
    pub fn flush_all_or_log(&self) {
        if let Err(error) = self.flush_all() {
            log::error!("data could not be written: {error}");
        }
    }

    /// Something of `inode` is to be written.
    pub(super) fn add(&self, inode: &Arc<GoferInode>) {
        let mut state = self.0.state.lock();
        let first = state.dirty.is_empty();
        state.dirty.insert(key(inode), inode.clone());
        match &state.thread {
            Some(thread) if first => thread.unpark(),
            Some(_) => {}
            None => {
                let shared = Arc::downgrade(&self.0);
                let run = move || {
                    run_anywhere();
                    loop {
                        std::thread::sleep(DELAY);
                        let Some(shared) = shared.upgrade() else {
                            return;
                        };
                        let this = WriteBack(shared);
                        this.flush_all_or_log();
                        let idle = this.0.state.lock().dirty.is_empty();
                        drop(this);
                        if idle {
                            std::thread::park();
                        }
                    }
                };
                match std::thread::Builder::new()
                    .name("write-back".into())
                    .spawn(run)
                {
                    Ok(handle) => state.thread = Some(handle.thread().clone()),
                    Err(error) => log::error!("no thread for write-back: {error}"),
                }
            }
        }
    }

    /// Nothing of `inode` is worth writing any more: its last name is gone.
    pub(super) fn remove(&self, inode: &Arc<GoferInode>) {
        let removed = self.0.state.lock().dirty.remove(&key(inode));
        drop(removed);
    }

    /// Writes everything; tries all and returns the first error.
    pub fn flush_all(&self) -> Result<(), Errno> {
        let dirty = std::mem::take(&mut self.0.state.lock().dirty);
        let mut result = Ok(());
        for inode in dirty.into_values() {
            result = result.and(inode.flush());
        }
        result
    }
}
