//! /sys/kernel.

use super::{E, dir};
use crate::fs::synth::Entry;

pub(super) const ENTRIES: &[E] = &[
    Entry::fixed("address_bits", "64\n"),
    Entry::fixed("cpu_byteorder", "little\n"),
    dir("debug", &[]).mode(0o700),
    Entry::fixed("fscaps", "1\n"),
    dir("mm", MEMORY),
    dir("security", &[]),
    dir("tracing", &[]).mode(0o700),
    Entry::fixed("uevent_seqnum", "0\n"),
];

const MEMORY: &[E] = &[
    dir("hugepages", &[]),
    dir("ksm", &[Entry::fixed("run", "0\n")]),
    dir("transparent_hugepage", HUGE_PAGES),
];

/// Applications have none.
const HUGE_PAGES: &[E] = &[
    Entry::fixed("defrag", "always defer defer+madvise madvise [never]\n"),
    Entry::fixed("enabled", "always madvise [never]\n"),
    Entry::fixed("hpage_pmd_size", "2097152\n"),
    Entry::fixed(
        "shmem_enabled",
        "always within_size advise [never] deny force\n",
    ),
    Entry::fixed("use_zero_page", "0\n"),
];
