//! One mapping: what application code may do in a range of addresses, and what is there.

use std::sync::Arc;

use bitflags::bitflags;
use platform::Prot;
use syscalls::PAGE_SIZE;

use super::mappings::Registration;
use crate::task::MemoryPolicy;
use crate::vfs::File;

bitflags! {
    /// Properties of a mapping; the VM_* flags of Linux that matter here.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct VmaFlags: u32 {
        /// Writes reach everybody who maps the same.
        const SHARED = 1;
        /// MAP_GROWSDOWN: a stack.
        const GROWS_DOWN = 1 << 1;
        /// mlock(2).
        const LOCKED = 1 << 2;
        /// MLOCK_ONFAULT.
        const LOCK_ON_FAULT = 1 << 3;
        /// MAP_NORESERVE.
        const NO_RESERVE = 1 << 4;
        /// MADV_DONTFORK.
        const DONT_FORK = 1 << 5;
        /// MADV_WIPEONFORK.
        const WIPE_ON_FORK = 1 << 6;
        /// MADV_DONTDUMP.
        const DONT_DUMP = 1 << 7;
        /// MADV_HUGEPAGE.
        const HUGE = 1 << 8;
        /// MADV_NOHUGEPAGE.
        const NO_HUGE = 1 << 9;
        /// mremap(2) cannot make it longer (the vDSO).
        const DONT_EXPAND = 1 << 10;
        /// Counts as committed memory.
        const ACCOUNT = 1 << 11;
        /// mseal(2).
        const SEALED = 1 << 12;
        /// MADV_SEQUENTIAL.
        const SEQUENTIAL = 1 << 13;
        /// MADV_RANDOM: faults bring in no neighbours.
        const RANDOM = 1 << 14;
        /// MADV_MERGEABLE.
        const MERGEABLE = 1 << 15;
        /// Faults bring in what is asked for and nothing else.
        const ALONE = Self::RANDOM.bits() | Self::LOCK_ON_FAULT.bits();
    }
}

/// What /proc/PID/maps calls a mapping without a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapName {
    /// `[vdso]`.
    Vdso,
    /// `[vvar]`.
    Vvar,
    /// Not shown at all: what rewritten calls need, see `rewrite`.
    Trampolines,
    /// `[heap]`.
    Heap,
    /// `[stack]`.
    Stack,
    /// Shared memory without an open file: "/dev/zero (deleted)", "/SYSV00000000 (deleted)".
    SharedMemory(Arc<[u8]>),
    /// `[anon:…]`, prctl(PR_SET_VMA_ANON_NAME).
    Anonymous(Arc<[u8]>),
}

/// What is behind a mapping.
#[derive(Clone)]
pub(super) enum Backing {
    /// Zero pages.
    Anonymous,
    /// Pages of a file or of shared memory.
    Source(Source),
}

#[derive(Clone)]
pub(super) struct Source {
    pub(super) registration: Registration,
    /// The open file, where there is one.
    pub(super) file: Option<Arc<File>>,
    /// Where in the source the mapping starts, bytes, page-aligned.
    pub(super) offset: u64,
}

/// A mapping. Ends are page-aligned; never empty.
#[derive(Clone)]
pub(super) struct Vma {
    pub(super) start: u64,
    pub(super) end: u64,
    /// What application code may do.
    pub(super) prot: Prot,
    /// What mprotect(2) may grant.
    pub(super) may: Prot,
    pub(super) flags: VmaFlags,
    pub(super) backing: Backing,
    pub(super) name: Option<MapName>,
    /// mbind(2), if it said anything.
    pub(super) policy: Option<MemoryPolicy>,
}

impl Vma {
    pub(super) fn len(&self) -> u64 {
        self.end - self.start
    }

    pub(super) fn is_shared(&self) -> bool {
        self.flags.contains(VmaFlags::SHARED)
    }

    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self.backing, Backing::Anonymous)
    }

    pub(super) fn source(&self) -> Option<&Source> {
        match &self.backing {
            Backing::Anonymous => None,
            Backing::Source(source) => Some(source),
        }
    }

    /// Private and writable: what RLIMIT_DATA counts, stacks apart.
    pub(super) fn is_data(&self) -> bool {
        self.prot.contains(Prot::WRITE)
            && !self
                .flags
                .intersects(VmaFlags::SHARED | VmaFlags::GROWS_DOWN)
    }

    /// Tells what is mapped that this mapping ends.
    pub(super) fn note_unmapped(&self) {
        if let Some(source) = self.source() {
            source.registration.source().unmapped();
        }
    }

    /// Page number in the source of the page at `addr`, which is inside the mapping.
    pub(super) fn index_of(&self, source: &Source, addr: u64) -> u64 {
        (source.offset + (addr - self.start)) / PAGE_SIZE
    }

    /// Cuts at `addr`, strictly inside: `self` keeps the front, the rest is returned.
    pub(super) fn split_off(&mut self, addr: u64) -> Vma {
        let mut rest = self.clone();
        rest.start = addr;
        if let Backing::Source(source) = &mut rest.backing {
            source.offset += addr - self.start;
        }
        self.end = addr;
        rest
    }

    /// True if `next` begins where `self` ends and differs in nothing.
    pub(super) fn continues_in(&self, next: &Vma) -> bool {
        let same_backing = match (&self.backing, &next.backing) {
            (Backing::Anonymous, Backing::Anonymous) => true,
            (Backing::Source(a), Backing::Source(b)) => {
                let same_file = match (&a.file, &b.file) {
                    (None, None) => true,
                    (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                    _ => false,
                };
                same_file
                    && a.registration.is_same(&b.registration)
                    && a.offset.checked_add(self.len()) == Some(b.offset)
            }
            _ => false,
        };
        self.end == next.start
            && self.prot == next.prot
            && self.may == next.may
            && self.flags == next.flags
            && same_backing
            && self.name == next.name
            && self.policy == next.policy
    }
}
