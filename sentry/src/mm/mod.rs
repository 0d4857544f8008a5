//! Guest memory.
//!
//! An [`Mm`] says what is mapped where and which pages of the memory file stand behind
//! it, and tells the platform's address space. The kernel reads and writes guest memory
//! only here, through its own mapping of the memory file.

mod limits;
mod mappable;
mod mappings;
mod user;

use std::sync::Arc;

use platform::{AddressSpace, MemoryFile, Platform, Prot};
use syscalls::errno::{EFAULT, ENOMEM, Errno};
use syscalls::{UserAddr, UserPtr};

use crate::sync::{Level, Slot};

pub use limits::Limits;
pub use mappable::Mappable;
pub use mappings::{Mappings, PrivateCopies};
pub use user::{FutexKey, Sharing};

/// Memory of one or more tasks.
pub struct Mm {
    file: MemoryFile,
    space: Arc<dyn AddressSpace>,
    limits: Slot<Limits>,
}

/// A fault that the application has to be told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAccess {
    /// SIGSEGV or SIGBUS.
    pub signal: i32,
    /// SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR …
    pub code: i32,
}

impl Mm {
    /// Empty memory.
    pub fn new(platform: &dyn Platform, file: &MemoryFile) -> Result<Arc<Self>, Errno> {
        let space = platform.new_address_space().map_err(|_| ENOMEM)?;
        Ok(Arc::new(Mm {
            file: file.clone(),
            space,
            limits: Slot::new(Level::Leaf, Limits::default()),
        }))
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

    /// The limits that mmap(2), brk(2), mlock(2) and stack growth obey from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.set(limits);
    }

    fn invalidate(&self, _: &Mappings, _: u64, _: u64, _: PrivateCopies) {}

    fn write_protect(&self, _: &Mappings, _: u64, _: u64) {}

    /// Resolves a fault of application code.
    pub fn handle_fault(&self, _addr: UserAddr, _access: Prot) -> Result<(), BadAccess> {
        Err(BadAccess {
            signal: 11,
            code: 1,
        })
    }
}
