//! Which pages of a file are resident, as runs.

use std::collections::BTreeMap;

use platform::Pages;

/// Runs of pages by the page number of their first.
#[derive(Default)]
pub struct PageMap {
    runs: BTreeMap<u64, Pages>,
    count: u64,
}

impl PageMap {
    /// Resident pages.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    fn run_at(&self, index: u64) -> Option<(u64, &Pages)> {
        let (&start, run) = self.runs.range(..=index).next_back()?;
        (index - start < run.count()).then_some((start, run))
    }

    /// New references on the pages from `index` on, at most `max`, as far as one run
    /// goes; `None` if `index` is not resident.
    #[must_use]
    pub fn get(&self, index: u64, max: u64) -> Option<Pages> {
        let (start, run) = self.run_at(index)?;
        let skip = index - start;
        Some(run.slice(skip, max.min(run.count() - skip)))
    }

    /// The first resident page number at or after `index`.
    #[must_use]
    pub fn next_present(&self, index: u64) -> Option<u64> {
        if self.run_at(index).is_some() {
            return Some(index);
        }
        self.runs.range(index..).next().map(|(&start, _)| start)
    }

    /// The first absent page number at or after `index`.
    #[must_use]
    pub fn next_absent(&self, index: u64) -> u64 {
        let mut at = index;
        while let Some((start, run)) = self.run_at(at) {
            at = start + run.count();
        }
        at
    }

    /// Puts pages where none are: the caller has checked.
    pub fn insert(&mut self, index: u64, pages: Pages) {
        self.count += pages.count();
        // A file written from front to back stays one run.
        let pages = match self.runs.range_mut(..index).next_back() {
            Some((&start, run)) if start + run.count() == index => match run.append(pages) {
                Ok(()) => return,
                Err(pages) => pages,
            },
            _ => pages,
        };
        self.runs.insert(index, pages);
    }

    /// Takes out the pages numbered `from..to`.
    pub fn remove(&mut self, from: u64, to: u64) -> Vec<Pages> {
        if from >= to {
            return Vec::new();
        }
        self.split(from);
        self.split(to);
        let mut tail = self.runs.split_off(&from);
        let mut after = tail.split_off(&to);
        self.runs.append(&mut after);
        let removed: Vec<Pages> = tail.into_values().collect();
        self.count -= removed.iter().map(Pages::count).sum::<u64>();
        removed
    }

    /// Makes `index` the start of a run if it is inside one.
    fn split(&mut self, index: u64) {
        let Some((&start, run)) = self.runs.range_mut(..index).next_back() else {
            return;
        };
        if index - start < run.count() {
            let rest = run.split_off(index - start);
            self.runs.insert(index, rest);
        }
    }
}
