//! SO_TIMESTAMP and its siblings, socket(7): when something came.

use syscalls::Errno;
use syscalls::abi::net::{
    SO_TIMESTAMP, SO_TIMESTAMP_NEW, SO_TIMESTAMPING, SO_TIMESTAMPING_NEW, SO_TIMESTAMPNS,
    SO_TIMESTAMPNS_NEW, SOL_SOCKET,
};
use syscalls::abi::time::{Timespec, Timeval};
use syscalls::errno::EINVAL;
use zerocopy::IntoBytes;

use super::Options;
use super::control::Note;

/// SOF_TIMESTAMPING_*: all of them, and those that mean something here.
const KNOWN: i32 = 0x7_ffff;
const RX_SOFTWARE: i32 = 1 << 3;
const SOFTWARE: i32 = 1 << 4;
const OPT_ID: i32 = 1 << 7;
const OPT_TSONLY: i32 = 1 << 11;
const OPT_STATS: i32 = 1 << 12;
const OPT_ID_TCP: i32 = 1 << 16;

/// What SO_TIMESTAMPING takes; `EINVAL`.
pub(super) fn check_flags(flags: i32) -> Result<i32, Errno> {
    let lacks = |one: i32, other: i32| flags & one != 0 && flags & other == 0;
    if flags & !KNOWN != 0 || lacks(OPT_ID_TCP, OPT_ID) || lacks(OPT_STATS, OPT_TSONLY) {
        return Err(EINVAL);
    }
    Ok(flags)
}

/// Adds what the options ask for; `at` is `CLOCK_REALTIME` in nanoseconds.
pub(super) fn note(options: &Options, at: i128, notes: &mut Vec<Note>) {
    let sec = i64::try_from(at.div_euclid(1_000_000_000)).unwrap_or(i64::MAX);
    let nsec = i64::try_from(at.rem_euclid(1_000_000_000)).unwrap_or(0);
    let mut add = |kind: i32, body: Vec<u8>| {
        notes.push(Note {
            level: SOL_SOCKET,
            kind,
            body,
        });
    };
    let exact = Timespec { sec, nsec };
    let usec = nsec / 1000;
    for kind in [SO_TIMESTAMPNS, SO_TIMESTAMPNS_NEW] {
        if options.kept(kind) != 0 {
            add(kind, exact.as_bytes().to_vec());
        }
    }
    for kind in [SO_TIMESTAMP, SO_TIMESTAMP_NEW] {
        if options.kept(kind) != 0 {
            add(kind, Timeval { sec, usec }.as_bytes().to_vec());
        }
    }
    for kind in [SO_TIMESTAMPING, SO_TIMESTAMPING_NEW] {
        let flags = options.kept(kind);
        if flags & SOFTWARE != 0 && flags & RX_SOFTWARE != 0 {
            // Those of hardware are zero.
            let mut all = exact.as_bytes().to_vec();
            all.resize(3 * size_of::<Timespec>(), 0);
            add(kind, all);
        }
    }
}

/// A time as the ABI has it: with nanoseconds if it is to be `exact`.
pub(super) fn bytes(at: i128, exact: bool) -> Vec<u8> {
    let sec = i64::try_from(at.div_euclid(1_000_000_000)).unwrap_or(i64::MAX);
    let nsec = i64::try_from(at.rem_euclid(1_000_000_000)).unwrap_or(0);
    if exact {
        Timespec { sec, nsec }.as_bytes().to_vec()
    } else {
        let usec = nsec / 1000;
        Timeval { sec, usec }.as_bytes().to_vec()
    }
}
