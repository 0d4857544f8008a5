//! What /proc tells of an address space.

use std::sync::Arc;

use platform::Prot;
use syscalls::errno::{EBUSY, EFAULT, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::advise::gaps;
use super::resident::Kind;
use super::state::State;
use super::vma::{MapName, Vma, VmaFlags};
use super::{Mappable, Mm};
use crate::task::MemoryPolicy;
use crate::vfs::File;

/// One line of /proc/PID/maps, with the figures of smaps. Sizes are in bytes.
#[derive(Clone)]
pub struct MapInfo {
    /// First address.
    pub start: UserAddr,
    /// Address after the last.
    pub end: UserAddr,
    /// What application code may do.
    pub prot: Prot,
    /// What mprotect(2) may grant.
    pub may: Prot,
    /// Properties.
    pub flags: VmaFlags,
    /// Where in the file it starts; 0 without one.
    pub offset: u64,
    /// The mapped file.
    pub file: Option<Arc<File>>,
    /// What it is called if it has no file.
    pub name: Option<MapName>,
    /// Resident: of the process's own.
    pub anonymous: u64,
    /// Resident: of the file.
    pub file_pages: u64,
    /// Of both: pages that others have too.
    pub shared: u64,
    /// Of both: pages that may have been written here.
    pub dirty: u64,
}

impl MapInfo {
    /// Resident bytes.
    #[must_use]
    pub fn rss(&self) -> u64 {
        self.anonymous + self.file_pages
    }
}

/// Totals, bytes: /proc/PID/status, statm, getrusage(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// VmSize.
    pub total: u64,
    /// VmPeak.
    pub total_peak: u64,
    /// VmLck.
    pub locked: u64,
    /// VmRSS.
    pub rss: u64,
    /// VmHWM.
    pub rss_peak: u64,
    /// RssAnon.
    pub rss_anonymous: u64,
    /// RssFile and RssShmem.
    pub rss_file: u64,
    /// VmData.
    pub data: u64,
    /// VmStk.
    pub stack: u64,
    /// VmExe: from start to end of the program's code.
    pub exe: u64,
    /// VmLib: other executable mappings.
    pub lib: u64,
}

/// What stands behind a page, proc_pid_pagemap(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Nothing yet.
    Absent,
    /// Private memory.
    Own {
        /// Others have it too, until one writes.
        shared: bool,
    },
    /// A page of a file, or of shared memory.
    File,
}

impl Mm {
    /// What stands behind each of `count` pages from `at` on.
    #[must_use]
    pub fn page_states(&self, at: UserAddr, count: usize) -> Vec<PageState> {
        let mut states = vec![PageState::Absent; count];
        let start = at.page_floor().get();
        let end = start.saturating_add((count as u64).saturating_mul(PAGE_SIZE));
        let state = self.state.read();
        for (from, run) in state.resident.overlapping(start, end) {
            for index in 0..run.pages.count() {
                let page = (from + index * PAGE_SIZE).checked_sub(start);
                let slot = page.and_then(|page| usize::try_from(page / PAGE_SIZE).ok());
                let Some(slot) = slot.and_then(|slot| states.get_mut(slot)) else {
                    continue;
                };
                *slot = match run.kind {
                    Kind::Own => PageState::Own {
                        shared: !run.pages.is_sole_owner(index),
                    },
                    Kind::Source => PageState::File,
                };
            }
        }
        states
    }

    /// All mappings, rising.
    #[must_use]
    pub fn maps(&self) -> Vec<MapInfo> {
        let state = self.state.read();
        let shown = |vma: &&Vma| vma.name != Some(MapName::Trampolines);
        let vmas = state.vmas.iter().filter(shown);
        vmas.map(|vma| state.info(vma)).collect()
    }

    /// The mapping that holds `addr`.
    #[must_use]
    pub fn find_map(&self, addr: UserAddr) -> Option<MapInfo> {
        let state = self.state.read();
        state.vmas.find(addr.get()).map(|vma| state.info(vma))
    }

    /// What mbind(2) said of the mapping that holds `addr`, if anything; `EFAULT` if there
    /// is none.
    pub(super) fn policy_at(&self, addr: UserAddr) -> Result<Option<MemoryPolicy>, Errno> {
        let state = self.state.read();
        state
            .vmas
            .find(addr.get())
            .map(|vma| vma.policy)
            .ok_or(EFAULT)
    }

    /// mbind(2); everything in the range is mapped.
    pub(super) fn set_policy(
        &self,
        (start, end): (u64, u64),
        policy: Option<MemoryPolicy>,
    ) -> Result<(), Errno> {
        self.change(|state, _| {
            state.change_vmas(start, end, |vma| vma.policy = policy);
            Ok(())
        })
    }

    /// What the mapping that holds `addr` shows, if that is something with pages.
    pub(super) fn source_at(&self, addr: UserAddr) -> Option<Arc<dyn Mappable>> {
        let state = self.state.read();
        let source = state.vmas.find(addr.get())?.source()?;
        Some(source.registration.source().clone())
    }

    /// True if every byte of `start..end` is mapped.
    pub(super) fn is_mapped(&self, (start, end): (u64, u64)) -> bool {
        self.state.read().vmas.covers(start, end)
    }

    /// The files of the shared mappings in a range, for msync(2); `EBUSY` if what is to
    /// be `invalidate`d is locked. And whether there are gaps.
    pub(super) fn shared_files(
        &self,
        (start, end): (u64, u64),
        invalidate: bool,
    ) -> Result<(Vec<Arc<File>>, bool), Errno> {
        let state = self.state.read();
        let mut files: Vec<Arc<File>> = Vec::new();
        for vma in state.vmas.overlapping(start, end) {
            if invalidate && vma.flags.contains(VmaFlags::LOCKED) {
                return Err(EBUSY);
            }
            let file = vma.source().and_then(|source| source.file.clone());
            if let Some(file) = file.filter(|_| vma.is_shared())
                && !files.iter().any(|known| Arc::ptr_eq(known, &file))
            {
                files.push(file);
            }
        }
        Ok((files, gaps(&state, start, end).is_err()))
    }

    /// Number of mappings.
    #[must_use]
    pub fn map_count(&self) -> usize {
        self.state.read().vmas.count()
    }

    /// The largest resident set there ever was, bytes.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.state.read().resident.peak() * PAGE_SIZE
    }

    /// Totals.
    #[must_use]
    pub fn usage(&self) -> MemoryUse {
        let state = self.state.read();
        let (sizes, resident) = (&state.sizes, &state.resident);
        let exe = state
            .layout
            .end_code
            .saturating_sub(state.layout.start_code);
        let exe = exe.next_multiple_of(PAGE_SIZE);
        let exec = sizes.exec * PAGE_SIZE;
        MemoryUse {
            total: sizes.total * PAGE_SIZE,
            total_peak: sizes.peak * PAGE_SIZE,
            locked: sizes.locked * PAGE_SIZE,
            rss: (resident.own_pages() + resident.source_pages()) * PAGE_SIZE,
            rss_peak: resident.peak() * PAGE_SIZE,
            rss_anonymous: resident.own_pages() * PAGE_SIZE,
            rss_file: resident.source_pages() * PAGE_SIZE,
            data: sizes.data * PAGE_SIZE,
            stack: sizes.stack * PAGE_SIZE,
            exe: exe.min(exec),
            lib: exec.saturating_sub(exe),
        }
    }
}

impl State {
    fn info(&self, vma: &Vma) -> MapInfo {
        let source = vma.source();
        let mut info = MapInfo {
            start: UserAddr::new(vma.start),
            end: UserAddr::new(vma.end),
            prot: vma.prot,
            may: vma.may,
            flags: vma.flags,
            offset: source
                .filter(|source| source.file.is_some())
                .map_or(0, |source| source.offset),
            file: source.and_then(|source| source.file.clone()),
            name: vma.name.clone().or_else(|| self.special_name(vma)),
            anonymous: 0,
            file_pages: 0,
            shared: 0,
            dirty: 0,
        };
        for (start, run) in self.resident.overlapping(vma.start, vma.end) {
            let low = start.max(vma.start);
            let high = (start + run.len()).min(vma.end);
            let first = (low - start) / PAGE_SIZE;
            let count = (high - low) / PAGE_SIZE;
            let alone = |index: &u64| run.pages.is_sole_owner(*index);
            let sole = (first..first + count).filter(alone).count() as u64;
            match run.kind {
                Kind::Own => info.anonymous += high - low,
                Kind::Source => info.file_pages += high - low,
            }
            // The file itself holds one reference, so its pages never count as private;
            // Linux counts mappings, and shows such pages as private.
            if run.kind == Kind::Own {
                info.shared += (count - sole) * PAGE_SIZE;
            }
            if run.kind == Kind::Own || !run.guarded {
                info.dirty += high - low;
            }
        }
        info
    }

    fn special_name(&self, vma: &Vma) -> Option<MapName> {
        if !vma.is_anonymous() {
            return None;
        }
        let layout = &self.layout;
        if vma.start <= layout.brk && vma.end >= layout.start_brk && layout.start_brk < layout.brk {
            return Some(MapName::Heap);
        }
        let stack = layout.start_stack;
        (vma.start <= stack && stack <= vma.end && stack != 0).then_some(MapName::Stack)
    }
}
