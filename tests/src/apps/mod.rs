//! The rows that run Debian's own programs, by the program that matters in them.

use crate::case::Case;

mod bash;

/// Every table.
pub const ALL: &[&[Case]] = &[bash::ROWS];
