//! The systrap platform: guest threads are tasks that hand over by themselves.
//!
//! A filter makes every system call of the application a signal, and exceptions are signals
//! anyway. Their handler, and the trampolines to which hot calls are rewritten, take turns
//! with the thread of the Sentry that runs the guest thread over shared pages (`handoff`):
//! no host call at all as long as both look, one on each side if they sleep. What runs in
//! the task stands in `process::guest_code`, what the filter allows in `seccomp::mapper`.
//!
//! Needs the instructions RDFSBASE to WRGSBASE: Linux 5.9 and processors of the last ten
//! years.

mod bound;
mod context;
mod frame;
mod handoff;
pub mod rewrite;
mod tempo;

use std::sync::Arc;

use syscalls::UserAddr;

use crate::process::{Processes, layout};
use crate::{AddressSpace, Context, Error, MemoryFile, Platform};
use context::SystrapContext;
use tempo::Room;

/// See the [module](self).
pub struct SystrapPlatform {
    processes: Processes,
    room: Option<Arc<Room>>,
}

impl SystrapPlatform {
    /// A platform for guests whose pages are in `memory`. `EOPNOTSUPP` where the processor
    /// or the host has not what it needs.
    ///
    /// Call it on a thread that lives as long as the sandbox (its end is the guests'),
    /// while the process is small, in its final identity and namespaces, and before its
    /// seccomp filter.
    pub fn new(memory: &MemoryFile) -> Result<Self, Error> {
        if !Self::is_supported() {
            return Err(Error::Host {
                what: "set the bases of FS and GS",
                errno: syscalls::errno::EOPNOTSUPP,
            });
        }
        Ok(SystrapPlatform {
            processes: Processes::new(memory)?,
            room: Room::new(),
        })
    }

    /// True if processor and host have what it needs.
    #[must_use]
    pub fn is_supported() -> bool {
        /// `HWCAP2_FSGSBASE` of <asm/hwcap2.h>.
        const FSGSBASE: u64 = 2;
        // SAFETY: reads a value that the host gave this process at its start.
        let capabilities = unsafe { libc::getauxval(libc::AT_HWCAP2) };
        capabilities & FSGSBASE != 0
    }
}

impl Platform for SystrapPlatform {
    fn name(&self) -> &'static str {
        "systrap"
    }

    fn user_range(&self) -> (UserAddr, UserAddr) {
        let start = UserAddr::new(layout::USER_START);
        (start, UserAddr::new(layout::USER_END))
    }

    fn new_address_space(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        Ok(Arc::new(self.processes.new_space()?))
    }

    fn settle(&self) {
        self.processes.settle();
    }

    fn new_context(&self) -> Result<Box<dyn Context>, Error> {
        Ok(Box::new(SystrapContext::new(self.room.as_ref())))
    }
}
