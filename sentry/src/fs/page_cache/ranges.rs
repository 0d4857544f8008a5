//! Sets of numbers as disjoint ranges.

use std::collections::BTreeMap;

/// A set of `u64`, kept as half-open ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    ranges: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// True if the set has nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, rising.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(&start, &end)| (start, end))
    }

    /// Adds `start..end`.
    pub fn insert(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        // The quick case: writing the same page again.
        if let Some((_, &last)) = self.ranges.range(..=start).next_back()
            && last >= end
        {
            return;
        }
        while let Some((&s, &e)) = self.ranges.range(..=end).next_back() {
            if e < start {
                break;
            }
            self.ranges.remove(&s);
            start = start.min(s);
            end = end.max(e);
        }
        self.ranges.insert(start, end);
    }

    /// Takes `start..end` out.
    pub fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        while let Some((&s, &e)) = self.ranges.range(..end).next_back() {
            if e <= start {
                break;
            }
            self.ranges.remove(&s);
            if e > end {
                self.ranges.insert(end, e);
            }
            if s < start {
                self.ranges.insert(s, start);
            }
        }
    }

    /// The range that holds `at`, or else the next one.
    #[must_use]
    pub fn next(&self, at: u64) -> Option<(u64, u64)> {
        let before = self.ranges.range(..=at).next_back();
        let holds = before.filter(|&(_, &end)| at < end);
        let found = holds.or_else(|| self.ranges.range(at..).next())?;
        Some((*found.0, *found.1))
    }

    /// True if `at` is in the set.
    #[must_use]
    pub fn contains(&self, at: u64) -> bool {
        self.ranges
            .range(..=at)
            .next_back()
            .is_some_and(|(_, &end)| at < end)
    }
}

#[cfg(test)]
mod tests {
    use super::RangeSet;

    /// Against a plain set of numbers, over a fixed pseudo-random sequence.
    #[test]
    fn agrees_with_a_plain_set() {
        let mut ranges = RangeSet::default();
        let mut plain = std::collections::BTreeSet::new();
        let mut seed = 12345u64;
        let mut next = |bound: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % bound
        };
        for _ in 0..2000 {
            let (start, len, add) = (next(100), next(12), next(2) == 0);
            if add {
                ranges.insert(start, start + len);
                plain.extend(start..start + len);
            } else {
                ranges.remove(start, start + len);
                plain.retain(|n| !(start..start + len).contains(n));
            }
            let flat: Vec<u64> = ranges.iter().flat_map(|(s, e)| s..e).collect();
            assert_eq!(flat, plain.iter().copied().collect::<Vec<_>>());
            let touching = ranges
                .iter()
                .zip(ranges.iter().skip(1))
                .any(|(a, b)| a.1 >= b.0);
            assert!(!touching, "{ranges:?}");
            assert_eq!(ranges.contains(start), plain.contains(&start));
            let next = ranges.next(start).map(|(s, _)| s.max(start));
            assert_eq!(next, plain.range(start..).next().copied());
        }
    }
}
