//! What the kernel has of Linux's system calls: the data of the compatibility report.

use crate::table::{Level, Row, TABLE};

/// How many calls there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As Linux does them.
    pub served: usize,
    /// With a named gap.
    pub partial: usize,
    /// Answered with an error.
    pub refused: usize,
}

/// Every row, by number.
#[must_use]
pub fn rows() -> Vec<&'static Row> {
    let mut rows: Vec<&Row> = TABLE.iter().collect();
    rows.sort_by_key(|row| row.number);
    rows
}

/// The row of a call.
#[must_use]
pub fn row(number: u64) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.number as u64 == number)
}

/// Counts of all levels.
#[must_use]
pub fn counts() -> Counts {
    let mut counts = Counts::default();
    for row in TABLE {
        match row.level {
            Level::Served => counts.served += 1,
            Level::Partial(_) => counts.partial += 1,
            Level::Refused(_) => counts.refused += 1,
        }
    }
    counts
}

impl Level {
    /// `"served"`, `"partial"`, `"refused"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Level::Served => "served",
            Level::Partial(_) => "partial",
            Level::Refused(_) => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{counts, row, rows};
    use crate::Call;

    #[test]
    fn every_call_of_linux_6_12_has_one_row() {
        let numbers: Vec<usize> = rows().iter().map(|row| row.number).collect();
        let expected: Vec<usize> = (0..=335).chain(424..=462).collect();
        assert_eq!(numbers, expected);
        let names: HashSet<&str> = rows().iter().map(|row| row.name).collect();
        assert_eq!(names.len(), numbers.len());
        let counts = counts();
        assert_eq!(
            counts.served + counts.partial + counts.refused,
            numbers.len()
        );
    }

    #[test]
    fn rows_have_no_more_arguments_than_registers() {
        for row in rows() {
            assert!(row.args.len() <= 6, "{}", row.name);
        }
    }

    #[test]
    fn only_the_lower_half_of_the_number_counts() {
        let call = Call::decode(0xffff_ffff_0000_0027, &[0; 6]).map(|call| call.name());
        assert_eq!(call, Ok("getpid"));
        assert_eq!(row(39).map(|row| row.name), Some("getpid"));
        // The x32 interface does not exist.
        assert!(Call::decode(0x4000_0027, &[0; 6]).is_err());
    }
}
