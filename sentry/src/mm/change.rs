//! What one call or fault changes: operations for the platform, and what may be given
//! back once they are done.

use platform::{MapOp, Pages, Prot};
use syscalls::UserAddr;

use super::resident::Resident;
use super::vma::Vma;

/// Collects one call's changes. The pages and mappings in it are dropped after the
/// platform has let go of them, and outside the lock: a file may be closed by that.
#[derive(Default)]
pub(super) struct Change {
    pub(super) ops: Vec<MapOp>,
    pub(super) pages: Vec<Pages>,
    pub(super) vmas: Vec<Vma>,
    /// Rewritten code was brought back.
    pub(super) restored: bool,
}

impl Change {
    /// Maps pages, page tables filled.
    pub(super) fn map(&mut self, at: u64, len: u64, offset: u64, prot: Prot) {
        if let Some(MapOp::Map {
            at: before,
            len: before_len,
            offset: before_offset,
            prot: before_prot,
            ..
        }) = self.ops.last_mut()
            && before.get() + *before_len == at
            && *before_offset + *before_len == offset
            && *before_prot == prot
        {
            *before_len += len;
            return;
        }
        self.ops.push(MapOp::Map {
            at: UserAddr::new(at),
            len,
            offset,
            prot,
            populate: true,
        });
    }

    /// Removes mappings.
    pub(super) fn unmap(&mut self, at: u64, len: u64) {
        if let Some(MapOp::Unmap {
            at: before,
            len: before_len,
        }) = self.ops.last_mut()
            && before.get() + *before_len == at
        {
            *before_len += len;
            return;
        }
        self.ops.push(MapOp::Unmap {
            at: UserAddr::new(at),
            len,
        });
    }

    /// Changes rights.
    pub(super) fn protect(&mut self, at: u64, len: u64, prot: Prot) {
        if !self.extend_protect(at, len, prot, |before_end| before_end == at) {
            self.ops.push(MapOp::Protect {
                at: UserAddr::new(at),
                len,
                prot,
            });
        }
    }

    fn extend_protect(
        &mut self,
        at: u64,
        len: u64,
        prot: Prot,
        joins: impl FnOnce(u64) -> bool,
    ) -> bool {
        match self.ops.last_mut() {
            Some(MapOp::Protect {
                at: before,
                len: before_len,
                prot: before_prot,
            }) if *before_prot == prot && joins(before.get() + *before_len) => {
                *before_len = at + len - before.get();
                true
            }
            _ => false,
        }
    }
}

/// Changes rights of run after run, rising, with as few operations as possible.
#[derive(Default)]
pub(super) struct ProtectWalk {
    /// The rights of the last operation, if everything mapped since then has them too.
    open: Option<Prot>,
}

impl ProtectWalk {
    /// The next run, at `at`, which is to have `rights` from now on. Nothing is done for one
    /// that the platform was never told of.
    pub(super) fn run(&mut self, change: &mut Change, at: u64, run: &mut Resident, rights: Prot) {
        let (len, Some(told)) = (run.len(), run.told) else {
            return;
        };
        run.told = Some(rights);
        if told.is_empty() && !rights.is_empty() {
            // The platform does not keep what nobody may touch.
            self.open = None;
            change.map(at, len, run.offset(0), rights);
        } else if self.open == Some(rights) {
            // Between the runs nothing is mapped, so one operation does for all.
            if told != rights {
                change.extend_protect(at, len, rights, |_| true);
            }
        } else if told == rights {
            self.open = None;
        } else {
            change.protect(at, len, rights);
            self.open = Some(rights);
        }
    }
}
