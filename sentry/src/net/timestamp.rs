//! SO_TIMESTAMP and SO_TIMESTAMPNS, socket(7): when something came.

use syscalls::abi::net::{SO_TIMESTAMP, SO_TIMESTAMPNS, SOL_SOCKET};
use syscalls::abi::time::{Timespec, Timeval};
use zerocopy::IntoBytes;

use super::Options;
use super::control::Note;

/// Adds what the options ask for; `at` is `CLOCK_REALTIME` in nanoseconds.
pub(super) fn note(options: &Options, at: i128, notes: &mut Vec<Note>) {
    let sec = i64::try_from(at.div_euclid(1_000_000_000)).unwrap_or(i64::MAX);
    let nsec = i64::try_from(at.rem_euclid(1_000_000_000)).unwrap_or(0);
    let (kind, body) = if options.kept(SO_TIMESTAMPNS) != 0 {
        (SO_TIMESTAMPNS, Timespec { sec, nsec }.as_bytes().to_vec())
    } else if options.kept(SO_TIMESTAMP) != 0 {
        let usec = nsec / 1000;
        (SO_TIMESTAMP, Timeval { sec, usec }.as_bytes().to_vec())
    } else {
        return;
    };
    notes.push(Note {
        level: SOL_SOCKET,
        kind,
        body,
    });
}
