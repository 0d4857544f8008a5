//! The host calls of a client that is connected.

use platform::seccomp::Allow;

/// The rows that a client adds to its process's filter; its memory needs none, it neither
/// opens nor maps anything.
#[must_use]
pub const fn seccomp_rows() -> &'static [Allow] {
    ROWS
}

const ROWS: &[Allow] = &[
    Allow("futex", "wakes the Gofer, waits for its answers"),
    Allow("ppoll", "a thread waits for the Gofer's end"),
    Allow("shutdown", "ends that thread with the last client"),
];
