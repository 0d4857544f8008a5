//! Guest memory.
//!
//! An [`Mm`] says what is mapped where and which pages of the memory file stand behind
//! it, and tells the platform's address space. The kernel reads and writes guest memory
//! only here, through its own mapping of the memory file.

mod advise;
mod brk;
mod calls;
mod change;
mod detach;
mod fault;
mod fetch;
mod force;
mod fork;
mod hot;
pub(crate) mod layout;
mod limits;
mod lock;
mod map;
mod mappable;
mod mappings;
#[cfg(test)]
pub(crate) mod mock;
mod nowhere;
mod own_pages;
mod place;
mod protect;
mod remap;
mod resident;
mod rewrite;
mod source_changes;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod user;
mod vma;
mod vma_map;

use std::mem::take;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use platform::{AddressSpace, MapOp, MemoryFile, Platform};
use syscalls::UserAddr;
use syscalls::errno::{ENOMEM, Errno};

use crate::aio::Contexts;
use crate::sync::{Level, RwLock, Slot};
use crate::vfs::File;
use change::Change;
use state::State;
use vma::Vma;

pub use advise::{Discard, Hole};
pub use layout::Layout;
pub use limits::Limits;
pub use map::{Content, NewMapping, Placement};
pub use mappable::Mappable;
pub use mappings::{Mappings, PrivateCopies};
pub use protect::ProtectFrom;
pub use remap::{Move, Old, Remap};
pub use stats::{MapInfo, MemoryUse, PageState};
pub use user::{FutexKey, Sharing};
pub use vma::{MapName, VmaFlags};

/// Memory of one or more tasks.
pub struct Mm {
    this: Weak<Mm>,
    id: u64,
    file: MemoryFile,
    limits: Slot<Limits>,
    exe: Slot<Option<Arc<File>>>,
    /// Asynchronous I/O, io_setup(2).
    aio: Contexts,
    space: Arc<dyn AddressSpace>,
    state: RwLock<State>,
    heat: rewrite::Heat,
    /// How often rewritten code was brought back.
    restorations: AtomicU64,
}

/// A fault that the application has to be told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAccess {
    /// SIGSEGV or SIGBUS.
    pub signal: i32,
    /// SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR …
    pub code: i32,
}

/// As many runs of pages as the platform maps at once, at most. The host limits how many
/// mappings one of its processes has (vm.max_map_count, 65530).
const MAX_RUNS: usize = 48_000;

impl Mm {
    /// Empty memory.
    pub fn new(
        platform: &dyn Platform,
        file: &MemoryFile,
        limits: Limits,
    ) -> Result<Arc<Self>, Errno> {
        let space = platform.new_address_space().map_err(|_| ENOMEM)?;
        let (low, high) = platform.user_range();
        let layout = Layout::new(low.get(), high.get(), limits.stack);
        Ok(Self::with(file, limits, space, |_, _| State::new(layout)))
    }

    fn with(
        file: &MemoryFile,
        limits: Limits,
        space: Arc<dyn AddressSpace>,
        state: impl FnOnce(&Weak<Mm>, u64) -> State,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new_cyclic(|this| Mm {
            this: this.clone(),
            id,
            file: file.clone(),
            limits: Slot::new(Level::Leaf, limits),
            space,
            exe: Slot::new(Level::Leaf, None),
            aio: Contexts::default(),
            state: RwLock::new(Level::Mm, state(this, id)),
            heat: rewrite::Heat::default(),
            restorations: AtomicU64::new(0),
        })
    }

    /// A number that no other memory ever has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The platform's side of it.
    #[must_use]
    pub fn space(&self) -> &Arc<dyn AddressSpace> {
        &self.space
    }

    /// The memory file that holds the pages.
    #[must_use]
    pub fn file(&self) -> &MemoryFile {
        &self.file
    }

    /// The program that runs in it, /proc/PID/exe.
    pub fn exe(&self) -> Option<Arc<File>> {
        self.exe.get()
    }

    /// Sets what /proc/PID/exe shows.
    pub fn set_exe(&self, file: Option<Arc<File>>) {
        self.exe.set(file);
    }

    /// Its contexts of asynchronous I/O.
    pub(crate) fn aio(&self) -> &Contexts {
        &self.aio
    }

    /// The fixed points of its layout.
    pub fn layout(&self) -> Layout {
        self.state.read().layout.clone()
    }

    /// Changes fixed points of its layout, prctl(PR_SET_MM). The caller has checked them.
    pub fn set_layout(&self, change: impl FnOnce(&mut Layout)) {
        change(&mut self.state.write().layout);
    }

    /// The limits that mmap(2), brk(2), mlock(2) and stack growth obey from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.set(limits);
    }

    /// Performs `f` under the lock, tells the platform what it changed, and lets go of
    /// what it freed, in this order.
    fn change<R, E: From<Errno>>(
        &self,
        f: impl FnOnce(&mut State, &mut Change) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut change = Change::default();
        let mut state = self.state.write();
        let result = f(&mut state, &mut change);
        if change.restored {
            // Before the trampolines are gone.
            self.restorations.fetch_add(1, Ordering::SeqCst);
        }
        let applied = self.apply(&mut state, &mut change);
        drop(state);
        drop(change);
        applied?;
        result
    }

    fn apply(&self, state: &mut State, change: &mut Change) -> Result<(), Errno> {
        if state.resident.runs() > MAX_RUNS && !change.ops.is_empty() {
            self.forget_all(state, change);
        }
        if change.ops.is_empty() && !state.broken {
            return Ok(());
        }
        if !state.broken {
            match self.space.apply(&change.ops) {
                Ok(()) => return Ok(()),
                Err(error) => log::error!("address space {}: {error}", self.id),
            }
        }
        // The task ends when it runs next. Until the address space is gone it may still
        // see the pages.
        state.broken = true;
        state.limbo.append(&mut change.pages);
        Err(ENOMEM)
    }

    /// Has the platform forget all mappings; they come back by faults.
    fn forget_all(&self, state: &mut State, change: &mut Change) {
        let (low, high) = (state.layout.low, state.layout.high);
        change.ops = vec![MapOp::Unmap {
            at: UserAddr::new(low),
            len: high - low,
        }];
        for (_, run) in state.resident.iter_mut() {
            run.told = None;
        }
    }
}

impl Drop for Mm {
    fn drop(&mut self) {
        self.state
            .get_mut()
            .vmas
            .iter()
            .for_each(Vma::note_unmapped);
        // The space ends some time later; its pages may have a new owner then.
        let state = self.state.get_mut();
        let pages = (take(&mut state.resident), take(&mut state.limbo));
        self.space.retire(Box::new(pages));
    }
}
