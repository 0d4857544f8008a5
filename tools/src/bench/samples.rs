//! Measured values.

/// What one system took for one case, over the rounds; microseconds unless the row says
/// otherwise.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn add(&mut self, value: f64) {
        let at = self.0.partition_point(|&other| other < value);
        self.0.insert(at, value);
    }

    /// `None` without values.
    pub(super) fn median(&self) -> Option<f64> {
        let middle = self.0.len() / 2;
        match (self.0.len() % 2, self.0.get(middle)) {
            (0, Some(above)) => Some((self.0.get(middle - 1)? + above) / 2.0),
            (_, value) => value.copied(),
        }
    }

    /// Smallest and largest.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }

    /// In ascending order.
    pub(super) fn all(&self) -> &[f64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_range() {
        let mut samples = Samples::default();
        assert_eq!((samples.median(), samples.range()), (None, None));
        for value in [3.0, 1.0, 8.0] {
            samples.add(value);
        }
        assert_eq!(samples.median(), Some(3.0));
        samples.add(5.0);
        assert_eq!(samples.median(), Some(4.0));
        assert_eq!(samples.range(), Some((1.0, 8.0)));
    }
}
