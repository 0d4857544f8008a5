//! An address space of the machine.
//!
//! A change of its mappings is a change of its tables, which needs no call. What was taken
//! away is out of reach when [`AddressSpace::apply`] returns:
//! - Where the processor itself walks the tables, it may remember them otherwise until it
//!   is told to forget. A vCPU does that when it goes in, if the space's generation has
//!   changed since; those that are inside are called out first.
//! - A host without such a processor keeps shadows of the tables, and does not see what we
//!   write there. It takes pages out of them when our own mapping of these pages goes, and
//!   looks at the tables again when they are touched.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use syscalls::Errno;

use super::broken;
use super::machine::Machine;
use super::tables::{Removed, Tables};
use crate::process::range;
use crate::{AddressSpace, Error, MapOp};

/// See the module.
pub(super) struct KvmSpace {
    machine: Arc<Machine>,
    number: u64,
    root: u64,
    generation: AtomicU64,
    state: Mutex<State>,
}

struct State {
    tables: Tables,
    /// A change failed half-way.
    broken: Option<Errno>,
    /// What others may have once this is gone; after the tables, as fields are dropped in
    /// order.
    kept: Vec<Box<dyn Send>>,
}

impl KvmSpace {
    pub(super) fn new(machine: &Arc<Machine>) -> Result<Self, Errno> {
        Ok(Self::with(machine, Tables::new(Arc::clone(machine))?))
    }

    fn with(machine: &Arc<Machine>, tables: Tables) -> Self {
        KvmSpace {
            machine: Arc::clone(machine),
            number: machine.new_space_number(),
            root: tables.root(),
            generation: AtomicU64::new(0),
            state: Mutex::new(State {
                tables,
                broken: None,
                kept: Vec::new(),
            }),
        }
    }

    /// A number that no other space has or had.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// CR3.
    pub(super) fn root(&self) -> u64 {
        self.root
    }

    /// Changes whenever processors are to forget what they know of the tables.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(super) fn is_of(&self, machine: &Arc<Machine>) -> bool {
        Arc::ptr_eq(&self.machine, machine)
    }

    /// The byte at an address of the application's, if it is mapped.
    pub(super) fn byte(&self, address: u64) -> Option<u8> {
        let place = self.state.lock().tables.find(address)?;
        self.machine.byte(place)
    }

    fn change(&self, state: &mut State, ops: &[MapOp]) -> Result<(), Errno> {
        let mut removed = Removed::default();
        let mut change = || {
            for op in ops {
                let range = range(op)?;
                match *op {
                    MapOp::Map {
                        offset, len, prot, ..
                    } if !prot.is_empty() => {
                        let page = self.machine.cover(offset, len)?;
                        state.tables.map(range, page, prot, &mut removed)?;
                    }
                    MapOp::Protect { prot, .. } if !prot.is_empty() => {
                        state.tables.protect(range, prot, &mut removed);
                    }
                    MapOp::Unmap { .. } | MapOp::Map { .. } | MapOp::Protect { .. } => {
                        state.tables.unmap(range, &mut removed);
                    }
                }
            }
            Ok(())
        };
        let changed = change();
        self.forget(removed)?;
        changed
    }

    /// Has everybody forget what was taken away.
    fn forget(&self, removed: Removed) -> Result<(), Errno> {
        if removed.is_empty() {
            return Ok(());
        }
        if self.machine.is_shadowed() {
            self.machine.forget_pages(removed.pages)?;
        } else {
            self.generation.fetch_add(1, Ordering::SeqCst);
            for door in self.machine.doors.read().iter() {
                door.clear(self.number);
            }
        }
        self.machine.give_back(&removed.tables);
        Ok(())
    }

    /// Changes tables behind everybody's back.
    pub(super) fn remap_unseen(&self, range: (u64, u64), offset: u64) -> Result<(), Errno> {
        let page = self.machine.cover(offset, range.1 - range.0)?;
        let mut removed = Removed::default();
        let tables = &mut self.state.lock().tables;
        tables.map(range, page, crate::Prot::READ, &mut removed)?;
        self.generation.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl AddressSpace for KvmSpace {
    fn apply(&self, ops: &[MapOp]) -> Result<(), Error> {
        let mut state = self.state.lock();
        if let Some(errno) = state.broken {
            return Err(broken("use a broken address space")(errno));
        }
        self.change(&mut state, ops).map_err(|errno| {
            state.broken = Some(errno);
            broken("change mappings")(errno)
        })
    }

    fn fork(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        let state = self.state.lock();
        if let Some(errno) = state.broken {
            return Err(broken("use a broken address space")(errno));
        }
        let copy = state.tables.copy();
        let copy = copy.map_err(broken("fork an address space"))?;
        Ok(Arc::new(Self::with(&self.machine, copy)))
    }

    fn retire(&self, keep: Box<dyn Send>) {
        self.state.lock().kept.push(keep);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
