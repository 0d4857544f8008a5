//! The rows that run Debian's own programs, by the program that matters in them.

use crate::case::Case;

mod bash;
mod build;
mod busybox;
mod coreutils;
mod git;
mod perl;
mod python;
mod system;
mod tty;

/// Every table.
pub const ALL: &[&[Case]] = &[
    bash::ROWS,
    coreutils::ROWS,
    python::ROWS,
    perl::ROWS,
    git::ROWS,
    build::ROWS,
    system::ROWS,
    tty::ROWS,
    busybox::ROWS,
];
