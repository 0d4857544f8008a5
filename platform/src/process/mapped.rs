//! Which addresses have a host mapping.

use std::collections::BTreeMap;

/// Disjoint ranges `[start, end)` that do not touch each other. Needed because the host's
/// mprotect stops at the first hole, and to unmap only what is there.
#[derive(Clone, Default, Debug)]
pub(super) struct Mapped {
    /// start → end
    ranges: BTreeMap<u64, u64>,
}

impl Mapped {
    /// Adds a range (not empty).
    pub(super) fn insert(&mut self, start: u64, end: u64) {
        let (mut start, mut end) = (start, end);
        if let Some((&before, &before_end)) = self.ranges.range(..start).next_back() {
            if before_end >= end {
                return;
            }
            if before_end >= start {
                start = before;
            }
        }
        while let Some((&next, &next_end)) = self.ranges.range(start..=end).next() {
            self.ranges.remove(&next);
            end = end.max(next_end);
        }
        self.ranges.insert(start, end);
    }

    /// Takes a range out; returns the parts of it that were there.
    pub(super) fn remove(&mut self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let parts = self.within(start, end);
        for &(part, part_end) in &parts {
            let whole = self.ranges.range(..=part).next_back();
            let Some((whole, whole_end)) = whole.map(|(&start, &end)| (start, end)) else {
                continue;
            };
            self.ranges.remove(&whole);
            if whole < part {
                self.ranges.insert(whole, part);
            }
            if part_end < whole_end {
                self.ranges.insert(part_end, whole_end);
            }
        }
        parts
    }

    /// The parts of a range that are there, in order.
    pub(super) fn within(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let before = self.ranges.range(..start).next_back();
        before
            .into_iter()
            .chain(self.ranges.range(start..end))
            .map(|(&from, &to)| (from.max(start), to.min(end)))
            .filter(|(from, to)| from < to)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mapped: &Mapped) -> Vec<(u64, u64)> {
        mapped.within(0, u64::MAX)
    }

    #[test]
    fn ranges_join_and_split() {
        let mut mapped = Mapped::default();
        mapped.insert(10, 20);
        mapped.insert(30, 40);
        mapped.insert(12, 15);
        assert_eq!(all(&mapped), [(10, 20), (30, 40)]);
        mapped.insert(20, 30);
        assert_eq!(all(&mapped), [(10, 40)]);
        assert_eq!(mapped.remove(15, 17), [(15, 17)]);
        assert_eq!(all(&mapped), [(10, 15), (17, 40)]);
        assert_eq!(mapped.within(12, 18), [(12, 15), (17, 18)]);
        assert_eq!(mapped.remove(0, 100), [(10, 15), (17, 40)]);
        assert_eq!(all(&mapped), []);
        assert_eq!(mapped.remove(0, 100), []);
    }

    #[test]
    fn against_a_plain_array() {
        let mut mapped = Mapped::default();
        let mut plain = [false; 64];
        let mut seed = 1_u64;
        for _ in 0..5000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let start = (seed >> 33) % 63;
            let end = start + 1 + (seed >> 45) % (64 - start);
            let value = seed >> 60 & 1 == 1;
            if value {
                mapped.insert(start, end);
            } else {
                mapped.remove(start, end);
            }
            for index in start..end {
                plain[usize::try_from(index).unwrap()] = value;
            }
            let found = all(&mapped);
            for (index, expected) in (0..).zip(plain) {
                let there = found.iter().any(|&(from, to)| from <= index && index < to);
                assert_eq!(there, expected);
            }
            assert!(found.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
