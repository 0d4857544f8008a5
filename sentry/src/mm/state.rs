//! Everything about an address space that its lock protects.

use platform::{Pages, Prot};
use syscalls::PAGE_SIZE;

use super::change::Change;
use super::hot::Hot;
use super::layout::Layout;
use super::resident::{Kind, ResidentMap};
use super::rewrite::Rewrites;
use super::vma::{Vma, VmaFlags};
use super::vma_map::VmaMap;

/// See the module.
pub(super) struct State {
    pub(super) vmas: VmaMap,
    pub(super) resident: ResidentMap,
    pub(super) layout: Layout,
    pub(super) sizes: Sizes,
    /// What mlockall(2) said of future mappings: `LOCKED`, `LOCK_ON_FAULT` or nothing.
    pub(super) lock_future: VmaFlags,
    /// Where the last filling of anonymous memory ended, and its length in pages:
    /// programs that go through memory in order get more at once.
    pub(super) streak: (u64, u64),
    /// Calls that were made fast.
    pub(super) rewrites: Rewrites,
    /// Pages that the platform may still have mapped because it failed.
    pub(super) limbo: Vec<Pages>,
    pub(super) broken: bool,
    /// What is written soon after fork(2).
    pub(super) hot: Hot,
}

/// Totals over all mappings, pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) total: u64,
    pub(super) peak: u64,
    pub(super) data: u64,
    pub(super) stack: u64,
    pub(super) exec: u64,
    pub(super) locked: u64,
    /// Private writable memory, whether touched or not.
    pub(super) committed: u64,
}

impl Sizes {
    fn count(&mut self, vma: &Vma, pages: u64, add: impl Fn(&mut u64, u64)) {
        add(&mut self.total, pages);
        if vma.is_data() {
            add(&mut self.data, pages);
        }
        if vma.flags.contains(VmaFlags::GROWS_DOWN) {
            add(&mut self.stack, pages);
        } else if vma.prot.contains(Prot::EXEC) && !vma.prot.contains(Prot::WRITE) {
            add(&mut self.exec, pages);
        }
        if vma.flags.contains(VmaFlags::LOCKED) {
            add(&mut self.locked, pages);
        }
        if vma.flags.contains(VmaFlags::ACCOUNT) {
            add(&mut self.committed, pages);
        }
    }
}

impl State {
    pub(super) fn new(layout: Layout) -> Self {
        State {
            vmas: VmaMap::default(),
            resident: ResidentMap::default(),
            layout,
            sizes: Sizes::default(),
            lock_future: VmaFlags::empty(),
            streak: (0, 0),
            rewrites: Rewrites::default(),
            limbo: Vec::new(),
            broken: false,
            hot: Hot::default(),
        }
    }

    /// Puts in a mapping where none is.
    pub(super) fn insert_vma(&mut self, vma: Vma) {
        let pages = vma.len() / PAGE_SIZE;
        self.sizes.count(&vma, pages, |sum, n| *sum += n);
        self.sizes.peak = self.sizes.peak.max(self.sizes.total);
        self.vmas.insert(vma);
    }

    /// Takes out the mappings of `start..end`; what stands behind them stays.
    pub(super) fn remove_vmas(&mut self, start: u64, end: u64) -> Vec<Vma> {
        let removed = self.vmas.remove(start, end);
        for vma in &removed {
            let pages = vma.len() / PAGE_SIZE;
            self.sizes.count(vma, pages, |sum, n| *sum -= n);
        }
        removed
    }

    /// Moves the start of the stack at `start` down.
    pub(super) fn extend_vma_down(&mut self, start: u64, to: u64) {
        if let Some(vma) = self.vmas.find(start) {
            let pages = (start - to) / PAGE_SIZE;
            self.sizes.count(vma, pages, |sum, n| *sum += n);
            self.sizes.peak = self.sizes.peak.max(self.sizes.total);
        }
        self.vmas.extend_down(start, to);
    }

    /// Changes every mapping in `start..end`, which are cut at both ends and joined
    /// again where they become alike.
    pub(super) fn change_vmas(&mut self, start: u64, end: u64, mut change: impl FnMut(&mut Vma)) {
        for mut vma in self.remove_vmas(start, end) {
            change(&mut vma);
            self.insert_vma(vma);
        }
    }

    /// Removes the pages behind `start..end`.
    pub(super) fn drop_pages(&mut self, change: &mut Change, start: u64, end: u64) {
        let taken = self.resident.take(start, end);
        let told: Vec<(u64, u64)> = taken
            .iter()
            .filter(|(_, run)| run.told.is_some())
            .map(|(at, run)| (*at, at + run.len()))
            .collect();
        // What lies between is not mapped: one operation for all.
        if let (Some(&(first, _)), Some(&(_, last))) = (told.first(), told.last()) {
            change.unmap(first, last - first);
        }
        change
            .pages
            .extend(taken.into_iter().map(|(_, run)| run.pages));
    }

    /// Removes a file's pages behind `start..end`; copies stay.
    pub(super) fn drop_file_pages(&mut self, change: &mut Change, start: u64, end: u64) {
        for (at, run) in self.resident.take(start, end) {
            if run.kind == Kind::Own {
                self.resident.put(at, run);
                continue;
            }
            if run.told.is_some() {
                change.unmap(at, run.len());
            }
            change.pages.push(run.pages);
        }
    }

    /// munmap(2).
    pub(super) fn unmap(&mut self, change: &mut Change, start: u64, end: u64) {
        self.restore_code(change, start, end);
        let removed = self.remove_vmas(start, end);
        if !removed.is_empty() {
            self.drop_pages(change, start, end);
            removed.iter().for_each(Vma::note_unmapped);
            change.vmas.extend(removed);
        }
    }
}
