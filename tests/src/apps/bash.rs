//! bash: pipelines, job control, subshells, here-documents, traps.

use crate::case::Case;

pub(super) const ROWS: &[Case] = &[Case::bash(
    "bash/echo",
    "echo hello; id; cat /proc/self/status | grep Cap; ls -la /dev",
)];
