//! Which pages of the memory file are free.

use std::collections::{BTreeMap, BTreeSet};

/// What is in free pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Holes: they read as zero and cost no memory.
    Clean,
    /// A former owner's bytes, in memory.
    Used,
}

/// Consecutive pages in one state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    /// Number of the first page.
    pub(super) start: u64,
    /// Pages, at least 1.
    pub(super) count: u64,
    pub(super) state: State,
}

/// The free pages of a file.
pub(super) struct FreePages {
    /// Preferred: what has memory already.
    used: Runs,
    clean: Runs,
    /// Pages from here to `end` were never given out; they are clean.
    frontier: u64,
    end: u64,
}

impl FreePages {
    /// All of a new file of `pages` pages.
    pub(super) fn new(pages: u64) -> Self {
        FreePages {
            used: Runs::default(),
            clean: Runs::default(),
            frontier: 0,
            end: pages,
        }
    }

    /// Takes `count` consecutive pages.
    pub(super) fn take(&mut self, count: u64) -> Option<Run> {
        if let Some(start) = self.used.take(count) {
            return Some(Run {
                start,
                count,
                state: State::Used,
            });
        }
        let start = self.clean.take(count).or_else(|| self.advance(count))?;
        Some(Run {
            start,
            count,
            state: State::Clean,
        })
    }

    /// Takes `count` pages: in one run if there is one, else in the largest there are.
    pub(super) fn take_several(&mut self, count: u64) -> Option<Vec<Run>> {
        let total = self.used.total + self.clean.total + (self.end - self.frontier);
        if count > total {
            return None;
        }
        let mut runs = Vec::new();
        let mut left = count;
        while left > 0 {
            let run = self.take(left).or_else(|| self.take_largest())?;
            left -= run.count;
            runs.push(run);
        }
        Some(runs)
    }

    fn take_largest(&mut self) -> Option<Run> {
        let used = self.used.largest();
        let clean = self.clean.largest();
        let rest = self.end - self.frontier;
        if rest > used.max(clean) {
            let start = self.advance(rest)?;
            return Some(Run {
                start,
                count: rest,
                state: State::Clean,
            });
        }
        let (count, state) = if used >= clean {
            (used, State::Used)
        } else {
            (clean, State::Clean)
        };
        let start = self.runs(state).take(count)?;
        Some(Run {
            start,
            count,
            state,
        })
    }

    /// Takes the largest run that has memory, or its end if it has more than `most` pages.
    pub(super) fn take_largest_used(&mut self, most: u64) -> Option<Run> {
        let largest = self.used.largest();
        let mut start = self.used.take(largest)?;
        let count = largest.min(most);
        if count < largest {
            self.used.put(start, largest - count);
            start += largest - count;
        }
        Some(Run {
            start,
            count,
            state: State::Used,
        })
    }

    /// Adds a run of free pages, joining it with its neighbours.
    pub(super) fn put(&mut self, run: Run) {
        if run.state == State::Clean && run.start + run.count == self.frontier {
            self.frontier = run.start;
            // What had come to border on the frontier before joins it too.
            if let Some(start) = self.clean.take_ending_at(self.frontier) {
                self.frontier = start;
            }
            return;
        }
        self.runs(run.state).put(run.start, run.count);
    }

    /// Pages that are free and have memory.
    pub(super) fn used_pages(&self) -> u64 {
        self.used.total
    }

    fn advance(&mut self, count: u64) -> Option<u64> {
        if count > self.end - self.frontier {
            return None;
        }
        let start = self.frontier;
        self.frontier += count;
        Some(start)
    }

    fn runs(&mut self, state: State) -> &mut Runs {
        match state {
            State::Used => &mut self.used,
            State::Clean => &mut self.clean,
        }
    }
}

/// Disjoint runs that do not touch each other.
#[derive(Default)]
struct Runs {
    /// First page → pages.
    by_start: BTreeMap<u64, u64>,
    /// (pages, first page)
    by_count: BTreeSet<(u64, u64)>,
    /// Sum of all pages.
    total: u64,
}

impl Runs {
    /// Takes `count` pages (not 0) from the smallest run that has them.
    fn take(&mut self, count: u64) -> Option<u64> {
        if count == 0 {
            return None;
        }
        let &(found, start) = self.by_count.range((count, 0)..).next()?;
        self.remove(start, found);
        if found > count {
            self.insert(start + count, found - count);
        }
        Some(start)
    }

    fn take_ending_at(&mut self, end: u64) -> Option<u64> {
        let (&start, &count) = self.by_start.range(..end).next_back()?;
        if start + count != end {
            return None;
        }
        self.remove(start, count);
        Some(start)
    }

    fn put(&mut self, start: u64, count: u64) {
        let (mut first, mut end) = (start, start + count);
        if let Some(before) = self.take_ending_at(start) {
            first = before;
        }
        if let Some(&after) = self.by_start.get(&end) {
            self.remove(end, after);
            end += after;
        }
        self.insert(first, end - first);
    }

    fn largest(&self) -> u64 {
        self.by_count.last().map_or(0, |&(count, _)| count)
    }

    fn insert(&mut self, start: u64, count: u64) {
        self.by_start.insert(start, count);
        self.by_count.insert((count, start));
        self.total += count;
    }

    fn remove(&mut self, start: u64, count: u64) {
        self.by_start.remove(&start);
        self.by_count.remove(&(count, start));
        self.total -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: u64, count: u64, state: State) -> Run {
        Run {
            start,
            count,
            state,
        }
    }

    #[test]
    fn neighbours_join_and_used_come_first() {
        let mut free = FreePages::new(100);
        assert_eq!(free.take(30), Some(run(0, 30, State::Clean)));
        free.put(run(4, 2, State::Used));
        free.put(run(8, 2, State::Used));
        free.put(run(6, 2, State::Used));
        assert_eq!(free.used_pages(), 6);
        assert_eq!(free.take(6), Some(run(4, 6, State::Used)));
        assert_eq!(free.take(70), Some(run(30, 70, State::Clean)));
        assert_eq!(free.take(1), None);
    }

    #[test]
    fn best_fit() {
        let mut free = FreePages::new(20);
        free.take(20);
        free.put(run(0, 5, State::Used));
        free.put(run(10, 2, State::Used));
        assert_eq!(free.take(2), Some(run(10, 2, State::Used)));
        assert_eq!(free.take(2), Some(run(0, 2, State::Used)));
        assert_eq!(free.take(3), Some(run(2, 3, State::Used)));
    }

    #[test]
    fn several_runs_where_one_is_not_to_be_had() {
        let mut free = FreePages::new(10);
        free.take(9);
        free.put(run(0, 3, State::Used));
        free.put(run(5, 2, State::Clean));
        assert_eq!(free.take(4), None);
        assert_eq!(free.take_several(7), None);
        let runs = free.take_several(6).unwrap();
        assert_eq!(
            runs,
            [
                run(0, 3, State::Used),
                run(5, 2, State::Clean),
                run(9, 1, State::Clean)
            ]
        );
    }

    #[test]
    fn clean_runs_fall_back_to_the_frontier() {
        let mut free = FreePages::new(10);
        free.take(10);
        free.put(run(2, 4, State::Clean));
        free.put(run(6, 4, State::Clean));
        assert_eq!(free.frontier, 2);
        free.put(run(0, 2, State::Clean));
        assert_eq!(free.take(10), Some(run(0, 10, State::Clean)));
    }
}
