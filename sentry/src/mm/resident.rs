//! Which pages of the memory file stand behind which addresses.

use std::collections::BTreeMap;

use platform::{Pages, Prot};
use syscalls::PAGE_SIZE;

/// Whose pages they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Memory of this process (after fork, of a relative as well until one writes).
    Own,
    /// The mapped file's.
    Source,
}

/// A run of pages.
pub(super) struct Resident {
    pub(super) pages: Pages,
    pub(super) kind: Kind,
    /// Writing needs a fault first: private pages that somebody else may see, shared
    /// pages that the file does not yet know to be written.
    pub(super) guarded: bool,
    /// What the platform was told; `None` if it does not have the mapping.
    pub(super) told: Option<Prot>,
}

impl Resident {
    pub(super) fn len(&self) -> u64 {
        self.pages.count() * PAGE_SIZE
    }

    /// Offset in the memory file of the byte `inside` the run.
    pub(super) fn offset(&self, inside: u64) -> u64 {
        self.pages.offset() + inside
    }

    /// The rights to tell where the mapping grants `prot`.
    pub(super) fn rights(&self, prot: Prot) -> Prot {
        if self.guarded && prot.contains(Prot::WRITE) {
            // On x86-64 what may be written may be read, whatever mmap(2) was told.
            (prot - Prot::WRITE) | Prot::READ
        } else {
            prot
        }
    }

    fn is_like(&self, other: &Resident) -> bool {
        (self.kind, self.guarded, self.told) == (other.kind, other.guarded, other.told)
    }
}

/// Disjoint runs, by address of their first byte.
#[derive(Default)]
pub(super) struct ResidentMap {
    by_start: BTreeMap<u64, Resident>,
    own: u64,
    source: u64,
    peak: u64,
}

impl ResidentMap {
    /// Number of runs.
    pub(super) fn runs(&self) -> usize {
        self.by_start.len()
    }

    /// Pages of this process's own.
    pub(super) fn own_pages(&self) -> u64 {
        self.own
    }

    /// Pages of files.
    pub(super) fn source_pages(&self) -> u64 {
        self.source
    }

    /// The most pages there ever were.
    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    /// The run that holds `addr`, and its start.
    pub(super) fn find(&self, addr: u64) -> Option<(u64, &Resident)> {
        let (&start, run) = self.by_start.range(..=addr).next_back()?;
        (addr - start < run.len()).then_some((start, run))
    }

    /// The start of the first run at or above `addr`.
    pub(super) fn next_start(&self, addr: u64) -> Option<u64> {
        self.by_start.range(addr..).next().map(|(&start, _)| start)
    }

    /// The end of the last run that starts below `addr`.
    pub(super) fn last_end(&self, addr: u64) -> Option<u64> {
        let (&start, run) = self.by_start.range(..addr).next_back()?;
        Some(start + run.len())
    }

    /// Runs that have a part of `start..end`, with their starts.
    pub(super) fn overlapping(
        &self,
        start: u64,
        end: u64,
    ) -> impl Iterator<Item = (u64, &Resident)> {
        let first = self.find(start).map_or(start, |(start, _)| start);
        self.by_start
            .range(first..end.max(first))
            .map(|(&start, run)| (start, run))
    }

    /// All runs, to change what was told and guarded.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Resident)> {
        self.by_start.iter_mut().map(|(&start, run)| (start, run))
    }

    /// Cuts the runs at `start` and `end`.
    pub(super) fn cut(&mut self, start: u64, end: u64) {
        self.split_at(start);
        self.split_at(end);
    }

    /// Takes out what lies in `start..end`, cutting runs at both ends.
    pub(super) fn take(&mut self, start: u64, end: u64) -> Vec<(u64, Resident)> {
        if start >= end {
            return Vec::new();
        }
        self.cut(start, end);
        let starts: Vec<u64> = self.by_start.range(start..end).map(|(&s, _)| s).collect();
        let mut taken = Vec::with_capacity(starts.len());
        for start in starts {
            if let Some(run) = self.by_start.remove(&start) {
                *self.counter(run.kind) -= run.pages.count();
                taken.push((start, run));
            }
        }
        taken
    }

    /// Puts a run where there is none, and joins it with a like neighbour before it.
    pub(super) fn put(&mut self, start: u64, mut run: Resident) {
        *self.counter(run.kind) += run.pages.count();
        self.peak = self.peak.max(self.own + self.source);
        if let Some((&before_start, before)) = self.by_start.range_mut(..start).next_back()
            && before_start + before.len() == start
            && before.is_like(&run)
        {
            match before.pages.append(run.pages) {
                Ok(()) => return,
                Err(pages) => run.pages = pages,
            }
        }
        self.by_start.insert(start, run);
    }

    fn counter(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Own => &mut self.own,
            Kind::Source => &mut self.source,
        }
    }

    fn split_at(&mut self, addr: u64) {
        let Some((&start, run)) = self.by_start.range_mut(..addr).next_back() else {
            return;
        };
        if addr - start >= run.len() {
            return;
        }
        let rest = Resident {
            pages: run.pages.split_off((addr - start) / PAGE_SIZE),
            kind: run.kind,
            guarded: run.guarded,
            told: run.told,
        };
        self.by_start.insert(addr, rest);
    }
}
