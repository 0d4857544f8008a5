//! A platform that keeps what it is told, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use platform::{AddressSpace, Context, Error, MapOp, Platform, Prot};
use syscalls::UserAddr;

/// What the application would see: page address to offset and rights.
pub(crate) type Table = BTreeMap<u64, (u64, Prot)>;

pub(crate) struct MockSpace {
    pub(crate) table: Mutex<Table>,
    pub(crate) calls: Mutex<u32>,
    kept: Mutex<Vec<Box<dyn Send>>>,
}

impl MockSpace {
    pub(crate) fn new(table: Table) -> Arc<Self> {
        Arc::new(MockSpace {
            table: Mutex::new(table),
            calls: Mutex::new(0),
            kept: Mutex::default(),
        })
    }
}

impl AddressSpace for MockSpace {
    fn apply(&self, ops: &[MapOp]) -> Result<(), Error> {
        *self.calls.lock().unwrap() += 1;
        let mut table = self.table.lock().unwrap();
        let pages = |at: UserAddr, len: u64| (at.get()..at.get() + len).step_by(4096);
        for op in ops {
            match *op {
                MapOp::Map {
                    at,
                    len,
                    offset,
                    prot,
                    ..
                } => {
                    for page in pages(at, len) {
                        table.insert(page, (offset + page - at.get(), prot));
                    }
                    table.retain(|_, (_, prot)| !prot.is_empty());
                }
                MapOp::Unmap { at, len } => {
                    table.retain(|page, _| *page < at.get() || *page >= at.get() + len);
                }
                MapOp::Protect { at, len, prot } => {
                    for (_, entry) in table.range_mut(at.get()..at.get() + len) {
                        entry.1 = prot;
                    }
                    table.retain(|_, (_, prot)| !prot.is_empty());
                }
            }
        }
        Ok(())
    }

    fn fork(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        Ok(MockSpace::new(self.table.lock().unwrap().clone()))
    }

    fn retire(&self, keep: Box<dyn Send>) {
        self.kept.lock().unwrap().push(keep);
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// A platform that runs nothing.
pub(crate) struct MockPlatform;

impl Platform for MockPlatform {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn user_range(&self) -> (UserAddr, UserAddr) {
        (UserAddr::new(0x1_0000), UserAddr::new(0x7fff_ff00_0000))
    }

    fn new_address_space(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        Ok(MockSpace::new(Table::new()))
    }

    fn settle(&self) {}

    fn new_context(&self) -> Result<Box<dyn Context>, Error> {
        Err(Error::Died)
    }
}
