//! How much more than one page a fault brings in.

use platform::Prot;

use super::vma::{Vma, VmaFlags};

/// A fault brings in its neighbourhood.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// Bytes, aligned.
    pub(super) around: u64,
    /// Mappings up to this size are brought in whole.
    small: u64,
}

/// In anonymous memory, every page of which has to be filled.
pub(super) const ANONYMOUS: Reach = Reach {
    around: 64 << 10,
    small: 128 << 10,
};
/// In files: a page that is cached costs a twentieth of a fault, and those that are not are
/// read with one request.
pub(super) const FILE: Reach = Reach {
    around: 256 << 10,
    small: 512 << 10,
};
/// In programs and libraries, as far as they are cached: mapped for the host to fill in, so
/// the rest of a library costs no fault of ours.
pub(super) const CODE: Reach = Reach {
    around: 2 << 20,
    small: 4 << 20,
};
/// Steps in which what is not cached is passed over, bytes.
pub(super) const CODE_STEP: u64 = 64 << 10;
/// A copy on write takes along its neighbours: this many bytes, aligned.
const COPY_AROUND: u64 = 16 << 10;

/// A part of a mapping in which a fault works, copied out of it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) prot: Prot,
    pub(super) flags: VmaFlags,
    /// The file behind it may change: pages that nobody wrote here have to show that.
    changing: bool,
}

impl Place {
    pub(super) fn of(vma: &Vma) -> Self {
        let file = vma.source().and_then(|source| source.file.as_ref());
        Place {
            start: vma.start,
            end: vma.end,
            prot: vma.prot,
            flags: vma.flags,
            changing: file.is_some_and(|file| file.inode().attachments().has_writers()),
        }
    }

    /// What is copied together with the pages `at..end` that are about to be written.
    pub(super) fn copied_with(self, at: u64, end: u64) -> (u64, u64) {
        if self.changing {
            return (at, end);
        }
        let low = at & !(COPY_AROUND - 1);
        (low, end.max(low.saturating_add(COPY_AROUND)))
    }

    pub(super) fn is_shared(self) -> bool {
        self.flags.contains(VmaFlags::SHARED)
    }

    /// The neighbourhood of `at..end` to bring in along with it.
    pub(super) fn around(self, at: u64, end: u64, reach: Reach) -> (u64, u64) {
        if self.flags.intersects(VmaFlags::ALONE) {
            return (at, end);
        }
        if self.end - self.start <= reach.small {
            return (self.start, self.end);
        }
        let low = at & !(reach.around - 1);
        (
            low.max(self.start),
            end.max(low.saturating_add(reach.around)).min(self.end),
        )
    }
}
