//! The shared region as both sides handle it: slots change hands by their state, bits in
//! `pending` tell the server which ones.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use platform::host::{SharedRegion, futex};
use syscalls::Errno;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::layout;

/// States of a slot: the client moves it to `SUBMITTED`, then `AWAITED`, the server to `DONE`.
pub(crate) mod state {
    /// The server has it, the client looks at it.
    pub(crate) const SUBMITTED: u32 = 1;
    /// The server has it, the client sleeps.
    pub(crate) const AWAITED: u32 = 2;
    /// The reply is there.
    pub(crate) const DONE: u32 = 3;
    /// The server is gone (set by the client's own watcher).
    pub(crate) const DEAD: u32 = 4;
}

/// What stands before a body.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Head {
    /// Operation of a request; errno of a reply, 0 for none.
    pub(crate) kind: u32,
    /// Bytes of the body. As the other side wrote it: to be checked.
    pub(crate) len: u32,
}

/// The mapped region.
#[derive(Debug)]
pub(crate) struct Ring {
    region: SharedRegion,
}

impl Ring {
    pub(crate) fn map(region: OwnedFd) -> Result<Self, Errno> {
        Ok(Ring {
            region: layout::map(region)?,
        })
    }

    pub(crate) fn state(&self, slot: usize) -> &AtomicU32 {
        self.region.atomic_u32(layout::slot(slot))
    }
    pub(crate) fn pending(&self) -> &AtomicU64 {
        self.region.atomic_u64(layout::PENDING)
    }
    pub(crate) fn searching(&self) -> &AtomicU32 {
        self.region.atomic_u32(layout::SEARCHING)
    }
    pub(crate) fn sleeping(&self) -> &AtomicU32 {
        self.region.atomic_u32(layout::SLEEPING)
    }
    pub(crate) fn bell(&self) -> &AtomicU32 {
        self.region.atomic_u32(layout::BELL)
    }
    pub(crate) fn crowded(&self) -> &AtomicU32 {
        self.region.atomic_u32(layout::CROWDED)
    }

    /// Wakes one sleeping thread of the server.
    pub(crate) fn ring(&self) {
        self.bell().fetch_add(1, Ordering::SeqCst);
        futex::wake(self.bell(), 1);
    }

    /// Writes a message: `kind` and the parts of its body, which the caller knows to fit.
    pub(crate) fn put(&self, slot: usize, kind: u32, parts: &[&[u8]]) {
        let mut at = layout::body(slot);
        for part in parts {
            self.region.write(at, part);
            at += part.len();
        }
        let len = u32::try_from(at - layout::body(slot)).unwrap_or(0);
        self.put_head(slot, kind, len);
    }

    pub(crate) fn put_head(&self, slot: usize, kind: u32, len: u32) {
        let head = Head { kind, len };
        self.region.write(layout::head(slot), head.as_bytes());
    }

    /// What stands before the body now.
    pub(crate) fn head(&self, slot: usize) -> Head {
        let mut head = Head::new_zeroed();
        self.region.read(layout::head(slot), head.as_mut_bytes());
        head
    }

    /// Copies from the body, from byte `at` on. The caller keeps within the body's size.
    pub(crate) fn read_body(&self, slot: usize, at: usize, dst: &mut [u8]) {
        self.region.read(layout::body(slot) + at, dst);
    }
}
