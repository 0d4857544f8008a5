//! State that only the task's own thread uses.

use syscalls::UserAddr;

use crate::wait::RestartState;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnState {
    /// sigaltstack(2): lowest address, bytes, `SS_*` flags.
    pub alt_stack: AltStack,
    /// The mask to put back when rt_sigsuspend(2), ppoll(2) … is interrupted by a handler.
    pub saved_mask: Option<u64>,
    /// rseq(2): address, length, signature.
    pub rseq: Option<(UserAddr, u32, u32)>,
    /// How an interrupted wait goes on.
    pub restart: RestartState,
}

/// sigaltstack(2).
#[derive(Clone, Copy, Debug, Default)]
pub struct AltStack {
    /// Lowest address.
    pub base: UserAddr,
    /// Bytes; 0 without one.
    pub size: u64,
    /// `SS_AUTODISARM`, `SS_DISABLE`.
    pub flags: u32,
}
