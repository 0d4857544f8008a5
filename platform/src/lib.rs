//! What runs application code, and the only crate with `unsafe`.
//!
//! The kernel above sees four things: the [`MemoryFile`] that holds every guest page,
//! [`AddressSpace`]s that say which of its pages an application sees where, [`Context`]s
//! that run application code until something happens, and [`host`], a safe face of the
//! few host facilities that need unsafe calls.
//!
//! # Safety model
//! - Guest memory is never a Rust reference: it is copied, or touched by atomics.
//! - Whatever an application can write is hostile: it is read once, then checked.
//! - A page of the memory file gets a new owner only after every mapping of it is known
//!   to be gone: [`AddressSpace::apply`] returns after the host has done it, and
//!   [`AddressSpace::retire`] keeps the pages of an address space until it has ended.

pub mod arch;
pub mod host;
pub mod kvm;
pub mod memfile;
pub mod process;
pub mod ptrace;
pub mod seccomp;
pub mod systrap;
mod usercopy;

use std::sync::Arc;

use bitflags::bitflags;
use syscalls::{Errno, UserAddr};

pub use arch::{FpState, Regs};
pub use memfile::{MemoryFile, Pages};

bitflags! {
    /// What application code may do with a page.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Prot: u8 {
        /// Load.
        const READ = 1;
        /// Store.
        const WRITE = 2;
        /// Fetch instructions.
        const EXEC = 4;
    }
}

/// Why a platform operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A host call failed in a way that the sandbox does not survive.
    #[error("{what}: {errno}")]
    Host {
        /// What was attempted.
        what: &'static str,
        /// The host's answer.
        errno: Errno,
    },
    /// The host process behind an address space or context is gone (killed from outside,
    /// or by the host's OOM killer).
    #[error("the host process of an address space died")]
    Died,
}

/// What ended a stretch of application code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A system call: number in `regs.orig_rax`, arguments in the usual registers,
    /// `regs.rip` after the instruction. `regs.rax` is to be set by the kernel. The two
    /// bytes before `rip` are a `syscall` instruction: an interrupted call is repeated by
    /// running on from there.
    Syscall,
    /// An access to a page that is not mapped so.
    ///
    /// Not every host tells what kind of access it was; then it is what is certain not to
    /// be too much: READ for a page that is not mapped at all, and for one that is mapped
    /// but not for this, WRITE. If the instruction needs more than was granted, it faults
    /// again with the page mapped. So a kernel that finds the page mapped with the rights
    /// that the event names just goes on (another thread was faster), and one that maps a
    /// page for reading will be asked again for writing.
    Fault {
        /// The address, byte-exact.
        addr: UserAddr,
        /// Exactly one of READ, WRITE, EXEC. EXEC is always right.
        access: Prot,
    },
    /// A processor exception that becomes a signal: SIGFPE, SIGILL, SIGTRAP, SIGBUS
    /// (alignment) or SIGSEGV (general protection, non-canonical address).
    Exception {
        /// Linux signal number.
        signal: i32,
        /// `si_code`.
        code: i32,
        /// `si_addr`.
        addr: UserAddr,
    },
    /// [`Interrupt::interrupt`] was called, or for no reason (spurious).
    Interrupted,
}

/// A change of an address space. Ranges are page-aligned, inside the user range, non-empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOp {
    /// Maps memory-file pages over whatever is there.
    Map {
        /// First address.
        at: UserAddr,
        /// Bytes.
        len: u64,
        /// Offset in the memory file, bytes.
        offset: u64,
        /// Rights; without any, it is left unmapped.
        prot: Prot,
        /// Also fill the page tables now, so that no host fault follows.
        populate: bool,
    },
    /// Removes mappings; holes are fine.
    Unmap {
        /// First address.
        at: UserAddr,
        /// Bytes.
        len: u64,
    },
    /// Changes rights of what is mapped in the range; holes are skipped.
    Protect {
        /// First address.
        at: UserAddr,
        /// Bytes.
        len: u64,
        /// Rights; without any, the range is unmapped.
        prot: Prot,
    },
}

/// A way to run application code.
pub trait Platform: Send + Sync {
    /// `"ptrace"`, `"systrap"`, `"kvm"`.
    fn name(&self) -> &'static str;
    /// Addresses that applications may use: `[lowest, highest)`, page-aligned.
    fn user_range(&self) -> (UserAddr, UserAddr);
    /// What the vDSO may rely on: flags of [`arch::vdso::TimeData`].
    fn vdso_flags(&self) -> u32 {
        if arch::vdso::has_rdtscp() {
            arch::vdso::TimeData::HAS_CPU
        } else {
            0
        }
    }
    /// A new, empty address space.
    fn new_address_space(&self) -> Result<Arc<dyn AddressSpace>, Error>;
    /// A context for one guest thread. Create it on the OS thread that will use it.
    fn new_context(&self) -> Result<Box<dyn Context>, Error>;
    /// Waits until all address spaces and contexts that were dropped or released before are
    /// gone, and what was [kept](AddressSpace::retire) for them.
    fn settle(&self);
}

/// What one guest process sees of the memory file. It ends some time after the last
/// reference to it is dropped.
pub trait AddressSpace: Send + Sync {
    /// Performs the changes in order, or before the first thread runs here. When it returns
    /// `Ok`, no application thread can reach what was unmapped or lost rights. On `Err` the
    /// space is unusable.
    fn apply(&self, ops: &[MapOp]) -> Result<(), Error>;
    /// A copy with the same mappings and rights. The caller has already removed write
    /// rights from what is to be copied on write.
    fn fork(&self) -> Result<Arc<dyn AddressSpace>, Error>;
    /// Nobody will run in the space any more. `keep` is dropped once it is gone: pages that
    /// it maps may have a new owner only then.
    fn retire(&self, keep: Box<dyn Send>);
    /// For platforms to recognise their own.
    fn as_any(&self) -> &dyn std::any::Any;
}

/// Runs one guest thread. Bound to the OS thread that created it.
pub trait Context {
    /// Runs application code in `space` from `regs` until something happens; `regs` is
    /// then the state at that point.
    fn switch(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error>;
    /// The floating-point and vector state between two switches.
    fn fp_state(&mut self) -> Result<FpState, Error>;
    /// Replaces that state. `state` was sanitised by [`FpState::from_user`] if the guest
    /// had its hands on it.
    fn set_fp_state(&mut self, state: &FpState) -> Result<(), Error>;
    /// A handle with which other threads end a `switch` early.
    fn interrupter(&self) -> Arc<dyn Interrupt>;
    /// Has the thread run only on these CPUs from now on: bit n is the n-th of those that the
    /// host lets the sandbox use. Nothing depends on success: a host may forbid it.
    fn confine(&mut self, cpus: u64);
    /// True if the last event was a system call that [rewriting](systrap::rewrite) the code
    /// before `regs.rip` would make faster.
    fn was_slow_call(&self) -> bool {
        false
    }
    /// The code of trampolines is not what it was, or no longer there: a call that was made
    /// through one goes on behind the call that it stands for.
    fn leave_trampoline(&mut self) {}
    /// Lets the platform answer these calls without an event, from now on.
    fn set_answers(&mut self, _answers: &OwnAnswers) {}
    /// Lets go of the address space last run in, so that it can end. The vector state stays.
    fn release(&mut self);
    /// As [`Self::release`], for a program that has ended: the vector state is that of a
    /// new one.
    fn finish(&mut self);
}

/// Calls without arguments whose answer only the calling thread changes: getpid(2), getuid(2),
/// getgid(2), geteuid(2), getegid(2), gettid(2).
pub const OWN_CALLS: [u16; 6] = [39, 102, 104, 107, 108, 186];

/// What each of [`OWN_CALLS`] returns; `None` where somebody wants to see the call.
pub type OwnAnswers = [Option<u32>; OWN_CALLS.len()];

/// Ends a [`Context::switch`] from another thread.
pub trait Interrupt: Send + Sync {
    /// The running switch, or the next one if none is running, returns
    /// [`Event::Interrupted`] soon. Calls may coalesce.
    fn interrupt(&self);
    /// Processor time that application code of the context has used since it was made,
    /// apart from what its own OS thread used. Zero where all runs on that thread.
    fn application_time(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
    /// Where all runs on the context's own OS thread: for how long it was application code,
    /// whether or not it had a processor all the time.
    fn time_inside(&self) -> Option<std::time::Duration> {
        None
    }
}
