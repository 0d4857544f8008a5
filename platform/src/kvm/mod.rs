//! The kvm platform: applications run in ring 3 of a virtual machine.
//!
//! One machine for a sandbox. Its guest-physical memory is the memory file, and some pages
//! of the platform's own; an address space is a set of page tables there, which the Sentry
//! writes (`tables`, `space`). A guest thread runs on a vCPU (`vcpu`), and that on the
//! thread of the Sentry that the guest thread is. Ring 0 holds next to nothing
//! (`supervisor`): system calls and exceptions end at a HLT there, and so in the Sentry.
//!
//! # Two kinds of hosts
//! - With hardware for it, the processor walks the tables itself, and a call costs the way
//!   out of the machine and in again.
//! - Without, the host keeps shadows of the tables, lets ring 3 run natively, and emulates
//!   ring 0. SYSCALL then ends as a page fault at its entry, and CPUID is emulated although
//!   all features are there.
//!
//! Which it is, a probe finds out (`probe`), by what happens and not by names.
//!
//! # What an application can do to it
//! It has no access to anything above its half of the address space, and cannot make
//! tables. What it leaves in registers is copied once, and never an address of ours. A
//! register that would keep the supervisor from leaving (an instruction pointer that is no
//! address) is found before. An exception in the supervisor ends the guest process.

mod context;
mod cpuid;
mod door;
mod exit;
mod interrupt;
mod layout;
mod machine;
mod own;
mod pool;
mod probe;
mod signal;
mod space;
mod supervisor;
mod tables;
#[cfg(test)]
mod tests;
mod vcpu;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use syscalls::{Errno, UserAddr};

use crate::host::placement;
use crate::process::layout::{USER_END, USER_START};
use crate::{AddressSpace, Context, Error, MemoryFile, Platform};
use context::KvmContext;
use layout::VCPU_COUNT;
use pool::Pool;
use space::KvmSpace;

/// See the [module](self).
pub struct KvmPlatform {
    pool: Arc<Pool>,
}

impl KvmPlatform {
    /// A platform for guests whose pages are in `memory`. `device` is /dev/kvm, open for
    /// reading and writing.
    ///
    /// Call it before the seccomp filter, in the process that will run the guests. It takes
    /// SIGURG over.
    pub fn new(device: OwnedFd, memory: &MemoryFile) -> Result<Self, Error> {
        Self::with_limit(device, memory, VCPU_COUNT)
    }

    fn with_limit(device: OwnedFd, memory: &MemoryFile, limit: u64) -> Result<Self, Error> {
        signal::install().map_err(broken("set the disposition of SIGURG"))?;
        let _ = placement::everywhere();
        let (machine, first) = probe::machine(&machine::adopt(device), memory)?;
        Ok(KvmPlatform {
            pool: Arc::new(Pool::new(machine, first, limit)),
        })
    }
}

impl Platform for KvmPlatform {
    fn name(&self) -> &'static str {
        "kvm"
    }

    fn user_range(&self) -> (UserAddr, UserAddr) {
        (UserAddr::new(USER_START), UserAddr::new(USER_END))
    }

    /// RDTSCP tells nothing about the host's processors.
    fn vdso_flags(&self) -> u32 {
        0
    }

    fn new_address_space(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        let space = KvmSpace::new(self.pool.machine());
        Ok(Arc::new(space.map_err(broken("make page tables"))?))
    }

    fn settle(&self) {
        // An address space is gone as soon as it is dropped.
    }

    fn new_context(&self) -> Result<Box<dyn Context>, Error> {
        Ok(Box::new(KvmContext::new(&self.pool)))
    }
}

/// An operation that failed.
fn broken(what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::Host { what, errno }
}

/// As [`broken`], for errors of KVM.
fn host(what: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> Error {
    move |error| broken(what)(Errno::from_raw(error.errno()))
}
