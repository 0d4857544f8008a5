//! Who is inside the machine, and how to have them come out.
//!
//! A thread says that it is inside before it looks whether it should be; whoever wants it
//! out says so before looking whether it is inside. So one of the two sees the other.

use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};

use kvm_bindings::kvm_run;
use kvm_ioctls::VcpuFd;
use syscalls::{Errno, PAGE_SIZE};

use super::signal;
use crate::host::futex;
use crate::host::mapping::Mapping;

/// Of one vCPU.
pub(super) struct Door {
    /// The first page of what the vCPU shares with us, once more.
    run: Mapping,
    /// Number of the address space that it is in; 0: outside.
    inside: AtomicU64,
    /// The thread that was the last to go in.
    thread: AtomicI32,
    /// How often somebody came out. Futex.
    exits: AtomicU32,
    waiters: AtomicU32,
}

impl Door {
    pub(super) fn new(vcpu: &VcpuFd) -> Result<Self, Errno> {
        // SAFETY: the descriptor is open as long as `vcpu` lives, which outlasts the call.
        let fd = unsafe { BorrowedFd::borrow_raw(vcpu.as_raw_fd()) };
        let len = usize::try_from(PAGE_SIZE).unwrap_or(usize::MAX);
        Ok(Door {
            run: Mapping::shared(fd, 0, len)?,
            inside: AtomicU64::new(0),
            thread: AtomicI32::new(0),
            exits: AtomicU32::new(0),
            waiters: AtomicU32::new(0),
        })
    }

    fn immediate_exit(&self) -> &AtomicU8 {
        let place = self.run.at(offset_of!(kvm_run, immediate_exit), 1);
        let place = place.expect("inside the page").cast::<AtomicU8>();
        // SAFETY: inside the mapping, which lives as long as `self`; the kernel reads the
        // byte, and we access it by atomics only.
        unsafe { &*place }
    }

    /// The calling thread is about to go into a space. Afterwards it must look whether it
    /// should.
    pub(super) fn enter(&self, space: u64) {
        self.thread.store(signal::this_thread(), Ordering::Relaxed);
        self.immediate_exit().store(0, Ordering::SeqCst);
        self.inside.store(space, Ordering::SeqCst);
    }

    /// It came out, and is to go in again at once: to come out with something to show. Who
    /// wanted it out waits for that.
    pub(super) fn stay(&self) {
        self.immediate_exit().store(0, Ordering::SeqCst);
    }

    /// It came out, or did not go in.
    pub(super) fn leave(&self) {
        self.inside.store(0, Ordering::SeqCst);
        self.exits.fetch_add(1, Ordering::SeqCst);
        if self.waiters.load(Ordering::SeqCst) > 0 {
            futex::wake(&self.exits, u32::MAX);
        }
    }

    /// Has who is inside come out soon. To be called after the reason for it can be seen.
    pub(super) fn knock(&self) {
        self.immediate_exit().store(1, Ordering::SeqCst);
        signal::kick(self.thread.load(Ordering::SeqCst));
    }

    /// Returns when nobody is in a space who went in before the call.
    pub(super) fn clear(&self, space: u64) {
        let exits = self.exits.load(Ordering::SeqCst);
        if self.inside.load(Ordering::SeqCst) != space {
            return;
        }
        self.knock();
        self.waiters.fetch_add(1, Ordering::SeqCst);
        while self.exits.load(Ordering::SeqCst) == exits {
            let _ = futex::wait(&self.exits, exits, None);
        }
        self.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}
