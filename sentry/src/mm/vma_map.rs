//! The mappings of an address space, by address.

use std::collections::BTreeMap;

use super::vma::Vma;

/// Disjoint mappings.
#[derive(Default)]
pub(super) struct VmaMap {
    by_start: BTreeMap<u64, Vma>,
}

impl VmaMap {
    pub(super) fn count(&self) -> usize {
        self.by_start.len()
    }

    /// The mapping that holds `addr`.
    pub(super) fn find(&self, addr: u64) -> Option<&Vma> {
        let (_, vma) = self.by_start.range(..=addr).next_back()?;
        (addr < vma.end).then_some(vma)
    }

    /// The first mapping that ends above `addr`.
    pub(super) fn first_above(&self, addr: u64) -> Option<&Vma> {
        self.find(addr)
            .or_else(|| self.by_start.range(addr..).next().map(|(_, vma)| vma))
    }

    /// The last mapping that starts below `addr`.
    pub(super) fn last_below(&self, addr: u64) -> Option<&Vma> {
        self.by_start.range(..addr).next_back().map(|(_, vma)| vma)
    }

    /// All, rising.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Vma> {
        self.by_start.values()
    }

    /// Those that have a part of `start..end`, rising.
    pub(super) fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = &Vma> {
        let first = self.find(start).map_or(start, |vma| vma.start);
        self.by_start
            .range(first..end.max(first))
            .map(|(_, vma)| vma)
    }

    /// Those below `end`, falling.
    pub(super) fn below(&self, end: u64) -> impl Iterator<Item = &Vma> {
        self.by_start.range(..end).rev().map(|(_, vma)| vma)
    }

    /// True if every byte of `start..end` is mapped.
    pub(super) fn covers(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        for vma in self.overlapping(start, end) {
            if vma.start > at {
                return false;
            }
            at = vma.end;
        }
        at >= end
    }

    /// Takes out what lies in `start..end`, cutting mappings at both ends.
    pub(super) fn remove(&mut self, start: u64, end: u64) -> Vec<Vma> {
        if start >= end {
            return Vec::new();
        }
        self.split_at(start);
        self.split_at(end);
        let starts: Vec<u64> = self.by_start.range(start..end).map(|(&s, _)| s).collect();
        let remove = |start: u64| self.by_start.remove(&start);
        starts.into_iter().filter_map(remove).collect()
    }

    /// Puts in a mapping where there is none, and joins it with like neighbours.
    pub(super) fn insert(&mut self, mut vma: Vma) {
        let start = vma.start;
        if let Some(next) = self.by_start.get(&vma.end)
            && vma.continues_in(next)
        {
            let end = vma.end;
            if let Some(next) = self.by_start.remove(&end) {
                vma.end = next.end;
            }
        }
        if let Some((_, before)) = self.by_start.range_mut(..start).next_back()
            && before.continues_in(&vma)
        {
            before.end = vma.end;
            return;
        }
        self.by_start.insert(start, vma);
    }

    /// Moves the start of the mapping at `start` down to `to`.
    pub(super) fn extend_down(&mut self, start: u64, to: u64) {
        if let Some(mut vma) = self.by_start.remove(&start) {
            vma.start = to;
            self.by_start.insert(to, vma);
        }
    }

    fn split_at(&mut self, addr: u64) {
        let Some((_, vma)) = self.by_start.range_mut(..addr).next_back() else {
            return;
        };
        if vma.end > addr {
            let rest = vma.split_off(addr);
            self.by_start.insert(addr, rest);
        }
    }
}
